"""Bundle adjustment of camera, board and lens, with an error of the arm's pose in every view.

The camera sits on one side of the arm (base or hand) and the board on the other. With C the camera on its side, P the
board on its side and M the pose of the board's side in the camera's, the board is seen at inv(C) M P. Every view has
its own small error of M, weighed against the arm's accuracy: without it the covariance would be far too small.

Gauss-Newton steps on the manifold, damped after Levenberg and Marquardt. The views' errors are eliminated block by
block (Schur complement), so a step costs milliseconds; derivatives are analytic. Robust after Huber (1964), by
re-weighting corners and arm poses. The three accuracies are themselves estimated, after MacKay (1992).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.capture import Setup
from calibration.lens import PARAMETERS, projection
from calibration.poses import Pose, from_rotation_vector, inverse, pose, rotation_vector, skew
from gmps_robot.errors import CalibrationError
from gmps_robot.types import FloatArray

CAMERA, BOARD = slice(0, 6), slice(6, 12)  # rotation vector, then translation; both on the left
LENS = slice(12, 12 + PARAMETERS)
SCALE = 12 + PARAMETERS
GLOBALS = SCALE + 1
CORNER_HUBER, POSE_HUBER = 2.5, 4.0  # beyond so many deviations a corner, an arm pose counts less
STEPS, ROUNDS = 30, 40
_SETTLED = 1e-10  # relative change of the cost


@dataclass(frozen=True)
class Noise:
    """Accuracies (standard deviations)."""

    pixel: float = 0.1  # of a corner, each axis [pixel]
    position: float = 1e-3  # of the arm's pose, each axis [m]
    rotation: float = 3e-3  # [rad]


FLOOR = Noise(0.01, 1e-5, 2e-5)  # nothing is more accurate than this


@dataclass(frozen=True)
class Problem:
    """What was seen. Corners are sorted by view."""

    setup: Setup
    hands: FloatArray  # (n, 4, 4) poses of the hand in `base`
    view: NDArray[np.int64]  # (m,) of each corner
    points: FloatArray  # (m, 3) in the board's frame [m]
    pixels: FloatArray  # (m, 2)
    free: NDArray[np.bool_]  # (GLOBALS,) which parameters are estimated


@dataclass(frozen=True)
class Estimate:
    """A solution, and how sure it is."""

    camera: Pose  # (4, 4) in `base` (eye to hand) or in the hand
    board: Pose  # (4, 4) in the hand or in `base`
    lens: FloatArray  # (9,)
    scale: float  # of the board, 1 unless it was estimated
    errors: FloatArray  # (n, 6) rotation vector and shift of the arm's poses
    noise: Noise
    covariance: FloatArray  # (GLOBALS, GLOBALS), zero where a parameter is fixed
    residuals: FloatArray  # (m, 2) [pixel]
    cost: float


def free_parameters(lens_terms: int | None, *, scale: bool = False) -> NDArray[np.bool_]:
    """Return what is estimated: both poses; the lens with its first `lens_terms` distortion terms; the scale."""
    free = np.zeros(GLOBALS, dtype=np.bool_)
    free[:12] = True
    if lens_terms is not None:
        free[12 : 16 + lens_terms] = True
    free[SCALE] = scale
    return free


def adjust(problem: Problem, start: Estimate, *, estimate_noise: bool = True) -> Estimate:
    """Return the best estimate near `start`, and with it the accuracies of corners and arm, unless they are given.

    Raises:
        CalibrationError: the views do not determine the parameters.
    """
    now = _settle(problem, start)
    for _ in range(ROUNDS if estimate_noise else 0):
        noise = _noise(problem, now)
        before, now = now.noise, _settle(problem, replace(now, noise=noise))
        if all(abs(np.log(a / b)) < 0.02 for a, b in zip(_values(noise), _values(before), strict=True)):
            break
    return now


def predicted(setup: Setup, camera: Pose, board: Pose, hands: FloatArray) -> FloatArray:
    """Return the poses of the board in the optical frame (n, 4, 4) where the arm says it is at `hands` (n, 4, 4)."""
    carried = hands if setup == "eye_to_hand" else inverse(hands)
    return np.asarray(inverse(camera) @ carried @ board)


def corrected(hands: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the arm's poses (n, 4, 4) with `errors` (n, 6) put right."""
    return pose(from_rotation_vector(errors[:, :3]) @ hands[:, :3, :3], hands[:, :3, 3] + errors[:, 3:])


@dataclass(frozen=True)
class _Normal:
    """Normal equations in blocks: parameters g of all views, errors d of each."""

    gg: FloatArray
    gd: FloatArray  # (n, G, 6)
    dd: FloatArray  # (n, 6, 6)
    g: FloatArray
    d: FloatArray  # (n, 6)
    cost: float
    residuals: FloatArray
    corner_weights: FloatArray  # (m,)
    pose_weights: FloatArray  # (n,)


def _settle(problem: Problem, now: Estimate) -> Estimate:
    """Iterate to the minimum with the accuracies as they are."""
    damping, normal = 1e-4, _normal(problem, now)
    for _ in range(STEPS):
        tried = _step(problem, now, normal, damping)
        after = _normal(problem, tried)
        if not after.cost < normal.cost * (1.0 + 1e-12):
            damping *= 10.0
            if damping > 1e8:
                break
            continue
        settled = normal.cost - after.cost < _SETTLED * normal.cost
        now, normal, damping = tried, after, max(damping / 10.0, 1e-12)
        if settled:
            break
    covariance = np.zeros((GLOBALS, GLOBALS))
    covariance[np.ix_(problem.free, problem.free)] = _inverse(_schur(normal)[0])
    return replace(now, covariance=covariance, residuals=normal.residuals, cost=normal.cost)


def _step(problem: Problem, now: Estimate, normal: _Normal, damping: float) -> Estimate:
    scaled = replace(
        normal, gg=normal.gg + damping * np.diag(np.diag(normal.gg)), dd=normal.dd * (1.0 + damping * np.eye(6))
    )
    schur, right, inner = _schur(scaled)
    moved = np.zeros(GLOBALS)
    moved[problem.free] = np.linalg.solve(schur + 1e-12 * np.trace(schur) / len(schur) * np.eye(len(schur)), right)
    g = moved[problem.free]
    d = np.einsum("nij,nj->ni", inner, normal.d - np.einsum("ngd,g->nd", normal.gd, g))
    turned = from_rotation_vector(d[:, :3]) @ from_rotation_vector(now.errors[:, :3])
    errors = np.concatenate([rotation_vector(turned), now.errors[:, 3:] + d[:, 3:]], axis=1)
    return replace(
        now, camera=corrected(now.camera[None], moved[None, CAMERA])[0],
        board=corrected(now.board[None], moved[None, BOARD])[0], lens=now.lens + moved[LENS],
        scale=now.scale + moved[SCALE], errors=errors,
    )


def _schur(normal: _Normal) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The equations of g alone: matrix, right side; and the inverses (n, 6, 6) of the blocks d."""
    inner = np.linalg.inv(normal.dd)
    folded = normal.gd @ inner  # (n, G, 6)
    matrix = normal.gg - np.einsum("ngd,nhd->gh", folded, normal.gd)
    return matrix, normal.g - np.einsum("ngd,nd->g", folded, normal.d), np.asarray(inner, dtype=np.float64)


def _normal(problem: Problem, now: Estimate) -> _Normal:
    residuals, by_global, by_error = _linear(problem, now)
    noise, count = now.noise, len(problem.hands)
    size = np.linalg.norm(residuals, axis=1) / noise.pixel
    corner_weights, corner_cost = _huber(size, CORNER_HUBER)
    prior = np.repeat([1.0 / noise.rotation, 1.0 / noise.position], 3)
    strain = np.linalg.norm(now.errors * prior, axis=1)
    pose_weights, pose_cost = _huber(strain, POSE_HUBER)
    weight = np.sqrt(corner_weights)[:, None] / noise.pixel
    r = (residuals * weight).reshape(-1)
    jg = (by_global[:, :, problem.free] * weight[..., None]).reshape(len(r), -1)
    jd = (by_error * weight[..., None]).reshape(len(r), 6)
    starts = np.searchsorted(np.repeat(problem.view, 2), np.arange(count))
    stiffness = np.einsum("n,ij->nij", pose_weights, np.diag(prior**2))
    return _Normal(
        gg=jg.T @ jg,
        gd=np.add.reduceat(jg[:, :, None] * jd[:, None, :], starts, axis=0),
        dd=np.add.reduceat(jd[:, :, None] * jd[:, None, :], starts, axis=0) + stiffness,
        g=-jg.T @ r,
        d=-np.add.reduceat(jd * r[:, None], starts, axis=0) - np.einsum("nij,nj->ni", stiffness, now.errors),
        cost=float(corner_cost.sum() + pose_cost.sum()),
        residuals=residuals, corner_weights=corner_weights, pose_weights=pose_weights,
    )


def _linear(problem: Problem, now: Estimate) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Residuals (m, 2) [pixel]; their derivatives by the parameters (m, 2, GLOBALS), by the view's error (m, 2, 6)."""
    hands = corrected(problem.hands, now.errors)[problem.view]
    turn, shift = hands[:, :3, :3], hands[:, :3, 3]
    on_board = problem.points @ now.board[:3, :3].T  # (m, 3)
    at = now.scale * on_board + now.board[:3, 3]
    if problem.setup == "eye_to_hand":
        carry, arm = turn, (turn @ at[..., None])[..., 0]
        there = arm + shift
        by_turn, by_shift = -skew(arm), np.broadcast_to(np.eye(3), turn.shape)
    else:
        carry = np.swapaxes(turn, 1, 2)
        there = (carry @ (at - shift)[..., None])[..., 0]
        by_turn, by_shift = carry @ skew(at - shift), -carry
    back = now.camera[:3, :3].T
    away = there - now.camera[:3, 3]
    seen = projection(away @ back.T, now.lens)
    inward = seen.by_point @ back  # (m, 2, 3) per metre on the camera's side
    outward = inward @ carry
    by_global = np.empty((len(problem.points), 2, GLOBALS))
    by_global[:, :, 0:3], by_global[:, :, 3:6] = inward @ skew(away), -inward
    by_global[:, :, 6:9], by_global[:, :, 9:12] = -outward @ skew(now.scale * on_board), outward
    by_global[:, :, LENS], by_global[:, :, SCALE] = seen.by_camera, (outward @ on_board[..., None])[..., 0]
    by_error = np.concatenate([inward @ by_turn, inward @ by_shift], axis=2)
    return seen.pixels - problem.pixels, by_global, by_error


def _noise(problem: Problem, now: Estimate) -> Noise:
    """Accuracies that the residuals tell, each over the number of residuals the parameters have not used up."""
    normal = _normal(problem, now)
    schur, _, inner = _schur(normal)
    half = np.einsum("nij,ngj->nig", inner, normal.gd)  # (n, 6, G)
    spread = inner + half @ _inverse(schur) @ np.swapaxes(half, 1, 2)
    variance = np.einsum("nii->ni", spread)  # (n, 6) of the errors, all other parameters unknown
    noise, squares = now.noise, normal.pose_weights[:, None] * now.errors**2
    found, used = [], float(problem.free.sum())
    for block, old, floor in (
        (slice(3, 6), noise.position, FLOOR.position), (slice(0, 3), noise.rotation, FLOOR.rotation)
    ):  # fmt: skip
        known = float(np.clip(1.0 - variance[:, block] / old**2, 0.0, 1.0).sum())
        new = np.sqrt(squares[:, block].sum() / max(known, 1e-3))
        found.append(max(floor, float(np.clip(new, old / 3.0, old * 3.0))))
        used += known
    corners = float((normal.corner_weights[:, None] * normal.residuals**2).sum())
    pixel = np.sqrt(corners / max(normal.residuals.size - used, 1.0))
    return Noise(max(FLOOR.pixel, float(pixel)), *found)


def _huber(size: FloatArray, knee: float) -> tuple[FloatArray, FloatArray]:
    """Weights and costs of residuals of `size` deviations."""
    beyond = np.maximum(size, knee)
    return knee / beyond, np.where(size <= knee, size**2, 2.0 * knee * size - knee**2)


def _inverse(matrix: FloatArray) -> FloatArray:
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    if values[0] < 1e-13:
        raise CalibrationError("degenerate: the views do not determine camera and board; turn the hand about more axes")
    return np.asarray((vectors / values) @ vectors.T * scale[:, None] * scale)


def _values(noise: Noise) -> tuple[float, float, float]:
    return noise.pixel, noise.position, noise.rotation
