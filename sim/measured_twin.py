"""A twin that is measured as a rig is: moved on sines, watched by its camera; the truth about its delays is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmps_robot.types import ImageArray
from sim.marked_view import MarkedView
from sim.twin import Twin

MARKER_SIZE = 0.08  # of the print on the hand [m]


class WatchedTwin:
    """A twin in lock-step whose hand carries a marker; `picture` once per control period.

    Attributes:
        twin: the arm.
    """

    def __init__(self, twin: Twin, cells: NDArray[np.bool_]) -> None:
        """`cells` (n, n) are the white cells of the marker's print."""
        self.twin = twin
        self._view = MarkedView(twin, cells, MARKER_SIZE, "hand")

    def now(self) -> float:
        """The twin's clock [s]."""
        return self.twin.observe().stamp_ns * 1e-9

    def wait(self) -> None:
        """Nothing: each command lets a period pass."""

    def picture(self) -> tuple[float, ImageArray]:
        """Stamp of the grab [s] and the picture."""
        return self.now(), self._view.image()
