"""Node `adapt`: a lifecycle node that lets the policy adapt to a task, one goal of the action `adapt` at a time.

configure loads the checkpoint, activate allows commands, deactivate ends the session and holds the arm. One thread runs
everything, so nothing here needs a lock; the session's work is short, and the arm holds while the policy is updated.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gmps_msgs.action import Adapt
from gmps_msgs.msg import AdaptStatus
from gmps_msgs.srv import AdaptLabel
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse, ServerGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from gmps_robot import families
from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.control.session_status import ENDED, SessionStatus
from gmps_robot.errors import CheckpointError, GmpsError, SessionError
from gmps_robot.policy import MetaPolicy
from gmps_robot.rig import load_rig
from gmps_robot.rig_match import mismatch
from gmps_robot.types import FloatArray
from gmps_robot_nodes import parameters, qos, session_status, stack
from gmps_robot_nodes.adapt_artist import Artist
from gmps_robot_nodes.adapt_goal import GoalOptions, Started, begin
from gmps_robot_nodes.adapt_topics import AdaptTopics
from gmps_robot_nodes.spinning import Ending, main, spin

WATCH_PERIOD = 0.05  # [s]
Request = Callable[[Started, Any], object]
STATUS_PERIOD = 0.1  # steps alone are told this often [s]


class AdaptNode(LifecycleNode):
    """Holds the policy, the run of the present goal, and what speaks for it."""

    def __init__(self) -> None:
        super().__init__("adapt")
        self._family = families.family(parameters.declare(self, "family", "push", "Task family of the rig."))
        self._checkpoint = parameters.declare(
            self, "checkpoint", "push-vision", "Shipped checkpoint, or a directory; read by configure.", changeable=True
        )
        robot = parameters.declare(self, "robot", "twin", "Whose camera and arm are heard.", choices=stack.ROBOTS)
        self._rig = load_rig(parameters.declare(self, "rig", "nominal", "Calibration of the rig: a name or YAML file."))
        self._other_rigs = parameters.declare(
            self, "rig_mismatch", "refuse", "A checkpoint for another rig.", choices=stack.MISMATCHES
        )
        self._options = GoalOptions(
            self._checkpoint,
            Path(parameters.declare(self, "out", "runs/adapt", "Where results go, a directory per goal.")),
            parameters.declare(
                self, "evaluations", 5, "Deterministic episodes before and after adaptation.", low=0, high=100
            ),
            parameters.declare(self, "film", True, "Whether to film an episode before and one after, on the twin."),
            robot,
            self._rig,
        )
        self._silence = parameters.declare(
            self, "silence", 1.0, "Without an observation for this long an episode is void [s].", low=0.2, high=60.0
        )
        self._policy: MetaPolicy | None = None
        self._active = False
        self._started: Started | None = None
        self._finished: Future | None = None
        self._told: tuple[object, ...] = ()
        self._told_at = 0.0
        self._goal: ServerGoalHandle | None = None
        self._artist = Artist(robot, self.get_logger().error)
        late = 0.0 if robot == "twin" else self._rig.latency.state
        self._topics = AdaptTopics(self, self._family, robot, self._on_event, late)
        self._status = self.create_publisher(AdaptStatus, "adapt/status", qos.STATUS)
        self._server = ActionServer(
            self, Adapt, "adapt", self._execute, goal_callback=self._on_goal, cancel_callback=self._on_cancel
        )
        self._serve_requests()
        # Silence must be noticed when simulated time stands still too.
        self.create_timer(WATCH_PERIOD, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._tell()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the checkpoint and run it once, so that the first real action is as quick as the others."""
        self._checkpoint = str(self.get_parameter("checkpoint").value)
        self._options = replace(self._options, checkpoint=self._checkpoint)
        try:
            policy = load_checkpoint(self._checkpoint, family=self._family.name)
            self._check_rig()
            _warm_up(policy)
        except GmpsError as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        self._policy = policy
        gc.collect()
        gc.freeze()  # the collector then looks at what sessions leave behind, sooner, and not at all of torch
        self.get_logger().info(f"checkpoint {self._checkpoint} is loaded ({policy.spec.kind} policy)")
        return super().on_configure(state)

    def _check_rig(self) -> None:
        """Compare the rig of the checkpoint with the one that is here.

        Raises:
            CheckpointError: the policy would see another view than it was trained for, and that is not allowed.
        """
        different = mismatch(self._checkpoint, self._rig)
        if different and self._other_rigs == "refuse":
            raise CheckpointError(f"{different}, or start with rig_mismatch:=allow")
        if different:
            self.get_logger().warning(f"{different} (allowed by rig_mismatch:=allow)")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Allow goals, and with them commands."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the session; the arm holds, on its way to the start too."""
        self._active = False
        self._stop_session("the adapt node was deactivated")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the policy."""
        self._policy = None
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the session; the arm holds."""
        self._active = False
        self._stop_session("the adapt node is ending")
        return super().on_shutdown(state)

    def end(self) -> None:
        """Leave nothing moving when the process ends."""
        self._stop_session("the adapt node is ending")

    def _on_goal(self, _goal: Adapt.Goal) -> GoalResponse:
        """Take every goal, so that a refusal can say why; while one is running there is no other."""
        return GoalResponse.REJECT if self._goal is not None else GoalResponse.ACCEPT

    def _on_cancel(self, _handle: ServerGoalHandle) -> CancelResponse:
        self._stop_session("cancelled")
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Adapt.Result:
        """Start a session for the goal and wait for its end, while the callbacks drive it."""
        self._goal = handle
        try:
            if self._policy is None or not self._active:
                raise SessionError("the adapt node is not active: configure and activate it first")
            self._started = begin(handle.request, self._policy, self._family, self._options, self._topics)
            self._topics.listen(self._started.pairing)
            self._finished = Future()
            self._on_event()
            await self._finished
            await self._artist.draw(self._started.folder, self._started.run)
            result = self._started.result()
        except GmpsError as error:
            handle.abort()
            self.get_logger().error(str(error))
            return Adapt.Result(message=str(error))
        finally:
            self._goal = self._finished = None
            self._topics.listen(None)
        if handle.is_cancel_requested:
            handle.canceled()
        elif result.completed:
            handle.succeed()
        else:
            handle.abort()
        return result

    def _write_numbers(self, started: Started) -> None:
        try:
            started.folder.write_numbers(started.run)
        except OSError as error:
            self.get_logger().error(f"the results could not be stored: {error}; the session goes on")

    def _on_event(self) -> None:
        """After every message and answer: let the run go on, and tell what has changed."""
        if self._started is not None:
            self._started.run.progress()
        self._tell()

    def _watch(self) -> None:
        self._topics.poll()
        if self._started is not None and self._goal is not None:
            run = self._started.run
            if self._topics.fault and not run.session.status.paused:
                run.interrupt(f"the arm has stopped: {self._topics.fault}", pause=True)
            run.watch(self._silence)
        self._on_event()

    def _tell(self) -> None:
        """Publish the status when it has changed; steps alone only now and then. Finish the goal with the session."""
        status = SessionStatus() if self._started is None else self._started.run.session.status
        told = (status.phase, status.stage, status.episode, status.paused, status.update, status.decision)
        news, now = told != self._told, time.monotonic()
        if news or now - self._told_at >= STATUS_PERIOD:
            self._told, self._told_at = told, now
            started = self._started
            if news and started is not None:
                self._write_numbers(started)
                if self._goal is None and status.phase in ENDED:  # a person has decided otherwise
                    self._artist.draw(started.folder, started.run)
            context, reward = ((), "") if started is None else (started.run.task.context, started.run.reward)
            message = session_status.message(status, self.get_clock().now().nanoseconds, context, reward)
            self._status.publish(message)
            if news and self._goal is not None and self._goal.is_active:
                self._goal.publish_feedback(Adapt.Feedback(status=message))
        if status.phase in ENDED and self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def _stop_session(self, reason: str) -> None:
        if self._started is not None:
            self._started.run.session.stop(reason)
            self._started.run.progress()  # which ends what moves for it
            self._topics.send(None, 0)
        self._tell()

    def _serve_requests(self) -> None:
        """One service per request that a person may make of the session."""
        requests: dict[str, Request] = {
            "reset_done": lambda started, _: started.run.confirm(),
            "accept": lambda started, _: started.accept(),
            "roll_back": lambda started, _: started.roll_back(),
            "pause": lambda started, _: started.pause(),
            "resume": lambda started, _: started.resume(self._topics.fault),
            "stop": lambda started, _: started.stop(),
            "label": lambda started, asked: started.label(asked.value, asked.episode, asked.author),
        }
        for name, request in requests.items():
            kind = AdaptLabel if name == "label" else Trigger
            self.create_service(kind, f"adapt/{name}", self._answer(name, request))

    def _answer(self, name: str, request: Request) -> Callable[[Any, Any], Any]:
        """Return the service callback that makes `request` of the session and says why it was refused."""

        def callback(asked: Any, response: Any) -> Any:
            try:
                if self._started is None:
                    raise SessionError(f"{name}: no session has been started")
                request(self._started, asked)
            except GmpsError as error:
                response.message = str(error)
                return response
            response.success, response.message = True, self._started.run.session.status.message
            self._on_event()
            return response

        return callback


def _warm_up(policy: MetaPolicy) -> None:
    """The first call of torch takes far longer than a control period."""
    spec = policy.spec
    image = np.zeros((1, spec.image_height, spec.image_width, 3), dtype=np.uint8)
    tip: FloatArray = np.array([spec.observation_center[:3]])
    for _ in range(3):
        policy.act(policy.features(tip, image if spec.kind == "vision" else None, tip))


def _work(ending: Ending) -> int:
    torch.set_num_threads(1)
    node = AdaptNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        spin(executor, ending)
    finally:
        node.end()
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("adapt", _work)
