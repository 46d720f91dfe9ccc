"""Node `twin`: the simulated arm, its camera and its scene, with the topics and services of a real one."""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_msgs.srv import SceneReset
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from gmps_robot import families
from gmps_robot.config import content_id
from gmps_robot.data.folder import default_data
from gmps_robot.errors import GmpsError
from gmps_robot.rig import load_rig
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand
from gmps_robot_nodes import conversions, parameters, stack
from gmps_robot_nodes.arm_inbox import ArmInbox, Request, Stamps
from gmps_robot_nodes.arm_lease import LeaseDesk
from gmps_robot_nodes.arm_services import ArmServices
from gmps_robot_nodes.arm_topics import ArmTopics
from gmps_robot_nodes.pace import Answer, Pace
from gmps_robot_nodes.spinning import Ending, main
from gmps_robot_nodes.twin_replay import TwinReplay
from gmps_robot_nodes.twin_topics import TwinTopics
from sim.marked_view import MarkedView
from sim.twin import Twin

REMEMBERED = 64  # observations whose time is still known when their answer comes


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
        rig = load_rig(parameters.declare(self, "rig", "nominal", "The rig that the twin stands for: a name or file."))
        self.twin = Twin(self.family, rig=rig, seed=seed)
        self._lockstep = speed == "max"
        self._pace = Pace(self.twin.period, patience, self._lockstep, time.monotonic)
        self._arm_topics = ArmTopics(self, content_id(self.family.envelope))
        self._topics = TwinTopics(self, self.twin, self._arm_topics, self._lockstep, _marked_view(self, self.twin))
        if not self._lockstep:
            self._topics.warm()
        self._answer = Answer.NONE
        self._state = self.twin.observe()
        self._stamp_ns = 0  # of the present observation, ROS time
        self._times: OrderedDict[int, int] = OrderedDict()  # stamp of an observation -> the twin's time
        self._applied = AppliedCommand(0, -1, np.zeros(3), 0.0, np.zeros(3))  # of the last step
        self._desk = LeaseDesk(lambda: self._times[self._stamp_ns] * 1e-9)
        self._inbox = ArmInbox(self, self._desk, self._stamps, lambda: self.twin.guard_state.gripper, self._note)
        self._offers = ArmServices(self, self.twin, self._desk)
        self.create_service(SceneReset, "scene/reset", self._reset)
        start = np.array(self.family.start_tip)
        self._replay = TwinReplay(self, default_data(), start, self._begin_replay, self._obstacle)

    def run(self, ending: Ending) -> None:
        """Step until asked to end."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        how = "lock-step" if self._lockstep else "real time"
        self.get_logger().info(f"twin of {self.family.name} at {self.family.control_hz:g} Hz, {how}")
        self._observe(Answer.NONE, afresh=True)
        listened = False  # since the last step: too slow for its period, it must still hear commands and STOP
        while not ending.requested:
            left = self._pace.remaining(self._answer)
            if left <= 0.0 and listened:
                self._step()
                listened = False
                continue
            executor.spin_once(timeout_sec=min(left, 0.05))
            listened = True
            if self._pace.resend():
                self._topics.publish(self._state, self._stamp_ns)

    def _observe(self, answer: Answer, afresh: bool = False, awaited: bool = False) -> None:
        """Begin a period: a new observation, which nothing has answered yet."""
        self._pace.begin(answer, afresh, awaited)
        self._state = self.twin.exposed()
        time_ns = self._state.stamp_ns
        # A simulated stamp of zero would mean "no stamp".
        now_ns = time_ns + 1_000_000_000 if self._lockstep else self.get_clock().now().nanoseconds
        self._stamp_ns = max(now_ns, self._stamp_ns + 1)
        self._times[self._stamp_ns] = time_ns
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        self._answer = Answer.NONE
        self._topics.publish(self._state, self._stamp_ns)
        guard = self.twin.guard_state
        self._arm_topics.publish_guard(guard, self._applied, self._offers.homing, self._desk.holder, self._stamp_ns)
        self._topics.publish_slow(self._stamp_ns, self._pace)

    def _step(self) -> None:
        """End a period: the twin carries out what came, or silence."""
        trouble = self._inbox.trouble()
        if trouble and self.twin.guard_state.mode != "FAULT":
            self.twin.stop(trouble)
        answer, now = self._answer, self._times[self._stamp_ns] * 1e-9
        request = self._inbox.take(now, self.twin.guard_state.at_rest)
        command = None if request is None else request.command
        if self._offers.homing:
            command = self._offers.next_home(now)
        else:
            command = self._replay.command(command, now)
        if self._inbox.changing:
            self.twin.let_go()
        self._applied = self.twin.apply(command, now)
        self._arm_topics.publish_applied(self._applied, self._stamp_ns, self._stamp_ns)
        self._observe(answer)

    def _stamps(self, message: ArmCommandMsg) -> Stamps | None:
        """A request is as old as the observation that it answers, else as the present one."""
        answers_ns = conversions.to_ns(message.answers)
        time_ns = self._times.get(answers_ns or self._stamp_ns)
        return None if time_ns is None else (time_ns, time_ns if answers_ns else None)

    def _note(self, request: Request) -> None:
        if request.answers_ns in (0, self._stamp_ns):
            self._answer = Answer.HOLD if request.hold else Answer.MOVE

    def _reset(self, request: SceneReset.Request, response: SceneReset.Response) -> SceneReset.Response:
        self._replay.end()
        try:
            self._put_back(Task.from_json(request.task), int(request.seed), bool(request.film), awaited=True)
        except GmpsError as error:
            response.message = str(error)
            return response
        response.success, response.stamp = True, conversions.to_time(self._stamp_ns)
        return response

    def _put_back(self, task: Task, seed: int, film: bool, awaited: bool) -> None:
        self.twin.reset_scene(task, seed)
        self._offers.homing = False
        self._inbox.clear()
        self._topics.note_reset(task.to_json(), film)
        self._observe(Answer.NONE, afresh=True, awaited=awaited)

    def _begin_replay(self, task: Task) -> None:
        self._put_back(task, 0, film=False, awaited=False)

    def _obstacle(self) -> str:
        """Why no replay may begin; empty when one may."""
        guard = self.twin.guard_state
        if guard.mode in ("FAULT", "ESTOP"):
            return f"{guard.mode}: {guard.fault_reason}"
        return "" if guard.at_rest else "the arm is in motion"


def _marked_view(node: Node, twin: Twin) -> MarkedView | None:
    """Where a tracker judges: pictures for it, with its marker on the object."""
    judge = parameters.declare(
        node, "reward", "twin", "Who judges. `marker`: the object carries one, and the truth goes to scene/truth.",
        choices=("twin", "human", "marker"),
    )
    path = parameters.declare(node, "marker", "", "What is printed on the object: a YAML file.")
    if judge != "marker":
        return None
    from calibration.track import load_marker  # OpenCV takes its time to import

    spec = load_marker(path)
    return MarkedView(twin, spec.cells, spec.print_size)


def _work(ending: Ending) -> int:
    node = TwinNode()
    try:
        node.run(ending)
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("twin", _work)
