"""The part of the panel's door to the robot that recording needs, over ROS."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from gmps_msgs.msg import RecorderStatus
from gmps_msgs.srv import RecorderDiscard, RecorderSave, RecorderStart
from rclpy.node import Node

from gmps_robot.panel.bridge import Link
from gmps_robot.panel.bridge_teach import RecorderView
from gmps_robot.tasks import Task
from gmps_robot_nodes import qos
from gmps_robot_nodes.panel_calls import agreed, ask

FRESH = 2.0  # the recorder tells its status twice a second; one that is older is not there any more [s]
SAVE_PATIENCE = 20.0  # what is on its way to the disk has to arrive there before an episode is kept, in silence [s]
UNHEARD = "Nothing was heard of the recorder: is its node running?"
SILENT = "The recorder is silent since {since}: is its node running? `gmps data recover` keeps what it wrote."
HINT = "Nothing is recorded. Is the recorder node running? Its terminal says why it stopped."


class PanelRecorder:
    """Hears the recorder and sends it what a person asks for."""

    def __init__(self, node: Node) -> None:
        self._heard: tuple[float, RecorderView] | None = None
        self._closing = 0  # requests under way that end an episode
        self._start = node.create_client(RecorderStart, "recorder/start")
        self._save = node.create_client(RecorderSave, "recorder/save")
        self._discard = node.create_client(RecorderDiscard, "recorder/discard")
        node.create_subscription(RecorderStatus, "recorder/status", self._on_status, qos.STATUS)

    def view(self) -> RecorderView:
        """Return what it last said, or that it says nothing any more."""
        if self._heard is None:
            return RecorderView("failed", message=UNHEARD)
        at, view = self._heard
        age = time.monotonic() - at
        if age <= self._fresh:
            return view
        since = time.strftime("%H:%M:%S", time.localtime(time.time() - age))
        return replace(view, state="failed", message=SILENT.format(since=since))

    def links(self) -> tuple[Link, ...]:
        """Return the link to it, as soon as it was heard: not every stack has a recorder."""
        if self._heard is None:
            return ()
        return (Link("recorder", time.monotonic() - self._heard[0], self._fresh, HINT),)

    def start(self, task: Task, operator: str) -> str:
        """See `TeachBridge.record_start`."""
        request = RecorderStart.Request(task=task.to_json(), source="demo", operator_name=operator)
        answer = ask(self._start, request)
        agreed(answer)
        return str(answer.episode)

    def save(self, episode: str, accepted: bool) -> str:
        """See `TeachBridge.record_save`."""
        return self._close(self._save, RecorderSave.Request(episode=episode, accepted=accepted))

    def discard(self, episode: str, reason: str) -> str:
        """See `TeachBridge.record_discard`."""
        return self._close(self._discard, RecorderDiscard.Request(episode=episode, reason=reason))

    @property
    def _fresh(self) -> float:
        """How long it may be silent [s]: while it ends an episode it tells nothing."""
        return SAVE_PATIENCE if self._closing else FRESH

    def _close(self, client: Any, request: Any) -> str:
        self._closing += 1
        try:
            return agreed(ask(client, request, SAVE_PATIENCE))
        finally:
            self._closing -= 1

    def _on_status(self, message: RecorderStatus) -> None:
        task = Task.from_json(message.task).task_id if message.task else ""
        self._heard = time.monotonic(), RecorderView(
            message.state, message.episode, task, float(message.seconds), int(message.steps), int(message.bytes),
            int(message.dropped), message.message,
        )
