"""Box, speed and acceleration of the commanded tip hold together, whatever is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmps_robot.control.limits import advance, limit_velocity
from gmps_robot.families import family
from gmps_robot.types import SourceLimits

ENVELOPE = family("push").envelope
POLICY = ENVELOPE.policy
START = np.array([[0.40, 0.0, 0.025]])
EPSILON = 1e-9


def play(wanted: np.ndarray, limits: SourceLimits, start: np.ndarray, dt: float):
    """Yield velocity before, velocity after and commanded tip of each step of `wanted` (h, n, 3)."""
    tip, velocity = start.copy(), np.zeros_like(start)
    for ask in wanted:
        before = velocity
        velocity, _ = limit_velocity(ask, velocity, tip, limits, ENVELOPE, dt)
        tip = advance(tip, velocity, limits, dt)
        yield before, velocity, tip


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.05, 0.2, 1.0, 100.0]),
    hold=st.integers(1, 20),
    dt=st.sampled_from([0.05, 0.01]),
    source=st.sampled_from(["policy", "teleop", "reset"]),
)
@settings(max_examples=60, deadline=None)
def test_no_limit_is_ever_broken(seed: int, scale: float, hold: int, dt: float, source: str) -> None:
    limits = ENVELOPE.source(source)
    low, high = np.array(limits.box_low), np.array(limits.box_high)
    rng = np.random.default_rng(seed)
    wanted = (rng.normal(size=(10, 16, 3)) * scale).repeat(hold, axis=0)
    start = rng.uniform(low, high, (16, 3))
    for before, velocity, tip in play(wanted, limits, start, dt):
        assert np.linalg.norm(velocity, axis=1).max() <= limits.speed + EPSILON
        assert np.linalg.norm(velocity - before, axis=1).max() <= ENVELOPE.acceleration * dt + EPSILON
        assert (tip >= low).all()
        assert (tip <= high).all()


def test_what_is_allowed_passes_unchanged() -> None:
    wanted = np.array([[0.05, -0.03, 0.0]])
    velocity, flags = limit_velocity(wanted, np.zeros((1, 3)), START, POLICY, ENVELOPE, 0.05)
    np.testing.assert_array_equal(velocity, wanted)
    assert not any(flag[0] for flag in flags)


def test_a_diagonal_is_limited_by_its_norm_and_keeps_its_direction() -> None:
    wanted = np.full((1, 3), [0.2, 0.2, 0.0])
    velocity, flags = limit_velocity(wanted, np.array([[0.1, 0.1, 0.0]]), START, POLICY, ENVELOPE, 0.05)
    np.testing.assert_allclose(velocity, [[0.2 / np.sqrt(2), 0.2 / np.sqrt(2), 0.0]])
    assert flags.speed[0]
    assert not flags.acceleration[0]


def test_full_speed_is_reached_by_the_acceleration_limit() -> None:
    wanted = np.array([[0.2, 0.0, 0.0]]).repeat(3, axis=0)[:, None]
    speeds = [velocity[0, 0] for _, velocity, _ in play(wanted, POLICY, START, 0.05)]
    np.testing.assert_allclose(speeds, [0.1, 0.2, 0.2])


def test_a_wall_is_reached_and_not_passed() -> None:
    wanted = np.array([[0.2, 0.0, 0.0]]).repeat(120, axis=0)[:, None]
    tips = [tip[0, 0] for _, _, tip in play(wanted, POLICY, START, 0.05)]
    assert tips[-1] == pytest.approx(POLICY.box_high[0], abs=1e-4)
    assert (np.diff(tips) >= 0).all()


def test_outside_the_box_only_the_way_back_is_open_and_the_tip_never_jumps() -> None:
    above = np.array([[0.5, 0.0, 0.15]])  # inside the box of teleoperation, far above the policy's slab
    up = limit_velocity(np.array([[0.0, 0.0, 0.2]]), np.zeros((1, 3)), above, POLICY, ENVELOPE, 0.05)[0]
    down = limit_velocity(np.array([[0.0, 0.0, -0.2]]), np.zeros((1, 3)), above, POLICY, ENVELOPE, 0.05)[0]
    assert up[0, 2] == 0.0
    assert down[0, 2] == pytest.approx(-0.1)
    moved = advance(above, down, POLICY, 0.05)
    np.testing.assert_allclose(moved, above + down * 0.05)


def test_a_slower_source_brakes_within_the_acceleration_limit() -> None:
    fast = np.array([[0.2, 0.0, 0.0]])
    velocity, _ = limit_velocity(fast, fast, START, ENVELOPE.reset, ENVELOPE, 0.01)
    assert velocity[0, 0] == pytest.approx(0.2 - ENVELOPE.acceleration * 0.01)
