"""Draws what remains of a session, beside the adapt node's callbacks: it takes seconds."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.task import Future

from gmps_robot_nodes.adapt_report import SessionFolder
from gmps_robot_nodes.adapt_run import AdaptRun
from gmps_robot_nodes.beside import Beside


class Artist:
    """Draws for all sessions in one thread, as fonts are kept per thread; `complain` is told what could not be made."""

    def __init__(self, robot: str, complain: Callable[[str], object]) -> None:
        self._robot, self._complain = robot, complain
        self._beside = Beside("pictures")

    def draw(self, folder: SessionFolder, run: AdaptRun) -> Future:
        """Return at once what is done when everything has been tried, whatever came of it."""
        tried = Future()

        def work() -> None:
            problems = ["a mistake of ours, its trace is in the log"]
            try:
                problems = folder.write_remains(run, self._robot)
            finally:
                for problem in problems:
                    self._complain(f"of this session there is no picture, film or row in the catalogue: {problem}")
                tried.set_result(None)

        if self._beside.failure:  # a mistake in the last session's pictures, which was told, is not this one's
            self._beside = Beside("pictures")
        self._beside.call(work, every=True)
        return tried
