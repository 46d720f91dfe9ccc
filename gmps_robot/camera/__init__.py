"""The rig's camera, without ROS: sources, a capture thread that stamps at the grab, and the one crop-and-resize.

Imports types, errors, config, rig and OpenCV. Start with `capture.py`; what the policy sees of a frame is in `view.py`.
"""
