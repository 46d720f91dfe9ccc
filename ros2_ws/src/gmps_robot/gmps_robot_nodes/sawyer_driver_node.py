"""Node `sawyer_driver`: the real arm, or its emulator, with the topics and services of every arm.

configure connects to the robot and checks that it is one this driver knows; activate starts the control thread and lets
commands through; deactivate holds the arm and leaves it in POSITION mode. The motors are switched on by `arm/enable`.
"""

from __future__ import annotations

import time
from functools import partial

from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from gmps_robot import families
from gmps_robot.config import content_id
from gmps_robot.control.timing import prefer_this_process, run_in_real_time, stay_in_memory
from gmps_robot.errors import ArmError, GmpsError, LinkError
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import Wire, connect
from gmps_robot.types import AppliedCommand
from gmps_robot_nodes import conversions, parameters
from gmps_robot_nodes.arm_inbox import ArmInbox, Stamps
from gmps_robot_nodes.arm_lease import LeaseDesk
from gmps_robot_nodes.arm_services import ArmServices
from gmps_robot_nodes.arm_topics import ArmTopics
from gmps_robot_nodes.sawyer_control import NODE_PRIORITY, SawyerControl
from gmps_robot_nodes.sawyer_health import SawyerHealth
from gmps_robot_nodes.spinning import Ending, main, spin

INTRUDER_PERIOD = 0.04  # how often to look for a second hand on a command topic [s]
ROBOT_PERIOD = 1.0  # how often to ask the robot's master for one [s]
GRANTS = "{} or {} would let it keep time on a busy machine"
THREADS = 5  # a switch that waits for the robot must not keep a stop waiting


class SawyerDriverNode(LifecycleNode):
    """Callbacks only swap requests; the control thread alone talks to the guard."""

    def __init__(self, ending: Ending) -> None:
        """`ending` is requested when the control thread has failed."""
        super().__init__("sawyer_driver")
        self.failed, self._ending = False, ending
        self._family = families.family(parameters.declare(self, "family", "push", "Task family: the limits."))
        self._uri = parameters.declare(self, "master_uri", "http://127.0.0.1:11311", "ROS 1 master of the robot.")
        self._patience = parameters.declare(
            self, "connect_timeout", 20.0, "How long to try to reach the robot [s].", low=0.0, high=600.0
        )
        self._group = ReentrantCallbackGroup()
        self._topics = ArmTopics(self, content_id(self._family.envelope))
        self._health = SawyerHealth(self)
        self._wire: Wire | None = None
        self._arm: SawyerArm | None = None
        self._inbox: ArmInbox | None = None
        self._offers: ArmServices | None = None
        self._control: SawyerControl | None = None
        self._told_mode = ""  # of the guard
        self._told_ns = 0  # stamp of the last state that was published
        self.create_timer(INTRUDER_PERIOD, self._look, callback_group=self._group)
        # The master may take seconds to answer: one thread at a time waits for it.
        self.create_timer(ROBOT_PERIOD, self._look_at_robot, callback_group=MutuallyExclusiveCallbackGroup())
        self.create_timer(1.0, self._tell_health, callback_group=self._group)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect to the robot."""
        try:
            self._wire = connect("gmps_sawyer_driver", self._uri, self._patience)
            self._arm = SawyerArm(self._family, self._wire)
        except GmpsError as error:
            self.get_logger().fatal(str(error))
            self._close()
            return TransitionCallbackReturn.FAILURE
        desk, arm = LeaseDesk(time.monotonic), self._arm
        self._offers = ArmServices(self, arm, desk, self._group, active=False)
        self._inbox = ArmInbox(self, desk, self._stamps, lambda: arm.guard_state.gripper)
        self.get_logger().info(f"connected to the robot at {self._uri}; its motors are as they were")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the control thread."""
        if self._arm is None or self._inbox is None or self._offers is None:
            return TransitionCallbackReturn.FAILURE
        if not stay_in_memory():
            grants = GRANTS.format("CAP_IPC_LOCK", "an unlimited memlock")
            self.get_logger().warning(f"may have to wait for its own memory; {grants}")
        self._arm.begin()
        self._offers.active = True
        self._control = SawyerControl(self._arm, self._inbox, self._offers, self._publish, self._publish_applied)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold; the arm stays in POSITION mode."""
        self.rest()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the robot."""
        self.leave()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold, and leave the robot."""
        self.leave()
        return super().on_shutdown(state)

    def rest(self) -> None:
        """End the control thread and leave the arm held, in POSITION mode."""
        if self._control is None or self._arm is None:
            return
        if self._offers is not None:
            self._offers.deactivate()
        self._control.end()
        self._arm.rest("the driver is not active")
        self._told_mode = self._arm.guard_state.mode  # a stop at the end is no error
        self.get_logger().info("at rest, commands nothing more")
        self._publish_guard(self._control.applied)
        self._control = None

    def leave(self) -> None:
        """Rest, and end the link, also where rest is not possible any more."""
        try:
            self.rest()
        finally:
            self._close()

    def _close(self) -> None:
        for part in (self._inbox, self._offers):
            if part is not None:
                part.close()
        if self._wire is not None:
            self._wire.close()
        self._inbox = self._offers = self._arm = self._wire = None

    def _stamps(self, message: ArmCommandMsg) -> Stamps:
        """On the monotonic clock: a time of day that jumps costs the requests that are on their way, and no more."""
        ahead_ns = time.monotonic_ns() - self._now()
        answers_ns = conversions.to_ns(message.answers)
        made_ns = conversions.to_ns(message.header.stamp)
        return made_ns + ahead_ns, answers_ns + ahead_ns if answers_ns else None

    def _publish(self, applied: AppliedCommand) -> None:
        """After each control period, in its thread."""
        if self._arm is None:
            return
        state = self._arm.observe()
        if state.stamp_ns != self._told_ns:
            self._told_ns = state.stamp_ns
            self._topics.publish_state(state, self._now() - (time.monotonic_ns() - state.stamp_ns))
        self._publish_guard(applied)

    def _publish_guard(self, applied: AppliedCommand) -> None:
        if self._arm is None or self._inbox is None or self._offers is None:
            return
        guard = self._arm.guard_state
        if guard.mode != self._told_mode and guard.mode in ("FAULT", "ESTOP"):
            self.get_logger().error(f"{guard.mode}: {guard.fault_reason}")
        self._told_mode = guard.mode
        self._topics.publish_guard(guard, applied, self._offers.homing, self._inbox.desk.holder, self._now())

    def _publish_applied(self, applied: AppliedCommand, answers_ns: int) -> None:
        self._topics.publish_applied(applied, answers_ns, self._now())

    def _look(self) -> None:
        """More than one hand on a command topic is a FAULT; a control thread that has failed ends the node."""
        control, inbox, arm = self._control, self._inbox, self._arm  # another thread may take them away
        if control is not None and control.failure and not self._ending.requested:
            self.get_logger().fatal(f"{control.failure}; the robot holds by its own time-out")
            self.failed = self._ending.requested = True
        if inbox is not None and arm is not None and arm.guard_state.mode not in ("FAULT", "ESTOP"):
            trouble = inbox.trouble()
            if trouble:
                arm.stop(trouble)

    def _look_at_robot(self) -> None:
        """Whoever commands the robot itself, past this driver, is a FAULT too."""
        wire, arm = self._wire, self._arm
        if wire is None or arm is None or not arm.guard_state.armed:
            return
        try:
            wire.require_alone()
        except LinkError:
            return  # a master that is gone: motion goes on over what is connected, and arming is refused
        except ArmError as error:
            arm.stop(str(error))

    def _tell_health(self) -> None:
        control, arm, wire = self._control, self._arm, self._wire  # another thread may take them away
        if control is not None and arm is not None and wire is not None:
            self._health.publish(control, arm, wire)

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def _scheduling() -> str:
    """Ask for the best the system grants; return what a person must know about it."""
    if run_in_real_time(NODE_PRIORITY):
        return ""
    priority = "higher" if prefer_this_process() else "normal"
    return f"runs at {priority} priority, not in real time; {GRANTS.format('root, CAP_SYS_NICE', 'an rtprio limit')}"


def _work(scheduling: str, ending: Ending) -> int:
    node = SawyerDriverNode(ending)
    if scheduling:
        node.get_logger().warning(scheduling)
    executor = MultiThreadedExecutor(THREADS)
    executor.add_node(node)
    try:
        spin(executor, ending)
    finally:
        executor.shutdown()
        node.leave()
        node.destroy_node()
    return 1 if node.failed else 0


if __name__ == "__main__":
    main("sawyer_driver", partial(_work, _scheduling()))  # before ROS 2 starts threads of its own: they inherit it
