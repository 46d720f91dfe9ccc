"""What is wrong with a capture, by name: each check looks for one way in which a calibration goes wrong unnoticed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.board import BoardSpec
from calibration.bundle import SCALE, Estimate
from calibration.capture import Setup
from calibration.hand_eye import disagreement, hands, start
from calibration.poses import angle_between, inverse, rotation_vector
from calibration.sightings import Sightings
from gmps_robot.errors import CalibrationError
from gmps_robot.types import FloatArray

LONGEST_LAG = 0.05  # between image and arm state [s]
HELD = (3e-4, 1e-3)  # an arm that moved less than this between two views stood still [m], [rad] ...
MOVED = (4e-3, 0.02)  # ... while the board, seen, moved more than this
SPREAD = np.deg2rad(4.0)  # rotation of the hand about its second axis that is needed, rms [rad]
SUSPICIOUS = 5e-3  # views that disagree by more than this [m] ...
CLEARLY = 0.3  # ... are explained by another reading of the poses if that leaves less than this share of it
HOPELESS = 0.03  # median disagreement beyond which nothing is solved [m]
SCALE_SURE, SCALE_LEAST = 4.0, 0.004  # deviations, and share, by which the board's size must be off


def check_stale(sightings: Sightings, seen: FloatArray) -> None:
    """Refuse arm states that are older than their images, or that stood while the board moved.

    Raises:
        CalibrationError: stale state.
    """
    late = [view.name for view in sightings.views if abs(view.lag) > LONGEST_LAG]
    if late:
        worst = max(abs(view.lag) for view in sightings.views)
        raise CalibrationError(
            f"stale state: image and arm state are up to {worst * 1e3:.0f} ms apart ({_list(late)}), "
            f"{LONGEST_LAG * 1e3:.0f} ms are allowed: stamp both on one clock, hold the arm still while capturing"
        )
    arm = hands(sightings)
    stuck = [
        sightings.views[k].name for k in range(1, len(arm))
        if _apart(arm[k - 1], arm[k], HELD) <= 1.0 < _apart(seen[k - 1], seen[k], MOVED)
    ]
    if stuck:
        raise CalibrationError(
            f"stale state: the arm's pose did not change before {_list(stuck)}, but the board moved in the image: the "
            "driver repeats an old state, or the board or the camera was moved by hand"
        )


def rotation_spread(arm: FloatArray) -> FloatArray:
    """Return the rms rotation (3,) [rad] of hand poses (n, 4, 4) about their three principal axes, largest first."""
    u, _, vt = np.linalg.svd(arm[:, :3, :3].sum(0))
    mean = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    turned = rotation_vector(mean.T @ arm[:, :3, :3])
    turned = turned - turned.mean(0)
    return np.asarray(np.linalg.svd(turned, compute_uv=False) / np.sqrt(len(arm)))


def check_motion(arm: FloatArray) -> None:
    """Refuse motions that leave the result undetermined.

    Raises:
        CalibrationError: degenerate motion.
    """
    first, second, _ = np.rad2deg(rotation_spread(arm))
    if second < np.rad2deg(SPREAD):
        raise CalibrationError(
            f"degenerate motion: the hand turned by {first:.1f} deg (rms) about one axis but only {second:.1f} deg "
            f"about any other, {np.rad2deg(SPREAD):.0f} deg are needed: tilt the hand both ways, and turn it"
        )


def check_frames(board: BoardSpec, setup: Setup, arm: FloatArray, seen: FloatArray) -> None:
    """Refuse poses that fit only when they are read in another way.

    Raises:
        CalibrationError: swapped frames; stale state, one view behind; or no reading fits at all.
    """
    given = misfit(board, setup, arm, seen)
    if given < SUSPICIOUS:
        return
    other = "eye_in_hand" if setup == "eye_to_hand" else "eye_to_hand"
    swapped = misfit(board, setup, inverse(arm), seen)
    if swapped < CLEARLY * given:
        raise CalibrationError(
            f"swapped frames: the views disagree by {given * 1e3:.0f} mm, but by {swapped * 1e3:.1f} mm if the arm's "
            f"poses are of the base in the hand instead of the hand in the base, or if the set-up is {other}"
        )
    for ahead, behind, which in ((arm[:-1], seen[1:], "before"), (arm[1:], seen[:-1], "after")):
        shifted = misfit(board, setup, ahead, behind)
        if shifted < CLEARLY * given:
            raise CalibrationError(
                f"stale state: the views disagree by {given * 1e3:.0f} mm, but by {shifted * 1e3:.1f} mm if each image "
                f"goes with the arm's pose of the view {which} it: wait for a new state after every motion"
            )
    if given > HOPELESS:
        raise CalibrationError(
            f"arm and camera disagree by {given * 1e3:.0f} mm (median): wrong arm poses, a board that slips in its "
            "holder, or a camera that was moved; nothing in the capture explains it"
        )


def misfit(board: BoardSpec, setup: Setup, arm: FloatArray, seen: FloatArray) -> float:
    """Return the median disagreement [m] of the best closed form; infinite where there is none."""
    try:
        _, camera, fixed = start(board, setup, arm, seen)
    except CalibrationError:
        return float("inf")
    return float(np.median(disagreement(board, setup, camera, fixed, arm, seen)[0]))


def check_scale(board: BoardSpec, estimate: Estimate) -> None:
    """Refuse a board whose size is not what the arm's motion says. `estimate` has the scale free.

    Raises:
        CalibrationError: wrong square size.
    """
    off, sure = abs(estimate.scale - 1.0), float(np.sqrt(estimate.covariance[SCALE, SCALE]))
    if off > max(SCALE_LEAST, SCALE_SURE * sure):
        measured = board.square * estimate.scale * 1e3
        raise CalibrationError(
            f"wrong square size: by the arm's motion a square measures {measured:.2f} +- "
            f"{1.96e3 * board.square * sure:.2f} mm, the board's file says {board.square * 1e3:.2f} mm: measure the "
            f"print over several squares, and solve again with --square-mm {measured:.2f} if that is right"
        )


def _apart(a: FloatArray, b: FloatArray, unit: tuple[float, float]) -> float:
    """The larger of shift and turn between two poses, in units of (m, rad)."""
    shift = float(np.linalg.norm(a[:3, 3] - b[:3, 3]))
    return max(shift / unit[0], float(angle_between(a[:3, :3], b[:3, :3])) / unit[1])


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
