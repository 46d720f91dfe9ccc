"""How well a calibration predicts views it has not seen: each view is left out once, and told by the arm alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.bundle import Estimate, adjust, predicted
from calibration.hand_eye import METHODS, closed_form, disagreement, hands, problem, seen_poses
from calibration.lens import parameters, projection, sensor
from calibration.poses import transform
from calibration.sightings import Sightings
from calibration.solution import HeldOut, Interval
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray

FOLDS = 5
RESAMPLES = 2000
BUNDLE = "BUNDLE"


@dataclass(frozen=True)
class Errors:
    """Of each view, left out (n,)."""

    pixel: FloatArray  # rms of its corners [pixel]
    position: FloatArray  # of the board's centre [m]
    rotation: FloatArray  # [degrees]

    def summary(self, rng: np.random.Generator) -> HeldOut:
        """Return root mean squares with 95 % intervals by resampling views."""
        return HeldOut(*(_interval(values, rng) for values in (self.pixel, self.position, self.rotation)))


def held_out(sightings: Sightings, full: Estimate, lens_terms: int) -> dict[str, Errors]:
    """Return the errors of bundle adjustment and of every closed form on the same left-out views.

    Args:
        sightings: the views that are used.
        full: the estimate from all of them, where each fold begins.
        lens_terms: distortion terms that are estimated.

    Raises:
        CalibrationError: a fold's motions are degenerate.
    """
    count = len(sightings.views)
    size = (sightings.width, sightings.height)
    found: dict[str, list[tuple[int, FloatArray]]] = {name: [] for name in (*METHODS, BUNDLE)}
    for fold in range(FOLDS):
        left, rest = list(range(fold, count, FOLDS)), [k for k in range(count) if k % FOLDS != fold]
        known = sightings.only(rest)
        camera, estimate = _fold(known, replace(full, errors=full.errors[rest]), lens_terms, size)
        arm, seen = hands(known), seen_poses(known, camera)
        answers = {BUNDLE: (estimate.camera, estimate.board)}
        for method in METHODS:
            try:
                answers[method] = closed_form(method, sightings.setup, arm, seen)
            except CalibrationError:
                continue
        unknown = sightings.only(left)
        for name, (pose, board) in answers.items():
            found[name] += list(zip(left, _errors(unknown, camera, pose, board), strict=True))
    return {
        name: Errors(*np.array([error for _, error in sorted(rows, key=lambda row: row[0])]).T)
        for name, rows in found.items() if len(rows) == count
    }


def predicted_pixels(
    sightings: Sightings, camera: SensorCalibration, pose: FloatArray, board: FloatArray
) -> list[FloatArray]:
    """Return where the arm says the seen corners are, (n, 2) [pixel] for each view."""
    told = predicted(sightings.setup, pose, board, hands(sightings))
    points = [
        transform(there, view.corners.points(sightings.board))
        for there, view in zip(told, sightings.views, strict=True)
    ]
    return [projection(at, parameters(camera)).pixels for at in points]


def _fold(known: Sightings, begin: Estimate, terms: int, size: tuple[int, int]) -> tuple[SensorCalibration, Estimate]:
    estimate = adjust(problem(known, lens_terms=terms), begin, estimate_noise=False)
    return sensor(estimate.lens, *size), estimate


def _errors(unknown: Sightings, camera: SensorCalibration, pose: FloatArray, board: FloatArray) -> FloatArray:
    """Pixel, position [m] and rotation [degrees] of each view, (n, 3)."""
    pixels = [
        np.sqrt(((told - view.corners.pixels) ** 2).sum(1).mean())
        for told, view in zip(predicted_pixels(unknown, camera, pose, board), unknown.views, strict=True)
    ]
    position, rotation = disagreement(
        unknown.board, unknown.setup, pose, board, hands(unknown), seen_poses(unknown, camera)
    )
    return np.stack([np.array(pixels), position, np.rad2deg(rotation)], axis=1)


def _interval(values: FloatArray, rng: np.random.Generator) -> Interval:
    drawn = values[rng.integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.quantile(np.sqrt((drawn**2).mean(1)), (0.025, 0.975))
    return Interval(float(np.sqrt((values**2).mean())), float(low), float(high))
