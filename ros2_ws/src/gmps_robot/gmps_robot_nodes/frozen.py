"""A camera that delivers the same picture again and again, with new stamps, while the arm moves through its view."""

from __future__ import annotations

import numpy as np

from gmps_robot.types import FloatArray, ImageArray

MOVED = 0.010  # the gripper has covered other pixels once the tip has gone this far, there or back [m]
TREMBLE = 0.002  # an arm that holds its place stays within this, and a picture may well be the same [m]


class FrozenPicture:
    """Remembers how far the tip has gone since the picture last changed.

    It is the way that counts, not the distance: a tip that turns round is at the same place again, but every picture
    in between would have shown it elsewhere.
    """

    def __init__(self) -> None:
        self._image: ImageArray | None = None
        self._tip: FloatArray = np.zeros(3)
        self._way = 0.0

    def check(self, image: ImageArray, tip: FloatArray) -> str:
        """Return what is wrong with `image`, seen with the tip (3,) at `tip` [m]; empty when nothing is."""
        if self._image is None or not np.array_equal(self._image, image):
            self._image, self._tip, self._way = image, tip, 0.0
            return ""
        stride = float(np.linalg.norm(tip - self._tip))
        moved = self._way + stride
        if stride > TREMBLE:
            self._tip, self._way = tip, moved
        if not moved > MOVED:
            return ""
        return f"the camera is frozen: the picture stayed the same while the tip moved {1e3 * moved:.0f} mm"
