"""The part of the bridge that calibrating a camera needs: how far the capture is, and taking views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

CapturePhase = Literal["idle", "capturing", "done"]
CaptureAction = Literal["start", "stop", "take"]


@dataclass(frozen=True)
class CaptureView:
    """What the calibrator last said. Shares are of what is wanted, 0 to 1."""

    phase: CapturePhase
    directory: str  # where the views are kept
    views: int
    wanted: int  # views that are enough
    hint: str  # what to show next
    message: str  # what came of the newest picture
    columns: int  # of the grid over the picture
    cells: tuple[float, ...]  # share of each cell, row by row
    tilts: tuple[int, int, int, int]  # views with the board's left, right, top, bottom edge clearly nearer
    distances: tuple[float, float]  # nearest and farthest the board has been [m]
    shares: tuple[float, float, float, float, float]  # picture, tilts, distances, axes of the hand, views


class CalibrateBridge(Protocol):
    """What a person who calibrates may ask for. The contract of `PanelBridge` holds here too."""

    def capture(self, action: CaptureAction) -> str:
        """Let views be taken by themselves, end that, or take one now; return what the calibrator says.

        Raises:
            SessionError: no view can be taken now; the message says why.
            SetupError: no calibrator runs.
        """
        ...
