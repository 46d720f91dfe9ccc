"""Whatever is thrown at the guard, what it lets through keeps every limit; at the policy's period and at a robot's.

An arm that follows its command at once; `tests/sim/test_guard_on_twin.py` does the same on the twin. `make test`
takes a sample, `make guard` 100 000 steps.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from gmps_robot.control.kinematics import joints_at
from tests.unit.adversary import Adversary, play
from tests.unit.guard_limits import broken_limits
from tests.unit.guard_world import ENVELOPE, HARD, START_JOINTS, arm_state, armed_at, guard, request

STEPS = int(os.environ.get("GUARD_STEPS", "5000")) // 2


@pytest.mark.parametrize(("period", "seed"), [(0.05, 0), (0.01, 1)])
def test_no_limit_is_broken_by_any_input(period: float, seed: int) -> None:
    adversary = Adversary(np.random.default_rng(seed), period)
    moving = 0
    for count, (before, after, applied) in enumerate(play(adversary, armed_at(START_JOINTS, period), STEPS)):
        assert broken_limits(ENVELOPE, before, after, applied) == [], (count, after.mode, applied.reasons)
        moving += after.mode == "MOVING"
    assert moving > STEPS / 5, "the adversary hardly moved the arm"
    assert {"speed", "acceleration", "box", "table, fingers", "command", "state", "torque"} <= adversary.seen


@pytest.mark.parametrize("period", [0.05, 0.01])
def test_a_fault_stays_until_it_is_reset(period: float) -> None:
    adversary = Adversary(np.random.default_rng(5), period, resets=False)
    faults = 0
    for before, after, _ in play(adversary, armed_at(START_JOINTS, period), 2_000):
        if before.mode == "FAULT":
            faults += 1
            assert after.mode in ("FAULT", "ESTOP")
            assert after.at_rest or before.retreat or before.fault == "outside" or not before.at_rest
    assert faults > 500


@pytest.mark.parametrize(
    "place", [(0.5, 0.30, 0.1), (0.30, -0.1, 0.2), (0.5, -0.28, 0.34), (0.5, 0.0, 0.0), (0.7, 0.28, 0.32)]
)
def test_from_outside_every_motion_leads_inwards_and_in_the_end_inside(place: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(0)
    state, now, low, high = armed_at(joints_at(place)), 0.0, np.array(HARD[0]), np.array(HARD[1])
    inwards = np.clip(place, low + 0.02, high - 0.02) - np.array(place)
    for seq in range(1, 120):
        now += state.period
        wanted = rng.uniform(-0.3, 0.3, 3) if seq % 3 else 0.1 * inwards / np.linalg.norm(inwards)
        before = np.maximum(np.maximum(low - state.tip_target, state.tip_target - high), 0.0)
        state, _ = guard(ENVELOPE, state, arm_state(state.joints, now), request(wanted, seq, now, "teleop"), now)
        after = np.maximum(np.maximum(low - state.tip_target, state.tip_target - high), 0.0)
        assert (after <= before + 1e-4).all()
    assert after.max() <= ENVELOPE.outside_tolerance
