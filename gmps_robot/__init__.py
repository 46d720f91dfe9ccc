"""Guided Meta-Policy Search for a Sawyer arm: the method, the control room and the data, in pure Python and torch.

Never imports rclpy, mujoco, sim or calibration. Start reading at `tasks.py`, `policy.py` and `learning/inner.py`.
"""

__version__ = "0.1.0"
