"""How the real arm's driver is doing, once a second on /diagnostics."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import Wire
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.sawyer_control import SawyerControl

RATES = {"/robot/joint_states": 80.0, "/robot/limb/right/tip_states": 80.0, "/robot/state": 20.0}  # lowest sound [1/s]


class SawyerHealth:
    """Publishes rates of the link, how the control thread keeps time, and what the guard says."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)

    def publish(self, control: SawyerControl, arm: SawyerArm, wire: Wire) -> None:
        """Send the present figures."""
        now, guard, robot = time.monotonic(), arm.guard_state, wire.heard.robot()
        timing, topics = control.timer.report(), wire.node.statistics()
        slow = [name for name, lowest in RATES.items() if topics[name].rate_hz < lowest]
        figures: dict[str, object] = {
            "guard": guard.mode,
            "fault": guard.fault_reason,
            "master": str(wire.node.master_error or wire.node.master.uri),
            "joint state age ms": round(1e3 * (now - robot.joints_s), 1),
            "joint torques": "watched" if guard.torque.watched else "not watched: not told now, or not when armed",
            "messages rejected": robot.rejected,
            "control periods": timing.cycles,
            "control overruns": timing.missed,
            "control busy p50 ms": round(1e3 * timing.busy_p50, 2),
            "control busy p99 ms": round(1e3 * timing.busy_p99, 2),
            "control period p99 ms": round(1e3 * timing.period_p99, 2),
            **{f"rate of {name}": round(each.rate_hz, 1) for name, each in topics.items()},
        }
        status = DiagnosticStatus(name="sawyer_driver", hardware_id=wire.node.master.uri, level=DiagnosticStatus.OK)
        status.message = guard.mode
        if slow:
            status.level, status.message = DiagnosticStatus.WARN, f"slow: {', '.join(slow)}"
        if guard.mode in ("DISCONNECTED", "FAULT", "ESTOP"):
            status.level, status.message = DiagnosticStatus.ERROR, f"{guard.mode}: {guard.fault_reason}"
        status.values = [KeyValue(key=key, value=str(value)) for key, value in figures.items()]
        stamp_ns = self._node.get_clock().now().nanoseconds
        self._publisher.publish(DiagnosticArray(header=conversions.header(stamp_ns), status=[status]))
