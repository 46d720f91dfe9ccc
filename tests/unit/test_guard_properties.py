"""Whatever is thrown at the guard, the commanded motion keeps its limits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gmps_robot.control.guard import guard
from gmps_robot.control.guard_state import reset_fault, stop
from gmps_robot.control.kinematics import joints_at
from gmps_robot.types import ArmCommand
from tests.unit.guard_world import BOX, ENVELOPE, HARD, PERIOD, START_JOINTS, arm_state, armed_at, request

EPSILON = 1e-9
PLACED = 1e-5  # how well `joints_at` puts an arm at its start [m]
BAD = st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308])
COMPONENT = st.one_of(st.floats(-0.5, 0.5), st.sampled_from([0.2, -0.2, 10.0, -10.0]), BAD)
VELOCITY = st.one_of(
    st.tuples(COMPONENT, COMPONENT, COMPONENT),
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    st.sampled_from([None, "left", (), (0.1,), (0.1, 0.1, 0.1, 0.1), ((0.1, 0.1, 0.1),)]),
)
STEP = st.fixed_dictionaries(
    {
        "velocity": VELOCITY,
        "source": st.sampled_from(["policy", "policy", "policy", "teleop", "reset", "ghost"]),
        "silent": st.sampled_from([False, False, False, True]),
        "seq": st.sampled_from([1, 1, 1, 1, 0, -3, 1000]),
        "age": st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.2, -1.0]),
        "state_age": st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.06, -2.0]),
        "advance": st.sampled_from([PERIOD] * 8 + [0.0, 0.01, 0.06, 0.2, 30.0, -5.0, float("nan")]),
        "act": st.sampled_from([""] * 12 + ["stop", "reset"]),
        "repeat": st.integers(1, 12),
    }
)


def play(steps: list[dict[str, object]], start: np.ndarray):
    """Yield (state before, state after) of each tick; the arm follows its command at once."""
    state, now, seq = armed_at(start), 50.0, 0
    for step in steps:
        if step["act"] == "stop":
            state = stop(state, "test")
        elif step["act"] == "reset":
            state = reset_fault(state)
        for _ in range(int(step["repeat"])):  # type: ignore[call-overload]
            jump = float(step["advance"])  # type: ignore[arg-type]
            seq += int(step["seq"])  # type: ignore[call-overload]
            command: ArmCommand | None = None
            if not step["silent"]:
                command = request(step["velocity"], seq, now - float(step["age"]), str(step["source"]))  # type: ignore[arg-type]
            measured = arm_state(state.joints, now - float(step["state_age"]))  # type: ignore[arg-type]
            before = state
            state, applied = guard(ENVELOPE, state, measured, command, now if np.isfinite(jump) else jump)
            assert np.array_equal(applied.tip_target, state.tip_target)
            yield before, state, applied
            now += jump if np.isfinite(jump) else 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=25))
def test_box_speed_and_acceleration_hold_for_any_input(steps: list[dict[str, object]]) -> None:
    hard_low, hard_high = np.array(HARD[0]), np.array(HARD[1])
    for before, after, applied in play(steps, START_JOINTS):
        assert np.isfinite(after.tip_target).all()
        assert np.isfinite(after.velocity).all()
        assert (after.tip_target >= hard_low).all()
        assert (after.tip_target <= hard_high).all()
        own = ENVELOPE.source(after.source)
        assert np.linalg.norm(after.velocity) <= min(own.speed, ENVELOPE.speed_hard) + EPSILON
        moved = after.tip_target - before.tip_target
        assert np.linalg.norm(moved) <= own.speed * PERIOD + EPSILON
        assert np.allclose(moved, 0.0) or np.allclose(moved, after.velocity * PERIOD, atol=1e-8)
        change = np.linalg.norm(after.velocity - before.velocity)
        since = 0.0 if before.time is None else applied.stamp_ns * 1e-9 - before.time
        if since > ENVELOPE.action_timeout:  # nobody called for so long that the arm came to rest by itself
            assert np.linalg.norm(after.velocity) <= ENVELOPE.acceleration * PERIOD + EPSILON
        elif after.mode == "MOVING" and not any(r.startswith("source") for r in applied.reasons):
            assert change <= ENVELOPE.acceleration * PERIOD + EPSILON
        else:
            assert change <= ENVELOPE.stop_deceleration * PERIOD + EPSILON


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)), min_size=1, max_size=12),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_the_policy_never_leaves_its_own_box_nor_needs_more_than_its_acceleration(
    velocities: list[tuple[float, float, float]], where: tuple[float, float, float]
) -> None:
    low, high = np.array(BOX[0]), np.array(BOX[1])
    state, now, seq = armed_at(joints_at(tuple(low + np.array(where) * (high - low)))), 0.0, 0
    for velocity in velocities:
        for _ in range(10):
            seq, now = seq + 1, now + PERIOD
            before = state
            state, _ = guard(ENVELOPE, state, arm_state(state.joints, now), request(velocity, seq, now), now)
            assert (state.tip_target >= low - PLACED).all()
            assert (state.tip_target <= high + PLACED).all()
            assert np.linalg.norm(state.velocity - before.velocity) <= ENVELOPE.acceleration * PERIOD + EPSILON


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=15))
def test_a_fault_stays_until_it_is_reset(steps: list[dict[str, object]]) -> None:
    nobody_resets = [{**step, "act": "stop" if step["act"] == "stop" else ""} for step in steps]
    for before, after, _ in play(nobody_resets, START_JOINTS):
        if before.mode == "FAULT":
            assert after.mode == "FAULT"
            assert np.linalg.norm(after.velocity) <= np.linalg.norm(before.velocity) + EPSILON


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.floats(0.3, 0.9), st.floats(-0.35, 0.35), st.floats(-0.05, 0.4)),
    st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)), min_size=1, max_size=8),
)
def test_from_outside_every_motion_leads_inwards(
    tip: tuple[float, float, float], velocities: list[tuple[float, float, float]]
) -> None:
    low, high = np.array(HARD[0]), np.array(HARD[1])
    state, now, seq = armed_at(joints_at(tip)), 0.0, 0
    for velocity in velocities:
        for _ in range(8):
            seq, now = seq + 1, now + PERIOD
            before = np.maximum(np.maximum(low - state.tip_target, state.tip_target - high), 0.0)
            command = request(velocity, seq, now, "teleop")
            state, _ = guard(ENVELOPE, state, arm_state(state.joints, now), command, now)
            after = np.maximum(np.maximum(low - state.tip_target, state.tip_target - high), 0.0)
            assert (after <= before + EPSILON).all()


def test_from_outside_one_gets_back_in() -> None:
    state, now = armed_at(joints_at((0.92, 0.3, 0.1))), 0.0
    for seq in range(1, 60):
        now += PERIOD
        command = request((-0.1, -0.1, 0.0), seq, now, "teleop")
        state, _ = guard(ENVELOPE, state, arm_state(state.joints, now), command, now)
    assert state.fault == "outside"
    assert state.tip_target[0] <= 0.86 + ENVELOPE.outside_tolerance
    assert state.tip_target[1] <= 0.24 + ENVELOPE.outside_tolerance
