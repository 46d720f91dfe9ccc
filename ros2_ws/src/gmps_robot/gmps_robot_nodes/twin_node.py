"""Node `twin`: the simulated arm, its camera and its scene, with the topics and services of a real one."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_msgs.srv import SceneReset
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from gmps_robot import families
from gmps_robot.control.homing import home_velocity, is_home
from gmps_robot.errors import GmpsError
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand
from gmps_robot_nodes import conversions, parameters, qos, stack
from gmps_robot_nodes.pace import Answer, Pace
from gmps_robot_nodes.spinning import Ending, main
from gmps_robot_nodes.twin_topics import TwinTopics
from sim.twin import Twin

REMEMBERED = 64  # observations whose time is still known when their answer comes
COMMAND_TOPICS = ("policy/command", "teleop/command")


class TwinNode(Node):
    """Publishes an observation, collects what answers it, lets the twin take one step, and again.

    The guard goes by the twin's own clock, which is simulated time at both speeds. Header stamps are ROS time. A
    command is as old as the observation that it answers.
    """

    def __init__(self) -> None:
        super().__init__("twin")
        name = parameters.declare(self, "family", "push", "Task family: scene, rates and limits.")
        seed = parameters.declare(self, "seed", 0, "Seed of the block's start.", low=0, high=2**31 - 1)
        speed = parameters.declare(
            self, "speed", "realtime", "Pace: real time, or lock-step with /clock.", choices=stack.SPEEDS
        )
        patience = parameters.declare(
            self, "patience", 2.0, "Lock-step: how long to wait for a missing answer [s].", low=0.1, high=60.0
        )
        self.family = families.family(name)
        self.twin = Twin(self.family, seed=seed)
        self._lockstep = speed == "max"
        self._pace = Pace(self.twin.period, patience, self._lockstep, time.monotonic)
        self._topics = TwinTopics(self, self.twin, self._lockstep)
        self._answer = Answer.NONE
        self._command: ArmCommand | None = None
        self._state = self.twin.observe()
        self._stamp_ns = 0  # of the present observation, ROS time
        self._times: OrderedDict[int, int] = OrderedDict()  # stamp of an observation -> the twin's time
        self._enabled, self._homing, self._home_seq = True, False, 0
        for topic in COMMAND_TOPICS:
            self.create_subscription(ArmCommandMsg, topic, self._receive, qos.COMMAND)
        self.create_service(SceneReset, "scene/reset", self._reset)
        self.create_service(Trigger, "arm/stop", self._stop)
        self.create_service(Trigger, "arm/reset_fault", self._reset_fault)
        self.create_service(Trigger, "arm/home", self._home)
        self.create_service(SetBool, "arm/enable", self._enable)

    def run(self, ending: Ending) -> None:
        """Step until asked to end."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        how = "lock-step" if self._lockstep else "real time"
        self.get_logger().info(f"twin of {self.family.name} at {self.family.control_hz:g} Hz, {how}")
        self._observe(Answer.NONE, afresh=True)
        while not ending.requested:
            left = self._pace.remaining(self._answer)
            if left <= 0.0:
                self._step()
                continue
            executor.spin_once(timeout_sec=min(left, 0.05))
            if self._pace.resend():
                self._topics.publish(self._state, self._stamp_ns)

    def _observe(self, answer: Answer, afresh: bool = False) -> None:
        """Begin a period: a new observation, which nothing has answered yet."""
        self._pace.begin(answer, afresh)
        self._state = self.twin.observe()
        time_ns = self._state.stamp_ns
        # A simulated stamp of zero would mean "no stamp".
        now_ns = time_ns + 1_000_000_000 if self._lockstep else self.get_clock().now().nanoseconds
        self._stamp_ns = max(now_ns, self._stamp_ns + 1)
        self._times[self._stamp_ns] = time_ns
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        self._answer, self._command = Answer.NONE, None
        self._topics.publish(self._state, self._stamp_ns)
        self._topics.publish_guard(self._stamp_ns, self._enabled)
        self._topics.publish_slow(self._stamp_ns, self._pace)

    def _step(self) -> None:
        """End a period: the twin carries out what came, or silence."""
        self._check_publishers()
        answer = self._answer
        command = self._next_home() if self._homing else self._command
        now_ns = self._times[self._stamp_ns]
        applied = self.twin.apply(command if self._enabled else None, now_ns * 1e-9)
        self._topics.publish_applied(applied, self._stamp_ns, self._stamp_ns)
        self._observe(answer)

    def _receive(self, message: ArmCommandMsg) -> None:
        """Keep the newest request; one that answers an old observation is as old as that observation."""
        answers_ns = conversions.to_ns(message.answers)
        time_ns = self._times.get(answers_ns or self._stamp_ns)
        if time_ns is None:
            self.get_logger().warning(f"command {message.seq} answers no known observation", throttle_duration_sec=1.0)
            return
        try:
            command = conversions.command(message, time_ns)
        except GmpsError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)
            return
        if message.hold:
            # Coming to rest is a motion too: it obeys the acceleration limit of motions and ends at once.
            command = replace(command, velocity=np.zeros(3), gripper=self.twin.guard_state.gripper)
        self._command = command
        if answers_ns in (0, self._stamp_ns):
            self._answer = Answer.HOLD if message.hold else Answer.MOVE

    def _next_home(self) -> ArmCommand | None:
        """The next step of the way home; ends homing on arrival, or in a FAULT."""
        guard, home = self.twin.guard_state, np.array(self.family.start_tip)
        if is_home(guard.tip_target, guard.velocity, home) or guard.mode == "FAULT":
            self._homing = False
            return None
        self._home_seq += 1
        velocity = home_velocity(guard.tip_target, guard.velocity, home, self.family.envelope, self.twin.period)
        return ArmCommand(self._times[self._stamp_ns], self._home_seq, "reset", velocity, guard.gripper)

    def _check_publishers(self) -> None:
        """More than one hand on a command topic is a FAULT."""
        for topic in COMMAND_TOPICS:
            if self.count_publishers(topic) > 1 and self.twin.guard_state.mode != "FAULT":
                names = sorted(info.node_name for info in self.get_publishers_info_by_topic(topic))
                self.twin.stop(f"{len(names)} publishers on {topic}: {', '.join(names)}; end all but one")

    def _reset(self, request: SceneReset.Request, response: SceneReset.Response) -> SceneReset.Response:
        try:
            self.twin.reset_scene(Task.from_json(request.task), int(request.seed))
        except GmpsError as error:
            response.message = str(error)
            return response
        self._homing = False
        self._topics.note_reset(request.task, bool(request.film))
        self._observe(Answer.NONE, afresh=True)
        response.success, response.stamp = True, conversions.to_time(self._stamp_ns)
        return response

    def _stop(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.twin.stop("stopped by a person")
        response.success, response.message = True, "the arm is stopped until arm/reset_fault"
        return response

    def _reset_fault(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.twin.guard_state.mode == "FAULT"
        response.message = "the arm holds until the next command" if response.success else "the arm is not stopped"
        self.twin.reset_fault()
        return response

    def _home(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._enabled and self.twin.guard_state.mode != "FAULT"
        self._homing = response.success
        response.message = "on its way to the start" if response.success else "the arm is stopped or disabled"
        return response

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = bool(request.data)
        response.success, response.message = True, "enabled" if self._enabled else "disabled: no command moves the arm"
        return response


def _work(ending: Ending) -> int:
    node = TwinNode()
    try:
        node.run(ending)
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("twin", _work)
