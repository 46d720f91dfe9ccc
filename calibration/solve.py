"""From a capture to a solution: intrinsics, checks by name, hand-eye, bad views left out, and a held-out verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.bundle import CAMERA, LENS, Estimate, adjust
from calibration.capture import Capture, capture_id
from calibration.faults import check_frames, check_motion, check_scale, check_stale
from calibration.hand_eye import disagreement, hands, problem, seen_poses, solve_hand_eye
from calibration.held_out import BUNDLE, Errors, held_out
from calibration.intrinsics import Intrinsics, solve_intrinsics
from calibration.lens import sensor
from calibration.opencv import check_opencv, repeatable
from calibration.poses import frame_pose
from calibration.sightings import Sightings, check_enough, sight
from calibration.solution import Solution
from gmps_robot.errors import CalibrationError
from gmps_robot.types import FloatArray

BAD = 5.0  # a view further off than so many times the median, left out, is bad ...
BAD_POSITION, BAD_ROTATION = 2e-3, np.deg2rad(0.4)  # ... if it is also off by this [m], [rad]
MOST_BAD = 0.2  # share of the views


@dataclass(frozen=True)
class Solved:
    """A solution with what pictures of it need."""

    sightings: Sightings  # the views that were used
    intrinsics: Intrinsics
    estimate: Estimate
    errors: Errors  # of the bundle adjustment, on left-out views
    methods: dict[str, Errors]
    dropped: dict[str, str]


def solve_capture(directory: Path, capture: Capture, now: datetime | None = None) -> tuple[Solution, Solved]:
    """Solve a capture.

    Raises:
        CalibrationError: what `sight`, `solve_intrinsics` and the checks of `calibration.faults` raise, by name.
        SetupError: an OpenCV that calibrates wrongly.
    """
    check_opencv()
    with repeatable():
        solved = solve(sight(directory, capture))
    return solution(solved, capture, capture_id(directory, capture), now or datetime.now(UTC)), solved


def solve(sightings: Sightings) -> Solved:
    """Solve what was seen. Raises as `solve_capture`."""
    check_enough(sightings, "capture")
    intrinsics = solve_intrinsics(sightings)
    dropped = {**sightings.unseen, **{n: f"image does not fit: {e:.2f} px" for n, e in intrinsics.outliers.items()}}
    kept = sightings.only(intrinsics.kept)
    check_enough(kept, "after leaving out views that do not fit")
    arm, seen = hands(kept), seen_poses(kept, intrinsics.camera)
    check_stale(kept, seen)
    check_motion(arm)
    check_frames(kept.board, kept.setup, arm, seen)
    check_scale(kept.board, solve_hand_eye(kept, intrinsics.camera, scale=True))
    estimate = solve_hand_eye(kept, intrinsics.camera, lens_terms=intrinsics.terms)
    bad = _bad_views(kept, estimate, seen)
    if bad:
        dropped.update(bad)
        kept = kept.only([k for k, view in enumerate(kept.views) if view.name not in bad])
        check_enough(kept, "after leaving out bad views")
        check_motion(hands(kept))
        estimate = solve_hand_eye(kept, intrinsics.camera, lens_terms=intrinsics.terms)
    methods = held_out(kept, estimate, intrinsics.terms)
    return Solved(kept, intrinsics, estimate, methods[BUNDLE], methods, dropped)


def solution(solved: Solved, capture: Capture, content_id: str, date: datetime) -> Solution:
    """Return what is kept of `solved`."""
    estimate, sightings = solved.estimate, solved.sightings
    swap = [3, 4, 5, 0, 1, 2]  # rotation first -> position first
    covariance = estimate.covariance[CAMERA, CAMERA][np.ix_(swap, swap)]
    rng = np.random.default_rng(0)  # only resamples: the same capture gives the same intervals
    return Solution(
        setup=capture.setup,
        camera=sensor(estimate.lens, sightings.width, sightings.height),
        camera_pose=frame_pose(estimate.camera),
        board_pose=frame_pose(estimate.board),
        covariance=tuple(float(v) for v in covariance.ravel()),
        deviations=tuple(float(v) for v in np.sqrt(np.diag(estimate.covariance)[LENS])),
        distortion_terms=solved.intrinsics.terms,
        intrinsics_rms=solved.intrinsics.rms,
        held_out=solved.errors.summary(rng),
        arm_position=estimate.noise.position,
        arm_rotation=float(np.rad2deg(estimate.noise.rotation)),
        pixel_noise=estimate.noise.pixel,
        methods={name: errors.summary(rng) for name, errors in solved.methods.items()},
        views=tuple(view.name for view in sightings.views),
        dropped=solved.dropped,
        board=capture.board,
        capture=content_id,
        date=date.isoformat(timespec="seconds"),
    )


def _bad_views(sightings: Sightings, full: Estimate, seen: FloatArray) -> dict[str, str]:
    """Views whose arm pose the others contradict, each judged by an estimate without it.

    Raises:
        CalibrationError: more than a fifth of the views are contradicted.
    """
    position, rotation = disagreement(sightings.board, sightings.setup, full.camera, full.board, hands(sightings), seen)
    usual, turned = float(np.median(position)), float(np.median(rotation))
    limits = np.array([max(BAD * usual, BAD_POSITION), max(BAD * turned, BAD_ROTATION)])
    bad = {}
    for k in np.flatnonzero(np.maximum(position / limits[0], rotation / limits[1]) > 0.7):
        off, angle = _without(sightings, full, int(k), seen)
        if off > limits[0] or angle > limits[1]:
            bad[sightings.views[k].name] = (
                f"bad view: {off * 1e3:.1f} mm and {np.rad2deg(angle):.2f} deg from where the others put it "
                f"(usual {usual * 1e3:.2f} mm, {np.rad2deg(turned):.2f} deg)"
            )
    if len(bad) > MOST_BAD * len(sightings.views):
        raise CalibrationError(
            f"{len(bad)} of {len(sightings.views)} views contradict the others ({', '.join(bad)}): the board slipped, "
            "the camera was moved, or the arm's poses are wrong; capture anew"
        )
    return bad


def _without(sightings: Sightings, full: Estimate, left: int, seen: FloatArray) -> tuple[float, float]:
    """How far view `left` is from where the others put it [m], [rad]."""
    rest = [k for k in range(len(sightings.views)) if k != left]
    others = adjust(
        problem(sightings.only(rest), lens_terms=None), replace(full, errors=full.errors[rest]), estimate_noise=False
    )
    only = sightings.only([left])
    position, rotation = disagreement(
        only.board, only.setup, others.camera, others.board, hands(only), seen[left : left + 1]
    )
    return float(position[0]), float(rotation[0])
