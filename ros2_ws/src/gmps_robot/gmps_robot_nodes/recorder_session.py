"""Recording every episode of an adaptation by itself: beginnings, ends and judgements are in the session's status."""

from __future__ import annotations

import time
from collections.abc import Callable

from gmps_msgs.msg import AdaptStatus
from rcl_interfaces.msg import ParameterEvent
from rclpy.node import Node
from rclpy.qos import qos_profile_parameter_events

from gmps_robot.checkpoint_files import checkpoint_id
from gmps_robot.data.recorder import Recorder, Take
from gmps_robot.data.writer import Saved
from gmps_robot.errors import GmpsError
from gmps_robot.tasks import Task
from gmps_robot_nodes import session_status
from gmps_robot_nodes.session_follower import Act, Begin, Keep, SessionFollower

OUTCOME = 1.0  # after the last step of an episode, in which its outcome is seen [s]


class SessionRecorder:
    """Starts, saves and discards for a session. What cannot be recorded is said and costs the session nothing.

    Attributes:
        note: why the last episode is not recorded, or not in the catalogue; empty when all is well.
    """

    def __init__(
        self, node: Node, recorder: Recorder, checkpoint: str, register: Callable[[Saved], str]
    ) -> None:
        """Follow.

        Args:
            node: the recorder's.
            recorder: writes.
            checkpoint: what the adapt node began with; what it is told later is heard.
            register: gives an ended episode its row; returns what went wrong.

        Raises:
            CheckpointError: there is no such checkpoint.
        """
        self.note = ""
        self._node, self._recorder, self._register = node, recorder, register
        self._checkpoint = checkpoint_id(checkpoint)
        self._follower = SessionFollower()
        self._episode = ""  # that we have begun
        self._waits: float | None = None  # since when it waits to be judged [s]
        node.create_subscription(
            ParameterEvent, "/parameter_events", self._on_parameters, qos_profile_parameter_events
        )

    def follow(self, heard: AdaptStatus, sent_ns: int) -> None:
        """Do what the status says has happened; it was sent at `sent_ns`."""
        if heard.phase != "awaiting_label":
            self._waits = None
        elif self._waits is None:
            self._waits = time.monotonic()
        for act in self._follower.follow(session_status.status(heard)):
            try:
                self._do(act, heard, sent_ns)
            except GmpsError as error:
                self.note, self._episode = str(error), ""
                self._node.get_logger().error(f"an episode of the session is not recorded: {error}")

    def tick(self) -> None:
        """Let go of what does not belong to the episode any more."""
        if self._episode and self._waits is not None:
            self._recorder.over = time.monotonic() - self._waits > OUTCOME

    def _do(self, act: Act, heard: AdaptStatus, sent_ns: int) -> None:
        """Record.

        Raises:
            GmpsError: it cannot be recorded.
        """
        if isinstance(act, Begin):
            task = Task.from_id(heard.task_id, heard.context)
            policy = f"{self._checkpoint}/phi-{act.update}" if act.update else self._checkpoint
            self._episode, self.note = self._recorder.start(Take(task.to_json(), "policy", "", policy)), ""
        elif self._episode:
            episode, self._episode = self._episode, ""
            if isinstance(act, Keep):
                saved = self._recorder.save(
                    episode, reward=act.reward, success=act.success, judge=act.judge, ended_ns=sent_ns
                )
                self.note = self._register(saved)
            else:
                self.note = self._register(self._recorder.discard(episode, act.reason, sent_ns))

    def _on_parameters(self, event: ParameterEvent) -> None:
        """The adapt node has another checkpoint."""
        for parameter in (*event.new_parameters, *event.changed_parameters):
            if event.node == "/adapt" and parameter.name == "checkpoint":
                try:
                    self._checkpoint = checkpoint_id(parameter.value.string_value)
                except GmpsError as error:
                    self._node.get_logger().error(str(error))
