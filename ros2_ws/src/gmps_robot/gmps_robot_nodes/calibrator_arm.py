"""What the calibrator hears of the arm: its state at the time of an image, by stamp."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from gmps_robot.errors import CalibrationError
from gmps_robot.types import ArmState, FloatArray
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.pairing import RIG_TOLERANCE_NS, Stamped
from gmps_robot_nodes.polled import PolledSubscription


class ArmHistory:
    """The newest states of `arm/ee_pose` and `joint_states`, their stamps less the arm's delay."""

    def __init__(self, node: Node, late: float) -> None:
        """Listen; `late` is how old a state is when it is stamped [s]."""
        self._late_ns = round(late * 1e9)
        self._tips, self._joints = Stamped[tuple[FloatArray, FloatArray]](), Stamped[tuple[FloatArray, FloatArray]]()
        # Polled: 200 messages per second would wake the node more often than it looks at the board.
        self._topics = (
            PolledSubscription(node, PoseStamped, "arm/ee_pose", self._on_pose, qos.RECORDED),
            PolledSubscription(node, JointState, "joint_states", self._on_joints, qos.RECORDED),
        )

    def poll(self) -> None:
        """Take what has come."""
        for topic in self._topics:
            topic.poll()

    def at(self, stamp_ns: int) -> ArmState:
        """Return the state nearest to `stamp_ns`.

        Raises:
            CalibrationError: there is none within the tolerance.
        """
        tip, joints = (heard.nearest(stamp_ns, RIG_TOLERANCE_NS) for heard in (self._tips, self._joints))
        if tip is None or joints is None:
            raise CalibrationError(
                f"stale state: no arm/ee_pose and joint_states within {RIG_TOLERANCE_NS / 1e6:.0f} ms of the image; is "
                "the arm's driver running, and are both on one clock?"
            )
        (position, quaternion), (angles, speeds) = tip[1], joints[1]
        return ArmState(tip[0], angles, speeds, position, quaternion, np.zeros(3), np.zeros(6), 0.0)

    def newest(self) -> ArmState | None:
        """Return the newest complete state; None while there is none."""
        for stamp_ns in self._joints.after(0):
            if self._tips.nearest(stamp_ns, RIG_TOLERANCE_NS) is not None:
                return self.at(stamp_ns)
        return None

    def _on_pose(self, message: PoseStamped) -> None:
        turn = message.pose.orientation
        pose = conversions.vector(message.pose.position), np.array([turn.x, turn.y, turn.z, turn.w])
        self._tips.add(conversions.to_ns(message.header.stamp) - self._late_ns, pose)

    def _on_joints(self, message: JointState) -> None:
        state = np.array(message.position), np.array(message.velocity)
        self._joints.add(conversions.to_ns(message.header.stamp) - self._late_ns, state)
