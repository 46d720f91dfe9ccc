"""Hand-eye calibration: seven closed forms for information, the better of two as a start, then bundle adjustment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np

from calibration.board import BoardSpec
from calibration.bundle import GLOBALS, Estimate, Noise, Problem, adjust, free_parameters, predicted
from calibration.capture import Setup
from calibration.detect import board_pose
from calibration.lens import parameters
from calibration.poses import Pose, angle_between, inverse, pose, transform
from calibration.sightings import Sightings
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray

SEPARABLE: Mapping[str, int] = {
    "TSAI": cv2.CALIB_HAND_EYE_TSAI, "PARK": cv2.CALIB_HAND_EYE_PARK, "HORAUD": cv2.CALIB_HAND_EYE_HORAUD,
    "ANDREFF": cv2.CALIB_HAND_EYE_ANDREFF, "DANIILIDIS": cv2.CALIB_HAND_EYE_DANIILIDIS,
}  # fmt: skip
WORLD: Mapping[str, int] = {
    "SHAH": cv2.CALIB_ROBOT_WORLD_HAND_EYE_SHAH, "LI": cv2.CALIB_ROBOT_WORLD_HAND_EYE_LI
}  # fmt: skip
METHODS = (*SEPARABLE, *WORLD)
FEW_VIEWS = 4.4
STARTS = ("PARK", "DANIILIDIS")  # the others have bad tails


def seen_poses(sightings: Sightings, camera: SensorCalibration) -> FloatArray:
    """Return the board's pose in the optical frame in each view, (n, 4, 4), from its corners alone."""
    return np.stack([board_pose(view.corners, sightings.board, camera)[0] for view in sightings.views])


def hands(sightings: Sightings) -> FloatArray:
    """Return the arm's poses (n, 4, 4)."""
    return np.stack([view.hand for view in sightings.views])


def closed_form(method: str, setup: Setup, arm: FloatArray, seen: FloatArray) -> tuple[Pose, Pose]:
    """Return the poses of camera and board by `method`, each on its side of the arm.

    Args:
        method: one of `METHODS`.
        setup: who holds the camera.
        arm: (n, 4, 4) of the hand in `base`.
        seen: (n, 4, 4) of the board in the optical frame.

    Raises:
        CalibrationError: the motions do not determine a pose.
    """
    side = arm if setup == "eye_in_hand" else inverse(arm)  # from the camera's carrier
    try:
        if method in SEPARABLE:
            turn, shift = cv2.calibrateHandEye(*_split(side), *_split(seen), method=SEPARABLE[method])
            camera = pose(np.asarray(turn), np.ravel(shift))
        else:
            *_, turn, shift = cv2.calibrateRobotWorldHandEye(
                *_split(seen), *_split(inverse(side)), method=WORLD[method]
            )
            camera = inverse(pose(np.asarray(turn), np.ravel(shift)))
    except cv2.error as error:
        raise CalibrationError(f"{method} finds no pose: the motions are degenerate ({error.err})") from error
    if not np.isfinite(camera).all():
        raise CalibrationError(f"{method} finds no pose: the motions are degenerate")
    return camera, mean_pose(side_of_board(setup, camera, arm, seen))


def side_of_board(setup: Setup, camera: Pose, arm: FloatArray, seen: FloatArray) -> FloatArray:
    """Return the board's poses (n, 4, 4) on its side of the arm, one by each view."""
    carried = arm if setup == "eye_to_hand" else inverse(arm)
    return np.asarray(inverse(carried) @ camera @ seen)


def disagreement(
    board: BoardSpec, setup: Setup, camera: Pose, fixed: Pose, arm: FloatArray, seen: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how far each view's board is from where the arm says: at its centre [m] (n,), and turned [rad] (n,)."""
    told = predicted(setup, camera, fixed, arm)
    center = board.center[None]
    apart = (transform(told, center) - transform(seen, center))[:, 0]
    return np.linalg.norm(apart, axis=1), angle_between(told[:, :3, :3], seen[:, :3, :3])


def start(board: BoardSpec, setup: Setup, arm: FloatArray, seen: FloatArray) -> tuple[str, Pose, Pose]:
    """Return PARK's or DANIILIDIS' result, whichever fits its views better (medians), and its name.

    Raises:
        CalibrationError: neither finds one.
    """
    found = []
    for method in STARTS:
        try:
            camera, fixed = closed_form(method, setup, arm, seen)
        except CalibrationError:
            continue
        found.append((float(np.median(disagreement(board, setup, camera, fixed, arm, seen)[0])), method, camera, fixed))
    if not found:
        raise CalibrationError("degenerate: neither PARK nor DANIILIDIS finds a pose from these motions")
    _, method, camera, fixed = min(found, key=lambda entry: entry[0])
    return method, camera, fixed


def solve_hand_eye(
    sightings: Sightings, camera: SensorCalibration, *, lens_terms: int | None = None, scale: bool = False,
    noise: Noise | None = None,
) -> Estimate:
    """Return camera and board by bundle adjustment from the better closed form.

    Args:
        sightings: the views.
        camera: its intrinsics; the start where `lens_terms` is given, else the truth.
        lens_terms: estimate focal lengths, principal point and so many distortion terms along.
        scale: estimate the board's scale along.
        noise: accuracies that are known; None: they are estimated.

    Raises:
        CalibrationError: the motions are degenerate.
    """
    arm, seen = hands(sightings), seen_poses(sightings, camera)
    _, first, fixed = start(sightings.board, sightings.setup, arm, seen)
    begin = Estimate(
        first, fixed, parameters(camera), 1.0, np.zeros((len(arm), 6)), noise or Noise(),
        np.zeros((GLOBALS, GLOBALS)), np.zeros((0, 2)), np.inf,
    )
    found = adjust(problem(sightings, lens_terms=lens_terms, scale=scale), begin, estimate_noise=noise is None)
    if noise is not None:
        return found
    # The arm's accuracy is itself read off few views: as much wider as Fisher's F is than chi-squared, of six values.
    return replace(found, covariance=found.covariance * (1.0 + FEW_VIEWS / (3 * len(arm) - 6)))


def problem(sightings: Sightings, *, lens_terms: int | None, scale: bool = False) -> Problem:
    """Return the bundle adjustment of these views."""
    views = sightings.views
    return Problem(
        sightings.setup, hands(sightings),
        np.repeat(np.arange(len(views)), [len(view.corners.ids) for view in views]),
        np.concatenate([view.corners.points(sightings.board) for view in views]),
        np.concatenate([view.corners.pixels for view in views]),
        free_parameters(lens_terms, scale=scale),
    )


def mean_pose(poses: FloatArray) -> Pose:
    """Return the mean of poses (n, 4, 4) that are near each other: medians of positions, rotations by least squares."""
    u, _, vt = np.linalg.svd(poses[:, :3, :3].sum(0))
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return pose(turn, np.median(poses[:, :3, 3], axis=0))


def _split(motions: FloatArray) -> tuple[list[FloatArray], list[FloatArray]]:
    """Rotations and translations, as OpenCV takes them."""
    return [np.ascontiguousarray(m[:3, :3]) for m in motions], [np.ascontiguousarray(m[:3, 3]) for m in motions]


