"""Speed, acceleration and box limits of the commanded tip, vectorised. The batch simulator and the guard share them.

The three limits hold together, by construction: before a wall the velocity is kept so small that braking within the
acceleration limit always ends inside the box. Nothing is clipped afterwards, so the commanded tip never jumps.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmps_robot.types import CommandSource, FloatArray, SafetyEnvelope, SourceLimits

BoolArray = NDArray[np.bool_]
_CHANGE = 1e-9  # a smaller change than this is rounding, not a limit [m/s]


class LimitFlags(NamedTuple):
    """Which limit changed the wanted velocity of each arm, (n,) each."""

    speed: BoolArray
    box: BoolArray
    acceleration: BoolArray


def limit_velocity(
    wanted: FloatArray,
    previous: FloatArray,
    tip_target: FloatArray,
    limits: SourceLimits,
    envelope: SafetyEnvelope,
    dt: float,
) -> tuple[FloatArray, LimitFlags]:
    """Return the velocity (n, 3) nearest to `wanted` that obeys the limits of `limits` and `envelope`.

    Args:
        wanted: (n, 3) finite wanted tip velocity [m/s].
        previous: (n, 3) velocity this function returned one period ago [m/s]; zero at rest.
        tip_target: (n, 3) commanded tip position now [m]. Outside the source's box only motion back to it is let
            through; the target itself is never moved.
        limits: speed and box of the source that asks.
        envelope: hard speed, acceleration, brake zone.
        dt: control period [s].

    The result v obeys |v| <= speed, |v - previous| <= acceleration dt, and tip_target + v dt stays in the box, for any
    sequence of wanted velocities that starts at rest inside. After a change to a slower source or a smaller box the
    velocity comes down as fast as the acceleration limit allows.
    """
    slow = shorten(wanted, min(limits.speed, envelope.speed_hard))
    low, high = _velocity_box(tip_target, limits, envelope, dt)
    goal = np.clip(slow, low, high)
    reach = envelope.acceleration * dt
    # `anchor` is the least braking the walls ask for; from a state this function made it is always within reach.
    anchor = previous + shorten(np.clip(previous, low, high) - previous, reach)
    velocity = anchor + _share_within(anchor - previous, goal - anchor, reach)[:, None] * (goal - anchor)
    flags = LimitFlags(differ(slow, wanted), differ(goal, slow), differ(velocity, goal))
    return velocity, flags


def ease(
    wanted: FloatArray, previous: FloatArray, acceleration: FloatArray, limits: SourceLimits, envelope: SafetyEnvelope,
    dt: float,
) -> FloatArray:
    """Return the velocity (n, 3) on the way to `wanted` (n, 3) whose acceleration keeps the envelope's jerk limit.

    Acceleration grows by at most jerk dt per period and is taken back in time to end at `wanted`. Walls and stops,
    which come after this, brake without it. Where the limit cannot bind, as at 20 Hz, `wanted` is returned.

    Args:
        wanted: tip velocity asked for [m/s].
        previous: velocity of the last period [m/s].
        acceleration: (n, 3) change of velocity in the last period, by `dt` [m/s^2].
        limits: speed of the source that asks.
        envelope: acceleration and jerk.
        dt: control period [s].
    """
    if envelope.jerk * dt >= 2.0 * envelope.acceleration:
        return wanted
    change = shorten(wanted, min(limits.speed, envelope.speed_hard)) - previous
    size = np.sqrt((change * change).sum(axis=1, keepdims=True))
    reach = np.minimum(envelope.acceleration, _brakeable(size, envelope.jerk, dt))
    goal = change / np.maximum(size, 1e-30) * reach
    return np.asarray(previous + (acceleration + shorten(goal - acceleration, envelope.jerk * dt)) * dt)


def shorten(vectors: FloatArray, length: float) -> FloatArray:
    """Scale `vectors` (n, 3) down to at most `length`; shorter ones stay what they are, to the bit."""
    norms = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors * np.minimum(1.0, length / np.maximum(norms, 1e-30)))


def advance(tip_target: FloatArray, velocity: FloatArray, limits: SourceLimits, dt: float) -> FloatArray:
    """Return the commanded tip (n, 3) after one period of a limited `velocity` (n, 3).

    Rounding may not carry the tip over a wall; a tip that was outside stays outside until it has moved back.
    """
    moved = tip_target + velocity * dt
    low, high = np.array(limits.box_low), np.array(limits.box_high)
    clipped = np.clip(moved, low, high)
    return np.where(np.abs(clipped - moved) < _CHANGE, clipped, moved)


def differ(a: FloatArray, b: FloatArray) -> BoolArray:
    """Return which rows of `a` and `b` (n, 3) differ by more than rounding."""
    return np.asarray((np.abs(a - b) > _CHANGE).any(axis=1))


@lru_cache(maxsize=64)
def limits_of(envelope: SafetyEnvelope, source: CommandSource) -> SourceLimits:
    """The limits of `source`, its box cut to the hard box."""
    own = envelope.source(source)
    low = tuple(np.maximum(own.box_low, envelope.box_low).tolist())
    high = tuple(np.minimum(own.box_high, envelope.box_high).tolist())
    return SourceLimits(own.speed, low, high)


@lru_cache(maxsize=16)
def stopping(envelope: SafetyEnvelope) -> SafetyEnvelope:
    """The envelope of a stop: harder deceleration, but walls approached as gently as in motion.

    `limit_velocity` derives the braking before a wall from both acceleration and brake zone; the wider zone keeps that
    figure what it is in motion, so that a motion resumed in the middle of a stop still finds every wall brakeable.
    """
    zone = max(envelope.brake_zone, envelope.speed_hard**2 * np.sqrt(3.0) / (2.0 * envelope.acceleration))
    return replace(envelope, acceleration=envelope.stop_deceleration, brake_zone=float(zone))


def _velocity_box(
    tip: FloatArray, limits: SourceLimits, envelope: SafetyEnvelope, dt: float
) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest velocity per axis (n, 3) from which braking still ends inside the box."""
    # Each axis brakes with its share of the norm limit, so that all three can brake at once.
    braking = min(envelope.acceleration / np.sqrt(3.0), envelope.speed_hard**2 / (2.0 * envelope.brake_zone))
    high = _brakeable(np.array(limits.box_high) - tip, braking, dt)
    low = -_brakeable(tip - np.array(limits.box_low), braking, dt)
    return low, high


def _brakeable(distance: FloatArray, braking: float, dt: float) -> FloatArray:
    """Largest speed now, held for one period and then reduced by `braking` dt per period, that stops in `distance`.

    Stopping from u takes dt max_k ((k+1) u - k (k+1)/2 braking dt), so u <= distance / ((k+1) dt) + k/2 braking dt for
    every k; the right side is convex in k and smallest beside its continuous minimum. Zero outside the box.
    """
    distance = np.maximum(distance, 0.0)
    drop = braking * dt
    below = np.maximum(np.floor(np.sqrt(2.0 * distance / (drop * dt)) - 1.0), 0.0)

    def bound(k: FloatArray) -> FloatArray:
        return np.asarray(distance / ((k + 1.0) * dt) + 0.5 * k * drop)

    return np.minimum(bound(below), bound(below + 1.0))


def _share_within(offset: FloatArray, step: FloatArray, radius: float) -> FloatArray:
    """Largest t in [0, 1] (n,) with |offset + t step| <= radius, given |offset| <= radius."""
    a = (step * step).sum(axis=1)
    b = (offset * step).sum(axis=1)
    c = np.minimum((offset * offset).sum(axis=1) - radius * radius, 0.0)
    root = (-b + np.sqrt(np.maximum(b * b - a * c, 0.0))) / np.maximum(a, 1e-30)
    return np.asarray(np.clip(root, 0.0, 1.0))
