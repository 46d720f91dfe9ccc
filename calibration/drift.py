"""Whether a calibration still holds, by one view of its board: where the camera sees it, where the arm says it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.bundle import predicted
from calibration.detect import board_pose, detect, why_not
from calibration.lens import project
from calibration.poses import Pose, angle_between, from_rotation_vector, matrix, transform
from calibration.solution import HELD_OUT, Solution
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray, ImageArray

LEAST_NOISE = 0.1  # of a corner, however well these fit [pixel]
SMALL = 1e-5  # [rad], [m]


@dataclass(frozen=True)
class Drift:
    """How far camera and arm disagree about the board."""

    position: float  # of its centre [m]
    rotation: float  # [degrees]
    rotation_error: float  # half width of its 95 % interval: a board seen from the front tells little [degrees]
    pixels: float  # rms of the board's corners about one board: a bent sheet or another lens shows here
    corners: int

    @property
    def holds(self) -> bool:
        """Whether it is within what a calibration must reach on views it has not seen, as far as one view can tell."""
        pixel, position, rotation = HELD_OUT
        turned = max(0.0, self.rotation - self.rotation_error)
        return self.position <= position and turned <= rotation and self.pixels <= pixel


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
    error = rotation_error(found.points(solution.board), seen, camera, max(rms, LEAST_NOISE))
    return Drift(float(np.linalg.norm(apart)), float(turned), error, rms, len(found.ids))


def rotation_error(points: FloatArray, seen: Pose, camera: SensorCalibration, noise: float) -> float:
    """Return the half width of the 95 % interval of a board's rotation from one view, in its worst direction [degrees].

    Args:
        points: (n, 3) of the board that were seen [m].
        seen: pose (4, 4) of the board in the optical frame.
        camera: sees it.
        noise: rms of a corner, both axes together [pixel].
    """

    def pixels(change: FloatArray) -> FloatArray:
        turn = from_rotation_vector(change[:3])
        return project((transform(seen, points) - seen[:3, 3]) @ turn.T + seen[:3, 3] + change[3:], camera).ravel()

    slopes = np.stack([(pixels(step) - pixels(-step)) / (2.0 * SMALL) for step in SMALL * np.eye(6)], axis=1)
    covariance = 0.5 * noise**2 * np.linalg.inv(slopes.T @ slopes)
    return float(np.rad2deg(1.96 * np.sqrt(np.linalg.eigvalsh(covariance[:3, :3])[-1])))
