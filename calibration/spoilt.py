"""Good captures spoilt on purpose, one fault each: what `solve` must notice and call by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from calibration.poses import from_rotation_vector, inverse, pose
from calibration.sightings import Sightings, check_enough
from calibration.solve import solve
from calibration.synthetic import Painter, Truth, painted, projected, unsure
from gmps_robot.errors import CalibrationError
from gmps_robot.types import FloatArray


@dataclass(frozen=True)
class Good:
    """A capture that solves."""

    truth: Truth
    seen: FloatArray  # (n, 4, 4) the board in the optical frame
    told: FloatArray  # (n, 4, 4) the arm's poses, a little off
    paint: Painter
    corner_noise: float  # [pixel]
    arm_noise: tuple[float, float]  # [m], [rad]


def said_of(fault: str, good: Good, rng: np.random.Generator) -> str:
    """Return what solving says where `good` is spoilt by `fault`; empty where nothing is noticed."""
    try:
        solved = solve(FAULTS[fault](good, rng))
    except CalibrationError as error:
        return str(error)
    return "; ".join(f"{name}: {why}" for name, why in solved.dropped.items())


def degenerate(good: Good, rng: np.random.Generator) -> Sightings:
    """The hand turns about one axis only."""
    first, count = good.seen[0], len(good.seen)
    turns = np.outer(rng.uniform(-0.5, 0.5, count), [0.0, 0.0, 1.0])
    shifts = rng.uniform(-0.03, 0.03, (count, 3))
    seen = pose(from_rotation_vector(turns) @ first[:3, :3], first[:3, 3] + shifts)
    return _sightings(good, rng, seen=seen, told=unsure(good.truth.hand(seen), *good.arm_noise, rng))


def stale(good: Good, rng: np.random.Generator) -> Sightings:
    """Every image comes with the arm's pose of the view before it."""
    return _sightings(good, rng, told=np.roll(good.told, 1, axis=0))


def mirrored(good: Good, _rng: np.random.Generator) -> Sightings:
    """The camera flips its images left to right."""
    found = painted(good.truth, good.seen[:3], good.told[:3], lambda there: good.paint(there)[:, ::-1].copy())
    check_enough(found, "mirrored capture")
    return found


def wrong_square(good: Good, rng: np.random.Generator) -> Sightings:
    """The print is 2 % larger than its file says."""
    board = good.truth.board
    return replace(_sightings(good, rng), board=board.measured(board.square / 1.02))


def swapped(good: Good, rng: np.random.Generator) -> Sightings:
    """The arm's poses are of the base in the hand."""
    return _sightings(good, rng, told=inverse(good.told))


def bad_view(good: Good, rng: np.random.Generator) -> Sightings:
    """One arm pose is 30 mm off."""
    told = good.told.copy()
    told[len(told) // 2, :3, 3] += (0.03, 0.0, 0.0)
    return _sightings(good, rng, told=told)


FAULTS: Mapping[str, Callable[[Good, np.random.Generator], Sightings]] = {
    "degenerate motion": degenerate, "stale state": stale, "mirrored": mirrored, "wrong square size": wrong_square,
    "swapped frames": swapped, "bad view": bad_view,
}  # fmt: skip


def _sightings(
    good: Good, rng: np.random.Generator, *, seen: FloatArray | None = None, told: FloatArray | None = None
) -> Sightings:
    return projected(
        good.truth, good.seen if seen is None else seen, good.told if told is None else told, good.corner_noise, rng
    )
