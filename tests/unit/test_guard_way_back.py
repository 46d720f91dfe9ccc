"""The way back from a contact: 20 mm away from it, wherever the arm stands when it begins and however it came there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.guard_force import way_back
from gmps_robot.control.kinematics import joints_at
from gmps_robot.types import ArmStatus
from tests.unit.guard_world import START_JOINTS, World, arm_state, armed_at, pushed

FAST = 0.01  # a robot's period [s]
FELT = 0.003  # nearer than this to the contact it is felt [m]
SECONDS = 3.0


def sideways(world: World, *speeds: float, steps: int) -> World:
    for speed in speeds:
        for _ in range(steps):
            world.send([0.0, speed, 0.0], "reset")
    return world


def press(world: World, newton: float, aside: np.ndarray) -> np.ndarray:
    """Let the arm, `aside` (3,) [m] of its command, feel a contact that presses against +y until it is left.

    Returns how far the commanded tip is on the other side of it [m], (periods,).
    """
    here = replace(arm_state(pushed(world.state.joints, aside), world.now), tip_velocity=world.state.velocity)
    contact, away = here.tip_position[1], []
    world.tick(None, replace(here, wrench=np.array([0.0, -newton, 0.0, 0.0, 0.0, 0.0])))
    assert world.state.fault == "force"
    for _ in range(round(SECONDS / FAST)):
        away.append(contact - world.state.tip_target[1])
        felt = -newton if away[-1] < FELT else 0.0
        wrench = np.array([0.0, felt, 0.0, 0.0, 0.0, 0.0])
        world.tick(None, world.seen(wrench=wrench, tip_velocity=world.state.velocity))
    assert (world.state.at_rest, world.state.mode) == (True, "FAULT")
    return np.array(away)


@pytest.mark.parametrize("behind", [0.005, 0.010, 0.015])
def test_an_arm_that_was_pushed_beside_its_path_goes_back_all_the_way(behind: float) -> None:
    for across in np.arange(0.0, 0.0041, 0.0004):
        world = sideways(World(armed_at(START_JOINTS, FAST)), 0.15, steps=120)
        away = press(world, 61.0, np.array([across, -behind, 0.0]))
        assert away[-1] == pytest.approx(0.020, abs=2e-3), f"{across:.4f} m beside"
        assert np.diff(away).min() > -0.0025, "it first runs out forwards"
        assert np.diff(away)[np.argmin(away) :].min() > -2e-5, "and never turns round"


def test_what_was_pressed_hard_does_not_end_the_way_back_once_it_is_left() -> None:
    world = sideways(World(armed_at(START_JOINTS, FAST)), 0.15, steps=120)
    assert press(world, 400.0, np.array([0.0, -0.005, 0.0]))[-1] == pytest.approx(0.020, abs=2e-3)


def test_an_arm_that_went_to_and_fro_at_the_contact_does_not_go_through_it_again() -> None:
    world = World(armed_at(START_JOINTS, FAST))
    for _ in range(10):
        sideways(world, 0.1, -0.1, steps=20)
    away = press(sideways(world, 0.1, steps=20), 61.0, np.zeros(3))
    assert away[-1] == pytest.approx(away.max(), abs=1e-3)
    assert 0.008 < away[-1] < 0.021


def test_an_arm_that_came_in_small_steps_to_and_fro_goes_back_beyond_them() -> None:
    world = World(armed_at(START_JOINTS, FAST))
    for _ in range(12):
        sideways(world, 0.15, steps=8)
        sideways(world, -0.05, steps=6)
    assert press(sideways(world, 0.15, steps=8), 61.0, np.zeros(3))[-1] == pytest.approx(0.020, abs=3e-3)


def line(*places: float) -> tuple[np.ndarray, ...]:
    """Points of a path along one axis."""
    return tuple(np.array([place, 0.0, 0.0]) for place in places)


@pytest.mark.parametrize(
    ("path", "ways", "left"),
    [
        ((0.0, 0.01, 0.02, 0.03), (0.02, 0.01), 1),  # 20 mm back; what lies before it may be needed again
        ((0.0, 0.01, 0.02, 0.03, 0.04), (0.02, 0.01), 1),  # the arm never came as far as its command
        ((0.004, 0.012, 0.02, 0.03), (0.02, 0.012, 0.01), 1),  # it ends between two points
        ((0.02, 0.03), (0.02,), 0),  # no more is remembered
        ((0.00, 0.022, 0.028, 0.021, 0.03), (0.021,), 3),  # to and fro: not back to the contact
        ((0.00, 0.01, 0.022, 0.02, 0.03), (0.02, 0.022, 0.01), 1),  # a small step on the way is followed
        ((), (), 0),
    ],
)
def test_the_way_back_by_hand(path: tuple[float, ...], ways: tuple[float, ...], left: int) -> None:
    back, rest = way_back(line(*path), np.array([0.03, 0.0, 0.0]), 0.02)
    assert [point[0] for point in back] == pytest.approx(list(ways))
    assert len(rest) == left


def pressed(**changes: object) -> World:
    """An arm that has felt a contact and is on its way back, after a period with `changes` in what is measured."""
    world = sideways(World(armed_at(START_JOINTS, FAST)), 0.1, steps=60)
    world.tick(None, world.seen(wrench=np.array([0.0, -61.0, 0.0, 0.0, 0.0, 0.0]), tip_velocity=world.state.velocity))
    while world.state.source != "reset":
        world.tick(None, world.seen(tip_velocity=world.state.velocity))
    world.tick(None, world.seen(tip_velocity=world.state.velocity, **changes))
    return world


def gone_on(world: World) -> float:
    """How far the tip then goes back further [m]."""
    place = world.state.tip_target.copy()
    for _ in range(100):
        world.tick(None, world.seen(tip_velocity=world.state.velocity))
    assert (world.state.at_rest, world.state.mode, world.state.fault) == (True, "FAULT", "force")
    return float(np.linalg.norm(world.state.tip_target - place))


def test_a_way_back_ends_where_the_arm_is_not_seen_and_does_not_begin_again() -> None:
    assert gone_on(pressed()) > 0.015
    assert gone_on(pressed(stamp_ns=0)) < 0.002


def test_a_way_back_ends_with_another_fault_but_not_with_the_robots_own_word_for_the_contact() -> None:
    assert gone_on(pressed(status=ArmStatus(error=True))) < 0.002
    assert gone_on(pressed(status=ArmStatus(collision=True))) > 0.015


def test_a_way_back_ends_where_control_is_not_run_in_time() -> None:
    world = pressed()
    for _ in range(5):
        world.now += 0.02
        world.tick(None, world.seen(tip_velocity=world.state.velocity))
    assert not world.state.retreat
    assert gone_on(world) < 0.002


def test_an_arm_at_rest_that_is_touched_does_not_move() -> None:
    world = sideways(World(armed_at(START_JOINTS, FAST)), 0.1, steps=60)
    for _ in range(60):
        world.tick()
    place = world.state.tip_target
    world.tick(None, world.seen(wrench=np.array([0.0, 61.0, 0.0, 0.0, 0.0, 0.0])))
    assert world.state.fault == "force"
    for _ in range(100):
        world.tick()
    assert np.array_equal(world.state.tip_target, place)


def test_on_its_way_back_into_the_box_an_arm_minds_what_it_feels() -> None:
    world = World(armed_at(joints_at((0.5, 0.28, 0.1)), FAST))
    world.tick()
    assert world.state.fault == "outside"
    for _ in range(20):
        world.send([0.0, -0.2, 0.0], "teleop", measured=world.seen(tip_velocity=world.state.velocity))
    assert world.state.velocity[1] < -0.1
    world.send(
        [0.0, -0.2, 0.0], "teleop",
        measured=world.seen(wrench=np.array([0.0, 61.0, 0.0, 0.0, 0.0, 0.0]), tip_velocity=world.state.velocity),
    )  # fmt: skip
    assert world.state.fault == "force"
    for _ in range(60):
        world.send([0.0, -0.2, 0.0], "teleop")
    assert world.state.at_rest


def test_on_its_way_back_into_the_box_an_arm_that_is_held_is_a_fault() -> None:
    world = World(armed_at(joints_at((0.5, 0.32, 0.1)), FAST))
    held = world.seen()
    for _ in range(60):
        world.send([0.0, -0.2, 0.0], "teleop", measured=replace(held, stamp_ns=round(world.now * 1e9)))
    assert world.state.fault == "tracking"
    assert world.state.at_rest
