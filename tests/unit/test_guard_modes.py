"""The guard's states: what the robot says, who may arm it, and how each stop ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.guard_state import GuardState, arm, reset_fault, starting_at, stop
from gmps_robot.errors import ArmError
from gmps_robot.types import ArmStatus
from tests.unit.guard_world import PERIOD, START_JOINTS, World, arm_state

FORWARD = np.array([0.1, 0.0, 0.0])


def moving() -> World:
    world = World()
    for _ in range(5):
        world.send(FORWARD)
    return world


def hear(world: World, **status: object) -> GuardState:
    """One tick in which the robot says `status` about itself, with a command that wants to go on."""
    world.seq += 1
    command = world.state.command
    seen = world.seen(status=ArmStatus(**status), tip_velocity=world.state.velocity)  # type: ignore[arg-type]
    world.tick(None if command is None else replace(command, seq=world.seq, stamp_ns=round(world.now * 1e9)), seen)
    return world.state


@pytest.mark.parametrize(
    ("status", "mode"),
    [({"connected": False}, "DISCONNECTED"), ({"enabled": False}, "DISABLED"), ({}, "IDLE")],
)
def test_an_arm_that_nobody_armed_does_not_move(status: dict[str, bool], mode: str) -> None:
    world = World(starting_at(START_JOINTS, PERIOD))
    for _ in range(4):
        world.seq += 1
        applied = world.send(FORWARD)
        hear(world, **status)
    assert world.state.mode == mode
    assert not applied.velocity.any()
    assert np.array_equal(world.state.joints, START_JOINTS)
    assert any("enable it first" in reason for reason in applied.reasons)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"connected": False}, "no link to the robot"),
        ({"enabled": False}, "motors are off"),
        ({"stopped": True}, "own stop is in force"),
        ({"error": True}, "reports a fault"),
        ({"verified": False, "detail": "tip off by 9 mm"}, "do not agree with the model: tip off by 9 mm"),
    ],
)
def test_an_arm_that_is_not_fit_is_not_armed_and_says_why(status: dict[str, object], words: str) -> None:
    measured = replace(arm_state(START_JOINTS, 0.0), status=ArmStatus(**status))  # type: ignore[arg-type]
    with pytest.raises(ArmError, match=words):
        arm(starting_at(START_JOINTS, PERIOD), measured)


def test_arming_begins_where_the_arm_is() -> None:
    moved = START_JOINTS + 0.05
    state = arm(starting_at(START_JOINTS, PERIOD), arm_state(moved, 0.0))
    assert (state.mode, state.armed) == ("ARMED", True)
    assert np.array_equal(state.joints, moved)


def test_the_robots_own_stop_ends_the_motion_in_the_same_tick_and_never_resumes_by_itself() -> None:
    world = moving()
    state = hear(world, stopped=True, enabled=False)
    assert state.mode == "ESTOP"
    assert state.at_rest
    assert not state.joint_velocity.any()
    for _ in range(5):  # released and enabled again by somebody at the robot
        assert hear(world).mode == "ESTOP"
        assert not world.send(FORWARD).velocity.any()
    with pytest.raises(ArmError, match="ESTOP"):
        arm(world.state, world.seen())
    world.state = reset_fault(world.state)
    assert hear(world).mode == "IDLE"
    assert not world.send(FORWARD).velocity.any()
    world.state = arm(world.state, world.seen())
    assert world.send(FORWARD).velocity.any()


def test_a_stop_that_is_still_pressed_cannot_be_reset() -> None:
    world = moving()
    hear(world, stopped=True, enabled=False)
    world.state = reset_fault(world.state)
    assert hear(world, stopped=True, enabled=False).mode == "ESTOP"


@pytest.mark.parametrize(
    ("status", "fault"),
    [({"collision": True}, "collision"), ({"error": True}, "robot"), ({"connected": False}, "state"),
     ({"verified": False}, "robot")],
)  # fmt: skip
def test_what_a_moving_robot_reports_latches_a_fault(status: dict[str, bool], fault: str) -> None:
    world = moving()
    assert hear(world, **status).mode == "FAULT"
    assert world.state.fault == fault
    for _ in range(6):
        hear(world)
        assert not (world.send(FORWARD).velocity * FORWARD).sum() > 0.1 * 0.1
    assert world.state.mode == "FAULT"
    assert world.state.at_rest
    world.state = reset_fault(world.state)
    if "connected" in status or "verified" in status:
        assert hear(world).mode == "IDLE", "what ends the fitness ends the arming"
    else:
        assert world.send(FORWARD).velocity.any()


def test_motors_switched_off_disarm_and_a_stop_pressed_meanwhile_stays() -> None:
    world = moving()
    assert hear(world, enabled=False).mode == "DISABLED"
    assert world.state.at_rest
    assert hear(world).mode == "IDLE"
    world.state = stop(world.state, "a person")
    assert hear(world, enabled=False).mode == "FAULT"
    assert hear(world).mode == "FAULT"
    world.state = reset_fault(world.state)
    assert hear(world).mode == "IDLE"


def test_a_replayed_command_is_dropped_and_a_sender_may_start_anew() -> None:
    world = moving()
    old = world.state.command
    assert old is not None
    for _ in range(2):
        world.tick(None)
    world.send([0.0, float("nan"), 0.0])  # nothing is in force any more
    applied = world.tick(replace(old, velocity=-FORWARD))
    assert "seq" in world.names(applied) or "action" in world.names(applied)
    assert not (applied.velocity < 0.0).any()
    world.seq = 0
    assert world.send(FORWARD).velocity.any()
