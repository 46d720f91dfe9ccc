"""A camera that delivers the same picture again and again, with new stamps, while the arm moves through its view."""

from __future__ import annotations

import numpy as np

from gmps_robot.types import FloatArray, ImageArray

MOVED = 0.010  # the gripper covers other pixels once the tip has moved this far [m]


class FrozenPicture:
    """Remembers where the tip was when the picture last changed."""

    def __init__(self) -> None:
        self._image: ImageArray | None = None
        self._tip: FloatArray | None = None

    def check(self, image: ImageArray, tip: FloatArray) -> str:
        """Return what is wrong with `image`, seen with the tip (3,) at `tip` [m]; empty when nothing is."""
        same = self._image is not None and np.array_equal(self._image, image)
        if not same or self._tip is None:
            self._image, self._tip = image, tip
            return ""
        moved = float(np.linalg.norm(tip - self._tip))
        if not moved > MOVED:
            return ""
        return f"the camera is frozen: the picture stayed the same while the tip moved {1e3 * moved:.0f} mm"
