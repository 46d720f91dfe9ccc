"""What presses on the arm elsewhere than at its tip: residual torque of the joints, with numbers worked out by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.guard_state import arm, starting_at
from gmps_robot.control.kinematics import forward, joints_at
from gmps_robot.errors import ArmError
from gmps_robot.families import family
from tests.unit.guard_world import PERIOD, START_JOINTS, World, request

FAST = 0.01  # a robot's period [s]
MOST = np.array([80.0, 80.0, 40.0, 40.0, 9.0, 9.0, 9.0])  # of the Sawyer's joints [N m]
LIMIT = 0.25 * MOST
SILENT, NOTHING = np.zeros(0), np.zeros(7)


def feeling(residual: np.ndarray = NOTHING, period: float = FAST) -> World:
    """An arm that was armed while its joints felt `residual` (7,) or (0,) [N m]."""
    world = World(starting_at(START_JOINTS, period))
    world.tick(None, world.seen(residual_torque=residual))
    world.state = arm(world.state, world.seen(residual_torque=residual))
    return world


def press(world: World, residual: np.ndarray, ticks: int) -> int:
    """Feel `residual` for up to `ticks`; return the tick in which the guard latched, 0 when it did not."""
    for tick in range(1, ticks + 1):
        world.tick(None, world.seen(residual_torque=residual))
        if world.state.fault == "force":
            return tick
    return 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("joint", range(7))
def test_each_joint_may_feel_a_quarter_of_its_maximum_and_no_more(joint: int, sign: float) -> None:
    torque = sign * np.eye(7)[joint] * LIMIT
    assert press(feeling(), 0.98 * torque, 100) == 0
    world = feeling()
    assert press(world, 1.02 * torque, 100) > 0
    assert (world.state.mode, world.state.fault) == ("FAULT", "force")
    told = re.fullmatch(r"torque: ([0-9.]+) N m at (\w+), limit ([0-9.]+)", world.state.fault_reason)
    assert told is not None
    assert [float(told[1]), float(told[3])] == pytest.approx([LIMIT[joint]] * 2, rel=0.03)
    assert told[2] == f"right_j{joint}"


def test_torque_is_filtered_as_force_is() -> None:
    elbow = np.eye(7)[3] * LIMIT
    assert press(feeling(), 2.0 * elbow, 100) == 4  # 2 (1 - exp(-0.01 n / 0.05)) > 1
    assert press(feeling(), 1.6 * elbow, 100) == 5  # 50 ms
    assert press(feeling(), 5.5 * elbow, 1) == 0  # one sample


@pytest.mark.parametrize("period", [PERIOD, FAST])
def test_an_elbow_that_hits_something_stops_the_arm_within_the_filter_and_one_period(period: float) -> None:
    assert 0 < press(feeling(period=period), 2.0 * LIMIT * np.eye(7)[0], 100) * period <= 0.05 + period


def test_an_offset_that_was_there_when_the_arm_was_armed_is_no_contact() -> None:
    offset = 3.0 * LIMIT
    world = feeling(offset)
    assert press(world, offset, 100) == 0
    assert press(world, offset - 0.98 * LIMIT, 100) == 0
    assert press(world, offset - 1.02 * LIMIT, 100) > 0


def test_below_its_limit_nothing_is_ever_a_contact() -> None:
    rng = np.random.default_rng(0)
    for period in (PERIOD, FAST):
        world = feeling(period=period)
        assert all(press(world, rng.uniform(-0.99, 0.99, 7) * LIMIT, 1) == 0 for _ in range(500))


def test_an_arm_that_does_not_say_is_not_judged() -> None:
    world = feeling(SILENT)
    assert press(world, SILENT, 100) == 0
    assert not world.state.torque.watched
    assert press(world, 10.0 * LIMIT, 100) == 0  # it says so since: an offset for all anybody knows
    world.state = arm(world.state, world.seen(residual_torque=10.0 * LIMIT))
    assert world.state.torque.watched
    assert press(world, 10.0 * LIMIT, 100) == 0
    assert press(world, 12.0 * LIMIT, 100) > 0


def test_an_arm_that_falls_silent_is_not_judged_by_what_it_said_and_starts_anew() -> None:
    world = feeling()
    assert press(world, 0.9 * LIMIT, 100) == 0
    assert press(world, SILENT, 100) == 0
    assert not world.state.torque.watched
    assert press(world, 5.0 * LIMIT, 1) == 0  # one sample is no contact
    assert press(world, 5.0 * LIMIT, 10) > 0


@pytest.mark.parametrize("residual", [np.full(7, np.nan), np.zeros(6)])
def test_torques_that_are_none_hold_the_arm_and_it_is_not_armed_with_them(residual: np.ndarray) -> None:
    world = feeling()
    applied = world.tick(None, world.seen(residual_torque=residual))
    assert any("residual torque" in reason for reason in applied.reasons)
    world.state = replace(world.state, mode="IDLE", armed=False)
    with pytest.raises(ArmError, match="residual torque"):
        arm(world.state, world.seen(residual_torque=residual))


def gone_back(period: float, pressing: np.ndarray) -> float:
    """How far the arm goes back from a contact at its elbow [m] while `pressing` (7,) is felt on the way [N m]."""
    world, seq = feeling(period=period), 0
    while world.state.fault != "force":
        seq += 1
        command = request([0.0, 0.1, 0.0], seq, world.now)
        world.tick(command, world.seen(residual_torque=NOTHING if seq * period < 0.8 else 3.0 * LIMIT))
    contact = world.state.tip_target[1]
    for _ in range(round(1.5 / period)):
        behind = contact - world.state.tip_target[1]
        felt = pressing if behind > 0.005 else NOTHING
        world.tick(None, world.seen(residual_torque=felt, tip_velocity=world.state.velocity))
    assert (world.state.at_rest, world.state.mode) == (True, "FAULT")
    return float(contact - world.state.tip_target[1])


@pytest.mark.parametrize("period", [PERIOD, FAST])
def test_after_a_contact_the_arm_goes_back_twenty_millimetres_unless_it_is_pressed_on(period: float) -> None:
    assert gone_back(period, NOTHING) == pytest.approx(0.020, abs=3e-3)
    assert gone_back(period, 3.0 * LIMIT) < 0.018


def test_what_the_force_limit_allows_at_the_tip_the_torque_limit_of_pushing_allows_too() -> None:
    envelope = family("push").envelope
    low, high = np.array(envelope.box_low), np.array(envelope.box_high)
    places = [low + share * (high - low) for share in np.random.default_rng(0).uniform(size=(40, 3))]
    places += [np.where(corner, high, low) for corner in np.ndindex(2, 2, 2)]
    levers = [np.linalg.norm(forward(joints_at(tuple(p))[None]).jacobian[0, :3], axis=0) for p in places]
    needed, share = envelope.force_stop * np.max(levers, axis=0) / MOST, np.array(envelope.joint_torque_share)
    assert (needed < share).all()
    assert (share <= np.maximum(1.12 * needed, 0.25)).all()  # and not much more: it is to notice an elbow
