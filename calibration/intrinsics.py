"""Focal lengths, principal point and as much distortion as the views can show: judged on views that were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.board import BoardSpec
from calibration.detect import board_pose
from calibration.lens import PARAMETERS, sensor
from calibration.sightings import Sighting, Sightings
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray

CHOICES = (0, 2, 4, 5)  # distortion terms: none, k1 k2, with p1 p2, with k3
FOLDS = 5
WORTH = 0.98  # more terms must lower the held-out error at least to this share
SUSPECT = 4.0  # a view worse than so many times the median, held out, is an outlier ...
SUSPECT_PIXELS = 0.3  # ... if its error is also at least this
MOST_OUTLIERS = 0.2  # share of the views; with more, no view can be trusted
BLOCKED = (
    cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3,
    cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3, cv2.CALIB_FIX_K3, 0,
)  # fmt: skip
_CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 60, 1e-9)


@dataclass(frozen=True)
class Intrinsics:
    """A camera, and how well it is known."""

    camera: SensorCalibration
    terms: int  # of the distortion that were estimated
    deviations: tuple[float, ...]  # (9,) of fx fy cx cy k1 k2 p1 p2 k3; zero where a term is fixed
    rms: float  # on the views used [pixel]
    held_out: Mapping[int, float]  # terms -> rms on views left out [pixel]
    outliers: Mapping[str, float]  # views left out for good, and their error [pixel]
    kept: tuple[int, ...]  # indices of the views used


def solve_intrinsics(sightings: Sightings) -> Intrinsics:
    """Calibrate the camera; views that do not fit the others are found by leaving each one out, and named.

    Raises:
        CalibrationError: no calibration converges, or more than a fifth of the views do not fit the others.
    """
    kept, outliers = _without_outliers(sightings)
    chosen = [sightings.views[k] for k in kept]
    size = (sightings.width, sightings.height)
    held_out = {terms: _held_out(chosen, sightings.board, size, terms) for terms in CHOICES}
    best = min(held_out.values())
    terms = next(t for t in CHOICES if held_out[t] * WORTH <= best)
    camera, deviations, rms = _calibrate(chosen, sightings.board, size, terms)
    return Intrinsics(camera, terms, deviations, rms, held_out, outliers, tuple(kept))


def view_errors(views: Sequence[Sighting], board: BoardSpec, camera: SensorCalibration) -> FloatArray:
    """Return the rms reprojection error of each view (n,) [pixel], its pose by its own corners."""
    return np.array([board_pose(view.corners, board, camera)[1] for view in views])


def _without_outliers(sightings: Sightings) -> tuple[list[int], dict[str, float]]:
    """Indices of the views that fit, each judged by a calibration without it; and the others with their errors."""
    kept, outliers = list(range(len(sightings.views))), dict[str, float]()
    size, board = (sightings.width, sightings.height), sightings.board
    most = int(MOST_OUTLIERS * len(kept))
    while True:
        suspects = _suspects(sightings, kept)
        errors = np.array([
            _left_out([sightings.views[k] for k in kept if k != left], sightings.views[left], board, size)
            for left in suspects
        ])  # fmt: skip
        rest = [sightings.views[k] for k in kept if k not in suspects]
        camera, _, _ = _calibrate(rest, board, size, CHOICES[1])
        usual = float(np.median(view_errors(rest, board, camera)))
        worst = int(errors.argmax())
        if errors[worst] < max(SUSPECT * usual, SUSPECT_PIXELS):
            return kept, outliers
        outliers[sightings.views[suspects[worst]].name] = float(errors[worst])
        kept.remove(suspects[worst])
        if len(outliers) > most:
            told = ", ".join(f"{name} {error:.2f} px" for name, error in outliers.items())
            raise CalibrationError(
                f"more than a fifth of the views do not fit the others ({told}): a board that is bent or moved, "
                "a camera that refocuses, or blurred images; capture anew"
            )


def _suspects(sightings: Sightings, kept: Sequence[int]) -> list[int]:
    """The few views that fit worst where all are used: only they can be outliers, and leaving out is costly."""
    views = [sightings.views[k] for k in kept]
    camera, _, _ = _calibrate(views, sightings.board, (sightings.width, sightings.height), CHOICES[1])
    order = np.argsort(-view_errors(views, sightings.board, camera))
    return [kept[int(k)] for k in order[: max(2, len(kept) // 5)]]


def _left_out(rest: Sequence[Sighting], view: Sighting, board: BoardSpec, size: tuple[int, int]) -> float:
    camera, _, _ = _calibrate(rest, board, size, CHOICES[1])
    return board_pose(view.corners, board, camera)[1]


def _held_out(views: Sequence[Sighting], board: BoardSpec, size: tuple[int, int], terms: int) -> float:
    """The rms on views that the calibration has not seen, each view once [pixel]."""
    squares, count = 0.0, 0
    for fold in range(FOLDS):
        rest = [view for k, view in enumerate(views) if k % FOLDS != fold]
        camera, _, _ = _calibrate(rest, board, size, terms)
        for view in views[fold::FOLDS]:
            squares += board_pose(view.corners, board, camera)[1] ** 2 * len(view.corners.ids)
            count += len(view.corners.ids)
    return float(np.sqrt(squares / count))


def _calibrate(
    views: Sequence[Sighting], board: BoardSpec, size: tuple[int, int], terms: int
) -> tuple[SensorCalibration, tuple[float, ...], float]:
    points = [view.corners.points(board).astype(np.float32) for view in views]
    pixels = [view.corners.pixels.astype(np.float32) for view in views]
    flags = BLOCKED[CHOICES.index(terms)]
    try:
        rms, matrix, distortion, _, _, spread, _, _ = cv2.calibrateCameraExtended(
            points, pixels, size, np.eye(3), np.zeros(5), flags=flags, criteria=_CRITERIA
        )
    except cv2.error as error:
        raise CalibrationError(
            f"the intrinsics do not converge: views too much alike, tilt the board more ({error.err})"
        ) from error
    values = np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *distortion.ravel()[:5]])
    if not np.isfinite(values).all() or min(values[:2]) <= 0.0:
        raise CalibrationError("the intrinsics do not converge: views too much alike; tilt the board more")
    return sensor(values, *size), tuple(float(v) for v in spread.ravel()[:PARAMETERS]), float(rms)
