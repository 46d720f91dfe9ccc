"""The part of the demo's robot that one can calibrate: a board that wanders through the picture by itself."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from gmps_robot.panel.bridge_calibrate import CaptureAction, CaptureView
from gmps_robot.panel.demo_picture import draw_board

VIEWS, COLUMNS, ROWS = 20, 6, 4
VIEW_SECONDS = 0.4  # from one view to the next
HALF = (0.24, 0.30)  # of the board's width and height, as shares of the picture
GOLDEN = math.pi * (3.0 - math.sqrt(5.0))
IDLE = "nothing is kept until it is asked for"
EDGES = ("left", "right", "top", "bottom")


class FakeCalibrating(ABC):
    """Implements `CalibrateBridge` without ROS, for `FakeBridge`, which lends its lock and its clock."""

    _lock: threading.RLock
    _clock: Callable[[], float]

    def _begin_calibrating(self) -> None:
        self._taken, self._last_view = 0, 0.0
        self._captures, self._capture_message = False, IDLE

    def capture(self, action: CaptureAction) -> str:
        """See `CalibrateBridge.capture`."""
        with self._command("capture", action):
            self._shown_capture()
            if action == "take":
                self._taken += 1
                self._capture_message = f"view {self._taken} taken"
            else:
                self._captures, self._last_view = action == "start", self._clock()
                self._capture_message = "views are kept by themselves" if self._captures else IDLE
            return self._capture_message

    @abstractmethod
    def _command(self, *call: object) -> threading.RLock:
        """Note `call`, refuse what was asked to be refused; the lock that it is carried out under."""

    def _shown_capture(self) -> CaptureView:
        """The state now; views that have become due are taken first."""
        while self._captures and self._clock() - self._last_view >= VIEW_SECONDS:
            self._last_view += VIEW_SECONDS
            self._taken += 1
            self._capture_message = f"view {self._taken} taken"
            self._captures = self._taken < VIEWS
        places = [_place(k) for k in range(self._taken)]
        cells = tuple(
            min(1.0, 0.5 * sum(abs(x - (column + 0.5) / COLUMNS) < HALF[0] and abs(y - (row + 0.5) / ROWS) < HALF[1]
                               for x, y in places))
            for row in range(ROWS) for column in range(COLUMNS)
        )  # fmt: skip
        edges = [sum(k % 5 == edge for k in range(self._taken)) for edge in range(4)]
        far = 0.50 + 0.02 * min(self._taken, 12)
        shares = (
            min(1.0, sum(cell == 1.0 for cell in cells) / 20), sum(count > 0 for count in edges) / 4,
            min(1.0, (far - 0.5) / 0.2), min(1.0, self._taken / 8), min(1.0, self._taken / VIEWS),
        )
        done = all(share == 1.0 for share in shares)
        return CaptureView(
            "capturing" if self._captures else "done" if done else "idle", "captures/demo", self._taken, VIEWS,
            self._hint(done, edges), self._capture_message, COLUMNS, cells, (edges[0], edges[1], edges[2], edges[3]),
            (0.5 if self._taken else 0.0, far if self._taken else 0.0), shares,
        )

    def _hint(self, done: bool, edges: list[int]) -> str:
        if done:
            return "enough: solve"
        if all(edges):
            return f"go on, anywhere different: {self._taken} of {VIEWS} views"
        return f"tilt the board by 30 degrees, {EDGES[edges.index(0)]} edge nearer"

    def _board_picture(self, now: float) -> bytes:
        lean = EDGES[self._taken % 5] if self._taken % 5 < 4 else ""
        return draw_board(_place(self._taken), lean, now)


def _place(k: int) -> tuple[float, float]:
    """The middle of the board in view `k`, as shares of the picture."""
    radius = 0.30 * math.sqrt((k % 10 + 0.5) / 10)
    return 0.5 + radius * math.cos(k * GOLDEN), 0.5 + radius * math.sin(k * GOLDEN)
