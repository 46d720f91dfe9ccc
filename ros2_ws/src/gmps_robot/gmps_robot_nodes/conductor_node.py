"""Node `conductor`: brings the adapt node up, sends it one goal after the other, and tells a terminal what happens.

`panel` and `ros2 action send_goal` can do the same; this node is what makes one command enough.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from action_msgs.msg import GoalStatus
from gmps_msgs.action import Adapt
from gmps_msgs.msg import RecorderStatus
from rclpy.action.client import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from gmps_robot.control.session_status import SessionStatus
from gmps_robot.errors import SessionError, SetupError
from gmps_robot_nodes import parameters, qos, session_status, stack
from gmps_robot_nodes.activation import Activation, ArmBringUp
from gmps_robot_nodes.goal_table import GoalOutcome, news, summary, table
from gmps_robot_nodes.spinning import WAKE, Ending, main

RECORDER_PATIENCE = 20.0  # [s]
BY_HAND = {  # sessions in which a person does the work, and what that person is told
    "teach": "teach at the panel",
    "calibrate": "show the board; the panel's view Calibrate, or calibrate/status, says what to show next",
}


class ConductorNode(Node):
    """Runs through its goals in `run`; everything else waits for others."""

    def __init__(self, ending: Ending) -> None:
        super().__init__("conductor")
        read = {argument.name: argument for argument in stack.ARGUMENTS}

        def number(name: str) -> int:
            given = read[name]
            value = int(given.default)
            return int(parameters.declare(self, name, value, given.description, low=given.low, high=given.high))

        def text(name: str) -> str:
            given = read[name]
            return str(parameters.declare(self, name, given.default, given.description, choices=given.choices))

        self._task, self._goals, self._seed = number("task"), number("goals"), number("seed")
        self._episodes, self._updates = number("episodes"), number("updates")
        self._split, self._reward, robot = text("split"), text("reward"), text("robot")
        self._kind = text("session")
        self._out, self._json = Path(text("out")), text("json")
        self._stay = bool(parameters.declare(self, "stay", False, read["stay"].description))
        self._patience = parameters.declare(
            self, "connect_timeout", 60.0, "How long to wait for the other nodes [s].", low=1.0, high=600.0
        )
        self._ending = ending
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._activation = Activation(self, "adapt")
        self._arm = None if robot == "twin" else ArmBringUp(self, motors_on=robot == "emulator")
        self._beside = str(parameters.declare(self, "beside", "", "Nodes that are started with it, with commas."))
        self._action = ActionClient(self, Adapt, "adapt")
        self._told = SessionStatus()
        self._record = bool(parameters.declare(self, "record", False, read["record"].description))
        self._awaits: list[str] | None = None  # what the recorder still misses, once it has said so
        if self._record:
            self.create_subscription(RecorderStatus, "recorder/status", self._on_recorder, qos.STATUS)

    def run(self) -> int:
        """Conduct every goal and return the exit status: 0 when all were carried through.

        Raises:
            SetupError: a node that is needed did not come up.
            SessionError: the adapt node would not take a goal.
        """
        began = time.monotonic()
        self._bring_up()
        if self._kind in BY_HAND:
            self.get_logger().info(f"{BY_HAND[self._kind]}; Ctrl-C ends everything")
            self._stay_until_asked()
            return 0
        outcomes: list[GoalOutcome] = []
        for number in range(self._task, self._task + self._goals):
            outcome = self._conduct(number)
            if outcome is None:
                return 0
            outcomes.append(outcome)
            self._write(outcomes)
        for line in table(outcomes):
            self.get_logger().info(line)
        self.get_logger().info(f"{len(outcomes)} of {self._goals} goals in {time.monotonic() - began:.0f} s")
        if self._stay:
            self._stay_until_asked()
        return 0 if all(outcome.completed for outcome in outcomes) else 1

    def _stay_until_asked(self) -> None:
        while not self._ending.requested:
            self._executor.spin_once(timeout_sec=WAKE)

    def _bring_up(self) -> None:
        """Configure and activate the arm's driver and, unless a person does the work, the adapt node.

        Motors come on last: processes that start keep a small machine too busy for an arm that is armed.
        """
        arm, by_hand = self._arm, self._kind in BY_HAND
        if arm is not None:
            self._wait(lambda: arm.ready, "node sawyer_driver did not come up; its own lines say why")
            arm.bring_up(self._call)
            self._wait(lambda: arm.connected, "node sawyer_driver offers no arm/enable")
        if not by_hand:  # there, a session that is started at the panel brings the adapt node up
            self._wait(lambda: self._activation.ready, "node adapt did not come up; its own lines say why")
            self._activation.bring_up(self._call)
        if arm is not None:
            self._wait(lambda: not self._missing(), f"not all nodes of {self._beside} came up; their own lines say why")
            arm.switch_on(self._call)
        if by_hand:
            return
        while arm is not None and not arm.fit and not self._ending.requested:
            self._executor.spin_once(timeout_sec=WAKE)
        self._wait(self._action.server_is_ready, "node adapt offers no action `adapt`")
        if self._record:
            self._wait_for_recorder()

    def _missing(self) -> set[str]:
        return set(self._beside.split(",")) - {*self.get_node_names(), ""}

    def _wait_for_recorder(self) -> None:
        """Begin when it can record; it is spare, so not for ever."""
        end = time.monotonic() + RECORDER_PATIENCE
        while self._awaits != [] and not self._ending.requested:
            if time.monotonic() > end:
                lacks = "is silent" if self._awaits is None else f"still waits for {', '.join(self._awaits)}"
                self.get_logger().warning(f"the recorder {lacks}: the first episodes may be recorded in part")
                return
            self._executor.spin_once(timeout_sec=WAKE)

    def _on_recorder(self, message: RecorderStatus) -> None:
        self._awaits = list(message.awaits)

    def _conduct(self, number: int) -> GoalOutcome | None:
        """Send one goal and follow it to its end; None when the process is asked to end meanwhile."""
        goal = Adapt.Goal(
            task=str(number), split=self._split, seed=self._seed, episodes=self._episodes, updates=self._updates,
            reward=self._reward,
        )
        began = time.monotonic()
        handle = self._result(self._action.send_goal_async(goal, feedback_callback=self._on_feedback), self._patience)
        if not handle.accepted:
            raise SessionError("the adapt node is busy with another goal")
        waiting = handle.get_result_async()
        while not waiting.done():
            if self._ending.requested:
                # The adapt node may be ending too; then nobody answers, and nothing is left to cancel.
                self._executor.spin_until_future_complete(handle.cancel_goal_async(), timeout_sec=1.0)
                return None
            self._executor.spin_once(timeout_sec=WAKE)
        result, status = waiting.result().result, waiting.result().status
        outcome = GoalOutcome(
            number, str(result.status.task_id), tuple(result.status.context), bool(result.completed),
            bool(result.accepted), float(result.success_before), float(result.success_after),
            tuple(bool(s) for s in result.status.successes), time.monotonic() - began, str(result.output),
            str(result.message),
        )  # fmt: skip
        if status == GoalStatus.STATUS_SUCCEEDED:
            for line in summary(outcome):
                self.get_logger().info(line)
        else:
            self.get_logger().error(f"task {number}: {outcome.message}")
        return outcome

    def _on_feedback(self, message: Any) -> None:
        status = session_status.status(message.feedback.status)
        for line in news(self._told, status):
            self.get_logger().info(line)
        self._told = status

    def _write(self, outcomes: list[GoalOutcome]) -> None:
        path = Path(self._json) if self._json else self._out / "goals.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [outcome.to_dict() for outcome in outcomes]
        done = [row for row in rows if row["completed"]]
        shares = {key: sum(float(str(row[key])) for row in done) / max(1, len(done)) for key in ("before", "after")}
        settings = {"split": self._split, "seed": self._seed, "episodes": self._episodes, "updates": self._updates}
        report = {**settings, "success": {"pre": shares["before"], "post": shares["after"]}, "goals": rows}
        path.write_text(json.dumps(report, indent=1), encoding="utf-8")

    def _call(self, client: Any, request: Any) -> Any:
        return self._result(client.call_async(request), self._patience)

    def _result(self, future: Future, patience: float) -> Any:
        """Spin until `future` is done.

        Raises:
            SetupError: it is not done within `patience` [s].
        """
        self._executor.spin_until_future_complete(future, timeout_sec=patience)
        if not future.done():
            raise SetupError(f"node adapt did not answer within {patience:.0f} s")
        return future.result()

    def _wait(self, ready: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + self._patience
        while not ready():
            if self._ending.requested:
                raise SetupError("asked to end before all nodes were there")
            if time.monotonic() > end:
                raise SetupError(f"{otherwise} (waited {self._patience:.0f} s)")
            self._executor.spin_once(timeout_sec=WAKE)


def _work(ending: Ending) -> int:
    node = ConductorNode(ending)
    try:
        return node.run()
    finally:
        node.destroy_node()


if __name__ == "__main__":
    main("conductor", _work)
