"""What every arm node publishes: the measured state, what was applied, and what the guard does."""

from __future__ import annotations

import time

from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from gmps_msgs.msg import AppliedCommand as AppliedCommandMsg
from gmps_msgs.msg import GuardStatus
from rclpy.node import Node
from sensor_msgs.msg import JointState

from gmps_robot.control.guard_state import GuardState
from gmps_robot.types import AppliedCommand, ArmState
from gmps_robot_nodes import conversions, qos

HEARTBEAT = 0.5  # [s]
LIMITS_PERIOD = 0.05  # limits that come and go are told this often at most [s]


class ArmTopics:
    """The publishers of an arm."""

    def __init__(self, node: Node, envelope: str) -> None:
        """`envelope` is the content id of the safety envelope in force."""
        self._envelope = envelope
        self._arm = (
            (node.create_publisher(JointState, "joint_states", qos.STATE), conversions.joint_state_message),
            (node.create_publisher(PoseStamped, "arm/ee_pose", qos.STATE), conversions.pose_message),
            (node.create_publisher(TwistStamped, "arm/ee_twist", qos.STATE), conversions.twist_message),
            (node.create_publisher(WrenchStamped, "arm/wrench", qos.STATE), conversions.wrench_message),
        )
        self._applied = node.create_publisher(AppliedCommandMsg, "arm/applied", qos.STATE)
        self._guard = node.create_publisher(GuardStatus, "arm/guard_status", qos.STATUS)
        self._last: tuple[object, ...] = ()
        self._last_limits: tuple[str, ...] = ()
        self._last_time = 0.0

    def publish_state(self, state: ArmState, stamp_ns: int) -> None:
        """Send what is measured; what nobody listens to is not sent: in lock-step every message costs a step."""
        for publisher, convert in self._arm:
            if publisher.get_subscription_count() > 0:
                publisher.publish(convert(state, stamp_ns))

    def publish_applied(self, applied: AppliedCommand, answers_ns: int, stamp_ns: int) -> None:
        """Send what was applied on the observation of `answers_ns`."""
        self._applied.publish(conversions.applied_message(applied, stamp_ns, answers_ns))

    def publish_guard(
        self, guard: GuardState, applied: AppliedCommand, homing: bool, holder: str, stamp_ns: int
    ) -> None:
        """Send the guard's state when it has changed, and now and then as a sign of life."""
        mode = "ARMED" if guard.mode == "MOVING" and guard.at_rest else guard.mode
        news = (mode, guard.fault_reason, guard.armed, homing, holder)
        limits = tuple(reason.split(":")[0] for reason in applied.reasons)
        now = time.monotonic()
        quiet = now - self._last_time
        if news == self._last and quiet < (HEARTBEAT if limits == self._last_limits else LIMITS_PERIOD):
            return
        self._last, self._last_limits, self._last_time = news, limits, now
        self._guard.publish(
            GuardStatus(
                header=conversions.header(stamp_ns), state=mode, reason=guard.fault_reason,
                limits=list(applied.reasons), enabled=guard.armed, seq=max(0, applied.seq), homing=homing,
                holder=holder, envelope=self._envelope,
            )
        )
