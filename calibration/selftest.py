"""The whole loop on boards with known truth: pictures, corners, intrinsics, hand-eye, intervals, faults by name.

The short form draws its boards by exact projection, the full form renders them in MuJoCo. Both give rows against the
same bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.board import BoardSpec
from calibration.bundle import Estimate
from calibration.capture import Setup
from calibration.drawing import BoardPainter
from calibration.hand_eye import METHODS, closed_form, hands, seen_poses, solve_hand_eye
from calibration.lens import parameters, project, sensor
from calibration.poses import angle_between, rotation_vector, transform
from calibration.rendering import painter
from calibration.rows import Part, Row
from calibration.sightings import Sightings
from calibration.solve import Solved, solve
from calibration.spoilt import FAULTS, Good, said_of
from calibration.synthetic import Truth, board_poses, painted, projected, rig, unsure
from gmps_robot.types import FloatArray

BOARD = BoardSpec()
LENS = sensor(np.array([579.0, 581.0, 321.5, 236.5, 0.0, 0.0, 0.0, 0.0, 0.0]), 640, 480)
BENT = sensor(np.array([579.0, 581.0, 321.5, 236.5, -0.28, 0.09, 1e-3, -5e-4, 0.0]), 640, 480)
SETUPS: tuple[Setup, ...] = ("eye_to_hand", "eye_in_hand")
VIEWS, NOISY_VIEWS = 20, 15
CORNER_NOISE = 0.06  # of a detector [pixel]
ARM_NOISE = (5e-4, np.deg2rad(0.1))  # [m], [rad]
CHI_SQUARED = 12.592  # 95 % of six degrees of freedom


@dataclass(frozen=True)
class Trial:
    """One noisy arm, solved."""

    position: dict[str, float]  # error of the camera's position by method [m]
    rotation: dict[str, float]  # [rad]
    distance: float  # squared, of the truth in deviations of the covariance, six degrees of freedom


def pictures(full: bool) -> list[Row]:
    """Pictures of both set-ups with exact arm poses: corners, intrinsics, hand-eye."""
    rows = []
    for setup in SETUPS:
        rng = np.random.default_rng(1)
        truth = rig(setup, BOARD, LENS, rng)
        seen = board_poses(BOARD, LENS, VIEWS, rng)
        with painter(full, BOARD, LENS, rng) as paint:
            found = painted(truth, seen, truth.hand(seen), paint)
        rows += _picture_rows(setup, truth, seen, found, solve(found))
    return rows


def strong_distortion(full: bool) -> list[Row]:
    """The same through a lens that bends straight lines."""
    rng = np.random.default_rng(2)
    truth = rig("eye_to_hand", BOARD, BENT, rng)
    seen = board_poses(BOARD, BENT, VIEWS, rng)
    with painter(full, BOARD, BENT, rng) as paint:
        solved = solve(painted(truth, seen, truth.hand(seen), paint))
    k1 = abs(float(solved.estimate.lens[4]) - BENT.distortion[0])
    return [
        Row("strong distortion: reprojection RMS", solved.intrinsics.rms, 0.12, "px"),
        Row("strong distortion: k1", k1, 0.005, ""),
    ]


def noisy_arm(full: bool) -> list[Row]:
    """An arm that is 0.5 mm and 0.1 deg off: the error, against the best closed form, and the interval."""
    rows = []
    for setup in SETUPS:
        # Medians of 25 trials differ by more than the methods do; the comparison takes more of them.
        trials = [trial(setup, seed) for seed in range(100 if full else 8)]
        first = np.array([t.position["BUNDLE"] for t in trials[:25]]) * 1e3
        medians = {m: float(np.median([t.position[m] for t in trials])) for m in trials[0].position}
        best = min(value for name, value in medians.items() if name != "BUNDLE")
        covered = float(np.mean([t.distance <= CHI_SQUARED for t in trials[:30]]))
        rows += [
            Row(f"{setup}, noisy arm: median", float(np.median(first)), 0.5, "mm"),
            Row(f"{setup}, noisy arm: p90", float(np.quantile(first, 0.9)), 0.8, "mm"),
            Row(f"{setup}, noisy arm: truth in 95 % interval", covered, 0.9 if full else 0.75, "", at_least=True),
        ]
        if full:
            rows.append(Row(f"{setup}, noisy arm: against the best closed form", medians["BUNDLE"] / best, 1.0, "x"))
    return rows


def faults(_full: bool) -> list[Row]:
    """Six faults, each put into a good capture: detected, and called by its name."""
    rng = np.random.default_rng(5)
    truth = rig("eye_to_hand", BOARD, LENS, rng)
    seen = board_poses(BOARD, LENS, NOISY_VIEWS, rng)
    good = Good(
        truth, seen, unsure(truth.hand(seen), *ARM_NOISE, rng), BoardPainter(BOARD, LENS).image, CORNER_NOISE, ARM_NOISE
    )
    named = [name for name in FAULTS if name in said_of(name, good, rng)]
    return [Row("faults detected and named", len(named), len(FAULTS), "", at_least=True)]


PARTS: Sequence[Part] = (
    Part("pictures", pictures), Part("strong distortion", strong_distortion), Part("noisy arm", noisy_arm),
    Part("faults", faults),
)  # fmt: skip


def trial(setup: Setup, seed: int) -> Trial:
    """Solve one arm with errors, by projected corners."""
    rng = np.random.default_rng(seed)
    truth = rig(setup, BOARD, LENS, rng)
    seen = board_poses(BOARD, LENS, NOISY_VIEWS, rng)
    found = projected(truth, seen, unsure(truth.hand(seen), *ARM_NOISE, rng), CORNER_NOISE, rng)
    estimate = solve_hand_eye(found, LENS)
    answers = {"BUNDLE": estimate.camera}
    answers |= {m: closed_form(m, truth.setup, hands(found), seen_poses(found, LENS))[0] for m in METHODS}
    return Trial(
        {m: float(np.linalg.norm(c[:3, 3] - truth.camera[:3, 3])) for m, c in answers.items()},
        {m: float(angle_between(c[:3, :3], truth.camera[:3, :3])) for m, c in answers.items()},
        _distance(estimate, truth),
    )


def _picture_rows(setup: str, truth: Truth, seen: FloatArray, found: Sightings, solved: Solved) -> list[Row]:
    wrong = np.concatenate([
        view.corners.pixels - project(transform(seen[int(view.name[:3])], view.corners.points(BOARD)), LENS)
        for view in found.views
    ])  # fmt: skip
    off = np.abs(solved.estimate.lens - parameters(LENS))
    camera = solved.estimate.camera
    turned = np.rad2deg(angle_between(camera[:3, :3], truth.camera[:3, :3]))
    return [
        Row(f"{setup}: mean corner bias", float(np.linalg.norm(wrong.mean(0))), 0.05, "px"),
        Row(f"{setup}: reprojection RMS", solved.intrinsics.rms, 0.12, "px"),
        Row(f"{setup}: focal length", float((off[:2] / parameters(LENS)[:2]).max()) * 100.0, 0.1, "%"),
        Row(f"{setup}: principal point", float(off[2:4].max()), 0.5, "px"),
        Row(f"{setup}: camera, exact arm", float(np.linalg.norm(camera[:3, 3] - truth.camera[:3, 3])) * 1e3, 0.3, "mm"),
        Row(f"{setup}: camera, exact arm", float(turned), 0.03, "deg"),
    ]


def _distance(estimate: Estimate, truth: Truth) -> float:
    turned = rotation_vector(truth.camera[:3, :3] @ estimate.camera[:3, :3].T)
    off = np.concatenate([turned, truth.camera[:3, 3] - estimate.camera[:3, 3]])
    return float(off @ np.linalg.solve(estimate.covariance[:6, :6], off))
