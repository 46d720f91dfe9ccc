"""Which OpenCV this room needs, and why: older ones put corners half a pixel aside, 5.0 lacks hand-eye in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from gmps_robot.errors import SetupError

INSTALL = "pip install --force-reinstall 'opencv-python-headless>=4.14.0.94,<5'"


@contextmanager
def repeatable() -> Iterator[None]:
    """Let OpenCV compute in one thread: with several, the same views give other last digits each time."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def check_opencv(version: str = cv2.__version__, has_hand_eye: bool = hasattr(cv2, "calibrateHandEye")) -> None:
    """Refuse an OpenCV that would calibrate wrongly.

    Up to 4.13 the ChArUco detector returns corners with a constant bias of half a pixel, which the principal point
    absorbs: no residual shows it.

    Raises:
        SetupError: OpenCV is older than 4.14, or has no `calibrateHandEye`; the message holds the command that helps.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < (4, 14):
        raise SetupError(
            f"OpenCV {version} finds board corners half a pixel aside; 4.14 or a later 4.x is needed: {INSTALL}"
        )
    if not has_hand_eye:
        raise SetupError(
            f"OpenCV {version} has no calibrateHandEye in Python; 4.14 or a later 4.x is needed: {INSTALL}"
        )
