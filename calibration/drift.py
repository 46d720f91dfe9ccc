"""Whether a calibration still holds, by one view of its board: where the camera sees it, where the arm says it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.bundle import predicted
from calibration.detect import board_pose, detect, why_not
from calibration.poses import Pose, angle_between, matrix, transform
from calibration.solution import HELD_OUT, Solution
from gmps_robot.errors import CalibrationError
from gmps_robot.types import ImageArray


@dataclass(frozen=True)
class Drift:
    """How far camera and arm disagree about the board."""

    position: float  # of its centre [m]
    rotation: float  # [degrees]
    pixels: float  # rms of the board's corners about one board: a bent sheet or another lens shows here
    corners: int

    @property
    def holds(self) -> bool:
        """Whether it is within what a calibration must reach on views it has not seen."""
        pixel, position, rotation = HELD_OUT
        return self.position <= position and self.rotation <= rotation and self.pixels <= pixel


def drift(solution: Solution, image: ImageArray, hand: Pose) -> Drift:
    """Return the drift since `solution`, from one view: `image` RGB, and the hand's pose (4, 4) in `base` when taken.

    The board must be where it was: held as in the capture, or lying where it lay.

    Raises:
        CalibrationError: the image has another size than the calibration's, or does not show its board.
    """
    camera = solution.camera
    if image.shape[:2] != (camera.height, camera.width):
        raise CalibrationError(
            f"the image has {image.shape[1]}x{image.shape[0]} pixels, the calibration is for {camera.width}x"
            f"{camera.height}"
        )
    found = detect(image, solution.board)
    if found is None:
        raise CalibrationError(f"no drift without the board: {why_not(image, solution.board)}")
    seen, rms = board_pose(found, solution.board, camera)
    told = predicted(solution.setup, matrix(solution.camera_pose), matrix(solution.board_pose), hand[None])[0]
    centre = solution.board.center[None]
    apart = transform(seen, centre) - transform(told, centre)
    turned = np.rad2deg(angle_between(told[:3, :3], seen[:3, :3]))
    return Drift(float(np.linalg.norm(apart)), float(turned), rms, len(found.ids))
