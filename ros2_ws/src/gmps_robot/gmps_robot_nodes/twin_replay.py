"""Playing a recorded episode back on the twin: what was applied then is asked for again, through the guard of now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from gmps_msgs.srv import SceneReplay
from rclpy.node import Node

from gmps_robot.data import folder
from gmps_robot.data.episode import RecordedEpisode, read_episode
from gmps_robot.errors import EpisodeError, GmpsError
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand, FloatArray

ELSEWHERE = 0.01  # the episode began further from the start of the scene than this [m]


class TwinReplay:
    """Offers `scene/replay`. Whoever else wants motion, a stop and a reset end it."""

    def __init__(
        self, node: Node, data: Path, start_tip: FloatArray, begin: Callable[[Task], None], obstacle: Callable[[], str]
    ) -> None:
        """Offer the service.

        Args:
            node: the twin.
            data: the data directory.
            start_tip: where the scene starts (3,) [m].
            begin: puts the scene back to the start of a task.
            obstacle: why the arm may not be moved now; empty when it may.
        """
        self._data, self._start_tip, self._begin, self._obstacle = data, start_tip, begin, obstacle
        self._episode: RecordedEpisode | None = None
        self._next = 0
        node.create_service(SceneReplay, "scene/replay", self._replay)

    def end(self) -> None:
        """Play no more."""
        self._episode = None

    def command(self, asked: ArmCommand | None, now: float) -> ArmCommand | None:
        """Return the command of this control period, at `now` [s]; `asked` itself where nothing is played."""
        if asked is not None and (asked.source == "policy" or np.any(asked.velocity != 0.0)):
            self._episode = None
        return asked if self._episode is None else self._next_command(now)

    def _next_command(self, now: float) -> ArmCommand | None:
        episode, k = self._episode, self._next
        if episode is None or k >= len(episode):
            self._episode = None
            return None
        self._next += 1
        velocity = episode.applied[k, :3] * episode.info.action_speed
        return ArmCommand(round(now * 1e9), k + 1, "teleop", velocity, float(episode.applied[k, 3]))

    def _replay(self, request: SceneReplay.Request, response: SceneReplay.Response) -> SceneReplay.Response:
        try:
            response.message = self._load(request.episode)
        except GmpsError as error:
            response.message = str(error)
            return response
        response.success = True
        return response

    def _load(self, episode: str) -> str:
        """Begin; return what a person should know.

        Raises:
            GmpsError: there is no such episode, it is damaged or empty, or nothing may move now.
        """
        reason = self._obstacle()
        if reason:
            raise EpisodeError(f"no replay now: {reason}")
        recorded = read_episode(folder.find(self._data, episode))
        if not len(recorded):
            raise EpisodeError(f"episode {episode} holds no motion")
        self._begin(Task.from_json(recorded.info.task))
        self._episode, self._next = recorded, 0
        told = f"{len(recorded)} control periods, {len(recorded) / recorded.info.control_hz:.1f} s"
        if np.linalg.norm(recorded.tips[0] - self._start_tip) > ELSEWHERE:
            told += "; it began elsewhere than the scene does, so the object may not be met"
        return told
