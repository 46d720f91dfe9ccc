"""What the guard does with each kind of trouble, one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.guard_state import reset_fault, starting_at, stop
from gmps_robot.control.kinematics import forward, joints_at
from gmps_robot.control.limits import advance, limit_velocity
from gmps_robot.errors import ObservationError
from gmps_robot.types import ArmCommand
from tests.unit.guard_world import ENVELOPE, PERIOD, START, START_JOINTS, World, arm_state, armed_at, request

FORWARD = np.array([0.1, 0.0, 0.0])


def at_rest_within(world: World, seconds: float) -> bool:
    for _ in range(round(seconds / PERIOD)):
        world.tick()
    return world.state.at_rest


def moving(period: float = PERIOD) -> World:
    world = World(armed_at(START_JOINTS, period))
    for _ in range(20):
        world.send(FORWARD)
    assert np.allclose(world.state.velocity, FORWARD)
    return world


def test_with_nothing_wrong_the_command_path_is_that_of_the_batch_simulator_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    world, tip, velocity = World(), START[None], np.zeros((1, 3))
    for k in range(400):
        wanted = rng.uniform(-1.0, 1.0, 3) * 0.2 + np.array([0.06 * np.sin(k / 30), 0.06 * np.cos(k / 50), 0.0])
        applied = world.send(wanted)
        velocity, _ = limit_velocity(wanted[None], velocity, tip, ENVELOPE.policy, ENVELOPE, PERIOD)
        tip = advance(tip, velocity, ENVELOPE.policy, PERIOD)
        assert np.array_equal(applied.tip_target, tip[0])
        assert np.array_equal(applied.velocity, velocity[0])


def test_an_allowed_command_is_applied_without_reasons() -> None:
    applied = World().send(FORWARD)
    assert applied.reasons == ()
    assert np.allclose(applied.velocity, FORWARD)
    assert np.allclose(applied.tip_target, START + FORWARD * PERIOD)


def test_each_limit_that_changes_a_command_is_named() -> None:
    world = World()
    assert world.names(world.send([0.4, 0.0, 0.0])) == {"speed", "acceleration"}
    for _ in range(60):
        applied = world.send([0.2, 0.0, 0.0])
    assert world.names(applied) == {"box"}
    assert applied.tip_target[0] == pytest.approx(0.84, abs=1e-6)


def test_silence_ends_in_rest_within_the_promised_time() -> None:
    world = moving()
    assert at_rest_within(world, ENVELOPE.action_timeout + 0.15)
    world.tick()
    assert world.state.mode == "ARMED"


def test_a_lost_command_does_not_jerk_the_arm() -> None:
    world = moving()
    assert np.allclose(world.tick().velocity, FORWARD)
    assert np.allclose(world.send(FORWARD).velocity, FORWARD)


def test_stale_robot_state_holds_and_a_long_silence_of_the_robot_is_a_fault() -> None:
    world = moving()
    frozen = arm_state(world.state.joints, world.now)
    for _ in range(5):
        world.seq += 1
        applied = world.tick(request(FORWARD, world.seq, world.now), frozen)
    assert world.names(applied) == {"state"}
    assert world.state.mode == "HOLD"
    assert world.state.at_rest
    for _ in range(8):
        world.tick(None, frozen)
    assert world.state.mode == "FAULT"


def test_a_wish_to_rest_does_not_soften_a_stop_that_has_begun() -> None:
    def tick(world: World, wish: ArmCommand | None = None) -> float:
        applied = world.tick(wish, world.seen(tip_velocity=world.state.velocity))
        return float(np.linalg.norm(applied.velocity))

    wished, silent = moving(PERIOD / 5), moving(PERIOD / 5)
    while silent.state.mode != "HOLD":
        assert tick(wished) == tick(silent)
    braking = 0
    while not silent.state.at_rest:
        wish = request(np.zeros(3), wished.seq + 1 + braking, wished.now, gripper=0.5)
        assert tick(wished, wish) == tick(silent)
        assert wished.state.mode == "HOLD"
        braking += 1
    assert braking > 1
    tick(wished, request(np.zeros(3), wished.seq + 1 + braking, wished.now, gripper=0.5))
    assert (wished.state.mode, wished.state.gripper) == ("MOVING", 0.5), "at rest it is a wish like others"


def test_hold_ends_with_the_next_good_command() -> None:
    world = moving()
    world.tick(None, replace(arm_state(START_JOINTS, world.now), tip_position=np.full(3, np.nan)))
    assert world.state.mode == "HOLD"
    world.send(FORWARD)
    assert world.state.mode == "MOVING"


@pytest.mark.parametrize(
    "changes",
    [
        {"velocity": np.array([np.nan, 0.0, 0.0])},
        {"velocity": np.array([np.inf, 0.0, 0.0])},
        {"velocity": np.zeros(4)},
        {"velocity": np.array([0.0, 2000.0, 0.0])},
        {"velocity": "fast"},
        {"velocity": None},
        {"gripper": float("nan")},
        {"gripper": "shut"},
        {"source": "nobody"},
        {"seq": 1.5},
        {"stamp_ns": "now"},
    ],
)
def test_a_command_that_is_not_one_brakes_at_once_and_three_in_a_row_are_a_fault(changes: dict[str, object]) -> None:
    world = moving()
    applied = world.send(FORWARD, **changes)
    assert world.names(applied) == {"command"}
    assert np.linalg.norm(applied.velocity) < np.linalg.norm(FORWARD)
    assert world.state.mode == "HOLD"
    world.send(FORWARD, **changes)
    world.send(FORWARD)
    assert world.state.mode == "MOVING"  # not three in a row
    for _ in range(3):
        world.send(FORWARD, **changes)
    assert world.state.mode == "FAULT"


def test_a_repeated_or_older_sequence_number_is_dropped() -> None:
    world = moving()
    back = world.tick(request(-FORWARD, world.seq, world.now))
    assert world.names(back) == {"seq"}
    assert np.allclose(back.velocity, FORWARD)


def test_an_old_command_is_not_obeyed() -> None:
    world = World()
    applied = world.tick(request(FORWARD, 1, world.now - 0.3))
    assert world.names(applied) == {"action"}
    assert not applied.velocity.any()


def test_stop_latches_through_commands_and_only_a_reset_ends_it() -> None:
    world = moving()
    world.state = stop(world.state, "a person pressed stop")
    first = world.send(FORWARD)
    assert "stop: a person pressed stop" in first.reasons
    for source in ("policy", "teleop", "reset") * 4:
        world.send(-FORWARD, source)
    assert world.state.at_rest
    assert world.state.mode == "FAULT"
    world.state = reset_fault(world.state)
    world.tick()
    assert world.state.at_rest
    assert world.state.mode == "ARMED"
    assert world.send(FORWARD).velocity.any()


def test_pushed_out_of_the_box_only_a_person_moves_it_and_only_inwards() -> None:
    world = World()
    outside = np.array([0.50, 0.28, 0.025])
    world.pushed = outside - START
    world.tick()
    assert world.state.fault == "outside"
    assert not world.send([0.0, -0.1, 0.0], "policy").velocity.any()
    assert not world.send([0.0, 0.1, 0.0], "teleop").velocity.any()
    world.pushed = outside - world.state.tip_target
    applied = world.send([0.1, -0.1, 0.1], "teleop")
    assert world.state.resynced  # joint commands restart where the arm really is
    assert np.allclose(applied.velocity, [0.0, -0.1, 0.0])
    assert applied.tip_target[1] == pytest.approx(0.28 - 0.1 * PERIOD, abs=1e-3)
    world.pushed = np.zeros(3)
    for _ in range(20):
        world.send([0.0, -0.1, 0.0], "teleop")
    assert world.state.tip_target[1] <= 0.24
    assert world.state.mode == "FAULT"  # still latched, until a person says so
    world.state = reset_fault(world.state)
    for _ in range(10):
        world.send([0.0, -0.1, 0.0], "teleop")
    assert world.state.mode == "MOVING"
    assert world.state.tip_target[1] < 0.24


def test_a_reset_does_not_clear_a_cause_that_lasts() -> None:
    world = World(pushed=np.array([0.0, 0.4, 0.0]))
    world.tick()
    world.state = reset_fault(world.state)
    world.tick()
    assert world.state.fault == "outside"


def test_an_arm_moved_by_hand_starts_where_it_is() -> None:
    world = World(pushed=np.array([0.05, 0.02, 0.005]))
    applied = world.send(FORWARD)
    assert world.names(applied) == {"resync"}
    assert np.allclose(applied.tip_target, START + world.pushed + FORWARD * PERIOD, atol=1e-4)


@pytest.mark.parametrize(("off", "resynced"), [(0.008, False), (0.012, True)])
def test_how_far_the_tip_of_a_resting_arm_may_be_from_its_command(off: float, resynced: bool) -> None:
    world = World(pushed=np.array([off, 0.0, 0.0]))
    assert ("resync" in world.names(world.send(FORWARD))) == resynced


@pytest.mark.parametrize(("turned", "resynced"), [(0.05, False), (0.07, True)])
def test_how_far_an_elbow_may_be_swung_although_the_tip_rests(turned: float, resynced: bool) -> None:
    world = World()
    applied = world.tick(request(FORWARD, 1, world.now), replace(arm_state(swung(turned), world.now)))
    assert ("resync" in world.names(applied)) == resynced


@pytest.mark.parametrize(("turned", "fault"), [(0.22, ""), (0.28, "tracking")])
def test_how_far_a_joint_of_a_moving_arm_may_be_held(turned: float, fault: str) -> None:
    world = moving()
    world.tick(None, replace(arm_state(swung(turned, world.state.joints), world.now)))
    assert world.state.fault == fault


def swung(turned: float, joints: np.ndarray = START_JOINTS) -> np.ndarray:
    """`joints` with the elbow swung until one of them has turned by `turned` [rad]; the tip stays within 8 mm."""
    moved = joints.copy()
    while (left := turned - np.abs(moved - joints).max()) > 1e-6:
        null = np.linalg.svd(forward(moved[None]).jacobian[0])[2][-1]
        moved = moved + null * np.sign(null[2]) * min(0.002, left) / np.abs(null).max()
    assert np.linalg.norm(forward(moved[None]).position[0] - forward(joints[None]).position[0]) < 0.008
    return moved


def test_a_small_sag_of_the_servos_does_not_drag_the_command_down() -> None:
    world = World(pushed=np.array([0.0, 0.0, -0.003]))
    for _ in range(20):
        applied = world.send([0.0, 0.0, 0.0])
    assert np.array_equal(applied.tip_target, START)


def test_another_source_takes_over_at_rest() -> None:
    world = moving()
    applied = world.send([-0.1, 0.0, 0.0], "reset")
    assert world.names(applied) == {"source"}
    for _ in range(4):
        applied = world.send([-0.1, 0.0, 0.0], "reset")
    assert np.allclose(applied.velocity, [-0.1, 0.0, 0.0])


def test_the_policy_may_only_move_down_into_its_slab() -> None:
    world = World(state=armed_at(joints_at((0.5, 0.0, 0.1))))
    assert world.send([0.0, 0.0, 0.1]).velocity[2] == 0.0
    for _ in range(40):
        applied = world.send([0.0, 0.0, -0.1])
    assert 0.02 <= applied.tip_target[2] <= 0.035


def test_a_clock_that_jumps_back_holds_and_goes_on_afterwards() -> None:
    world = moving()
    world.now -= 3600.0
    applied = world.send(FORWARD)
    assert "clock" in world.names(applied)
    assert applied.velocity[0] < FORWARD[0]
    assert np.allclose([world.send(FORWARD).velocity for _ in range(4)][-1], FORWARD)


def test_calls_that_come_too_fast_do_not_move_the_arm_faster() -> None:
    world = moving()
    before = world.state.tip_target[0]
    start = world.now
    while world.now < start + 0.5:
        world.send(FORWARD)
        world.now += 0.01 - PERIOD
    assert world.state.tip_target[0] - before <= 0.1 * 0.5 + 0.1 * PERIOD + 1e-9


def test_jitter_of_the_caller_costs_no_distance() -> None:
    world, rng = moving(), np.random.default_rng(0)
    before, start = world.state.tip_target[0], world.now
    for k in range(60):
        world.now = start + (k + rng.uniform(-0.2, 0.2)) * PERIOD
        world.send(FORWARD)
    assert world.state.tip_target[0] - before == pytest.approx(60 * PERIOD * 0.1)


def test_after_a_long_gap_motion_starts_from_rest() -> None:
    world = moving()
    world.now += 1.0
    applied = world.send([0.2, 0.0, 0.0])
    assert np.linalg.norm(applied.velocity) <= ENVELOPE.acceleration * PERIOD + 1e-12


def test_the_guard_refuses_to_start_at_joints_that_are_none() -> None:
    with pytest.raises(ObservationError, match="7 finite numbers"):
        starting_at(np.full(7, np.nan), PERIOD)
