"""Each limit of the envelope, with numbers worked out by hand. `make mutants` loosens each in turn and runs this."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.body import body, body_points
from gmps_robot.control.guard_joints import Joints, forbidden, joints_now, margin_names, slow_down
from gmps_robot.control.guard_state import arm, stop
from gmps_robot.control.kinematics import forward, joint_limits, joints_at, neutral_joints
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.errors import ArmError
from gmps_robot.types import SafetyEnvelope, SourceLimits
from tests.unit.guard_world import (
    BOX,
    ENVELOPE,
    HARD,
    START,
    START_JOINTS,
    World,
    arm_state,
    armed_at,
    in_force,
    pushed,
)

FAST = 0.01  # a robot's period [s]
FORWARD = np.array([0.1, 0.0, 0.0])
NAMES = margin_names()


def world_at(place: tuple[float, float, float], period: float = 0.05, **changes: object) -> World:
    return World(armed_at(joints_at(place), period), envelope=replace(ENVELOPE, **changes))  # type: ignore[arg-type]


def sideways(world: World, source: str = "policy", speed: float = 0.1, steps: int = 6) -> World:
    for _ in range(steps):
        world.send([0.0, speed, 0.0], source)
    return world


# Speed, acceleration, jerk


@pytest.mark.parametrize(("source", "limit"), [("policy", 0.20), ("teleop", 0.20), ("reset", 0.15)])
def test_each_source_has_its_speed(source: str, limit: float) -> None:
    world = sideways(World(), source, speed=1.0)
    assert np.linalg.norm(world.state.velocity) == pytest.approx(limit)


def test_the_hard_cap_holds_for_a_source_that_may_go_faster() -> None:
    world = sideways(World(envelope=replace(ENVELOPE, policy=SourceLimits(1.0, *BOX))), speed=1.0)
    assert np.linalg.norm(world.state.velocity) == pytest.approx(0.25)


def test_acceleration_at_the_policy_period_is_two() -> None:
    assert World().send([0.0, 0.2, 0.0]).velocity[1] == pytest.approx(2.0 * 0.05)


def test_acceleration_of_a_robot_grows_by_the_jerk_and_ends_at_two() -> None:
    world = World(armed_at(START_JOINTS, FAST))
    speeds = [world.send([0.0, 0.2, 0.0]).velocity[1] for _ in range(20)]
    rises = np.diff([0.0, *speeds]) / FAST
    assert rises[:4] == pytest.approx([0.8, 1.6, 2.0, 2.0], abs=1e-9)  # 80 m/s^3 for 10 ms each
    assert np.abs(np.diff(rises)).max() <= 80.0 * FAST + 1e-9
    assert speeds[-1] == pytest.approx(0.2)
    assert max(speeds) <= 0.2 + 1e-12


@pytest.mark.parametrize(("period", "first"), [(0.05, 0.05), (FAST, 0.17)])
def test_a_stop_brakes_by_three(period: float, first: float) -> None:
    world = sideways(World(armed_at(START_JOINTS, period)), speed=0.2, steps=30 if period == FAST else 4)
    speed = np.array([0.0, 0.2, 0.0])
    assert np.linalg.norm(world.tick(None, world.seen(stamp_ns=0, tip_velocity=speed)).velocity) == pytest.approx(first)


def test_the_tool_turns_back_at_half_a_radian_per_second() -> None:
    turned = START_JOINTS + 0.3 * np.eye(7)[6]
    world = World(armed_at(turned))
    for _ in range(4):
        world.send([0.0, 0.0, 0.0], "teleop")
        turning = forward(world.state.joints[None]).jacobian[0, 3:] @ world.state.joint_velocity
        assert np.linalg.norm(turning) == pytest.approx(0.5, rel=0.02)


# Walls of the tip


@pytest.mark.parametrize("source", ["policy", "teleop", "reset"])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_wall_is_reached_and_not_passed(source: str, axis: int, side: int) -> None:
    low, high = BOX if source == "policy" else HARD
    wall = (low, high)[side > 0][axis]
    place = np.array([0.5, 0.0, 0.03])
    place[axis] = wall - side * 0.008
    freed = {"finger_clearance": -0.1, "condition_zone": 900.0, "condition_limit": 1000.0, "joint_speed_share": 5.0}
    world = world_at(tuple(place), **freed)
    for _ in range(20):
        world.send(0.1 * side * np.eye(3)[axis], source)
        assert side * (world.state.tip_target[axis] - wall) <= 1e-9
    assert world.state.tip_target[axis] == pytest.approx(wall, abs=5e-4)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_hard_box_cuts_a_source_that_may_go_further(axis: int, side: int) -> None:
    wide = SourceLimits(0.2, (0.0, -1.0, -1.0), (2.0, 1.0, 1.0))
    wall = HARD[side > 0][axis]
    place = np.array([0.5, 0.0, 0.03])
    place[axis] = wall - side * 0.008
    freed = {"finger_clearance": -0.1, "condition_zone": 900.0, "condition_limit": 1000.0, "joint_speed_share": 5.0}
    world = world_at(tuple(place), teleop=wide, **freed)
    for _ in range(20):
        world.send(0.1 * side * np.eye(3)[axis], "teleop")
    assert world.state.tip_target[axis] == pytest.approx(wall, abs=5e-4)


@pytest.mark.parametrize(("beyond", "mode"), [(0.009, "MOVING"), (0.011, "FAULT")])
def test_a_measured_tip_ten_millimetres_outside_is_a_fault(beyond: float, mode: str) -> None:
    world = sideways(World(), "teleop")
    world.seq += 1
    tip = np.array([0.5, 0.24 + beyond, 0.1])
    world.envelope = replace(ENVELOPE, tracking_tolerance=1.0)
    world.send([0.0, 0.1, 0.0], "teleop")
    world.tick(None, world.seen(tip_position=tip))
    assert world.state.mode == mode


# The body above the table and inside its box


def lowest(world: World, finger: bool) -> float:
    points = body_points(forward(world.state.joints[None]))[:, 2] - body().radius
    return float(points[body().finger == finger].min())


def test_fingers_keep_ten_millimetres_above_the_table_wherever_that_is() -> None:
    world = world_at((0.5, 0.0, 0.08), table_height=0.02)
    for _ in range(60):
        world.send([0.0, 0.0, -0.1], "teleop")
        assert lowest(world, finger=True) >= 0.03 - 2e-4
    assert lowest(world, finger=True) == pytest.approx(0.03, abs=2.5e-3)
    assert world.names(world.send([0.0, 0.0, -0.1], "teleop")) >= {"table, fingers"}
    for _ in range(10):
        world.send([0.0, 0.0, 0.1], "teleop")
    assert lowest(world, finger=True) > 0.05, "leaving is always allowed"


def test_the_hand_keeps_thirty_millimetres_and_slows_down_in_the_last_twenty() -> None:
    world = world_at((0.5, 0.0, 0.12), table_height=0.07, finger_clearance=-0.2)
    heights = []
    for _ in range(120):
        world.send([0.0, 0.0, -0.15], "teleop")
        heights.append(lowest(world, finger=False))
    assert min(heights) >= 0.10 - 1e-6
    assert heights[-1] == pytest.approx(0.10, abs=4e-3)
    speeds = -np.diff(heights) / world.period
    near = np.array(heights[:-1]) < 0.10 + 0.01
    assert speeds[near].max() < 0.15 * 0.6, "half way into the zone the speed is down to a half"
    assert speeds[np.array(heights[:-1]) > 0.13].max() > 0.14


@pytest.mark.parametrize(("left", "share"), [(0.015, 0.75), (0.010, 0.5), (0.021, 1.0)])
def test_the_zone_in_which_the_body_slows_down_is_twenty_millimetres(left: float, share: float) -> None:
    hand = lowest(world_at((0.5, 0.0, 0.12)), finger=False)
    envelope = in_force(replace(ENVELOPE, finger_clearance=-0.2, link_clearance=0.0, table_height=hand - left))
    now, lower = (joints_now(envelope, joints_at((0.5, 0.0, z))) for z in (0.12, 0.119))
    assert slow_down(envelope, now, lower)[0] == pytest.approx(share, abs=1e-6)


def test_margins_of_body_joints_and_singularity_are_distances_to_their_limits() -> None:
    now = joints_now(in_force(ENVELOPE), START_JOINTS)
    margins = dict(zip(NAMES, now.margins, strict=True))
    points, radius = body_points(now.pose), body().radius
    for axis, letter in enumerate("xyz"):
        low, high = (-0.40, -0.75, -0.05)[axis], (1.15, 0.75, 1.40)[axis]
        assert margins[f"link box {letter} low"] == pytest.approx((points[:, axis] - radius).min() - low)
        assert margins[f"link box {letter} high"] == pytest.approx(high - (points[:, axis] + radius).max())
    assert margins["table, fingers"] == pytest.approx(START[2] - 0.005 - 0.010, abs=5e-4)
    lower, upper = joint_limits()
    assert now.margins[:7] == pytest.approx(START_JOINTS - lower - 0.03)
    assert now.margins[7:14] == pytest.approx(upper - START_JOINTS - 0.03)
    assert margins["singularity"] == pytest.approx(30.0 - np.linalg.cond(now.pose.jacobian[0]))


@pytest.mark.parametrize(("axis", "side"), [(0, 1), (1, -1), (1, 1), (2, 1)])
def test_no_part_leaves_the_link_box(axis: int, side: int) -> None:
    def extreme(world: World) -> float:
        points, radius = body_points(forward(world.state.joints[None])), body().radius
        return float((side * points[:, axis] + radius).max())

    world = world_at((0.55, 0.0, 0.10))
    name, wall = ("link_box_high" if side > 0 else "link_box_low"), extreme(world) + 0.03
    corner = list(getattr(ENVELOPE, name))
    corner[axis] = side * wall
    world.envelope = replace(ENVELOPE, **{name: tuple(corner)})
    for _ in range(80):
        world.send(0.1 * side * np.eye(3)[axis], "teleop")
        assert extreme(world) <= wall
    assert extreme(world) > wall - 0.006


# Joints


def near_limit(distance: float, step: float) -> tuple[Joints, Joints]:
    """Joint 3 `distance` [rad] before its upper limit, and `step` further on."""
    angles = START_JOINTS.copy()
    angles[3] = joint_limits()[1][3] - distance
    return joints_now(in_force(FREE), angles), joints_now(in_force(FREE), angles + step * np.eye(7)[3])


FREE = replace(ENVELOPE, condition_zone=900.0, condition_limit=1000.0, link_clearance=-9.0, finger_clearance=-9.0,
               link_box_high=(9.0,) * 3, link_box_low=(-9.0,) * 3, jump=9.0)  # fmt: skip


@pytest.mark.parametrize(("distance", "share"), [(0.11, 1.0), (0.065, 0.5), (0.044, 0.2), (0.03, 0.0), (0.02, 0.0)])
def test_a_joint_slows_down_from_a_tenth_of_a_radian(distance: float, share: float) -> None:
    now, after = near_limit(distance, 0.001)
    assert slow_down(in_force(FREE), now, after)[0] == pytest.approx(share, abs=1e-9)
    assert slow_down(in_force(FREE), after, now) == (1.0, ""), "leaving is always allowed"


@pytest.mark.parametrize(("distance", "broken"), [(0.030 + 0.004, ""), (0.030 + 0.0025, "joint 3 high")])
def test_a_joint_keeps_its_margin(distance: float, broken: str) -> None:
    now, after = near_limit(distance, 0.001)
    assert forbidden(in_force(FREE), now, after, 0.0, 0.05) == broken
    assert forbidden(in_force(FREE), after, now, 0.0, 0.05) == ""


def test_a_step_is_forbidden_when_stopping_after_it_would_break_a_limit() -> None:
    now, after = near_limit(0.030 + 0.012, 0.005)
    assert forbidden(in_force(FREE), now, after, 0.0, 0.05) == ""
    assert forbidden(in_force(FREE), now, after, 0.29, 0.05) == ""  # 0.97 more such steps: 2.2 mrad are left
    assert forbidden(in_force(FREE), now, after, 0.36, 0.05) == "joint 3 high"  # 1.2 more


@pytest.mark.parametrize("joint", range(7))
def test_joints_turn_at_half_their_rated_speed(joint: int) -> None:
    turn = np.eye(7)[joint] * sawyer_model().links[joint].velocity * FAST
    now = joints_now(in_force(FREE), neutral_joints())
    slow, fast = (joints_now(in_force(FREE), neutral_joints() + share * turn) for share in (0.49, 0.51))
    assert forbidden(in_force(FREE), now, slow, 0.0, FAST) == ""
    assert forbidden(in_force(FREE), now, fast, 0.0, FAST) == "joint speed"


@pytest.mark.parametrize(("step", "broken"), [(0.019, ""), (0.021, "joint speed")])
def test_the_tip_never_jumps_by_more_than_twenty_millimetres(step: float, broken: str) -> None:
    envelope = in_force(replace(FREE, jump=0.02))
    now = joints_now(envelope, joints_at((0.55, 0.0, 0.1)))
    after = joints_now(envelope, joints_at((0.55, step, 0.1)))
    assert forbidden(envelope, now, after, 0.0, 1.0) == broken


def condition(world: World) -> float:
    return float(np.linalg.cond(forward(world.state.joints[None]).jacobian[0]))


def test_a_singularity_slows_down_from_seventeen_and_is_never_reached_at_thirty() -> None:
    world = world_at((0.70, 0.20, 0.25))
    conditions, shares = [], []
    for _ in range(160):
        before = condition(world)
        applied = world.send([0.15, 0.0, 0.0], "teleop")
        conditions.append(condition(world))
        if "singularity" in world.names(applied):
            shares.append((before, np.linalg.norm(applied.velocity) / 0.15))
    assert max(conditions) <= 30.0
    assert shares[0][0] == pytest.approx(17.0, abs=1.0)
    assert max(conditions) > 25.0
    for before, share in shares:
        assert share <= (30.0 - before) / 13.0 + 0.35
    away = [condition(world) for _ in range(15) if world.send([-0.15, 0.0, 0.0], "teleop")]
    assert away[-1] < 17.0, "leaving is always allowed"


def share_at(envelope: SafetyEnvelope, place: tuple[float, float, float]) -> float:
    now = joints_now(envelope, joints_at(place))
    further = joints_now(envelope, joints_at((place[0] + 0.002, *place[1:])))
    return slow_down(envelope, now, further)[0]


def test_the_slow_down_is_linear_in_the_condition_number() -> None:
    place = (0.82, 0.18, 0.2)
    number = float(np.linalg.cond(forward(joints_at(place)[None]).jacobian[0]))
    assert 18.0 < number < 29.0
    assert share_at(in_force(replace(ENVELOPE)), place) == pytest.approx((30.0 - number) / 13.0)


# Force


def press(world: World, newton: float, ticks: int) -> int:
    """Feel `newton` for up to `ticks`; return the tick in which the guard latched, 0 when it did not."""
    for tick in range(1, ticks + 1):
        world.seq += 1
        world.tick(None, world.seen(wrench=np.array([0.0, 0.0, newton, 0.0, 0.0, 0.0])))
        if world.state.fault == "force":
            return tick
    return 0


def test_force_is_filtered_and_twenty_newton_stop() -> None:
    def ticks(newton: float) -> int:
        return press(World(armed_at(START_JOINTS, FAST)), newton, 100)

    assert ticks(25.0) == 9  # 25 (1 - exp(-0.01 n / 0.05)) > 20
    assert ticks(39.0) == 4
    assert ticks(21.0) == 16
    assert ticks(19.5) == 0


def test_a_single_sample_of_forty_newton_stops() -> None:
    assert press(World(armed_at(START_JOINTS, FAST)), 39.0, 1) == 0
    assert press(World(armed_at(START_JOINTS, FAST)), 41.0, 1) == 1


@pytest.mark.parametrize(("newton", "warned"), [(9.8, False), (10.2, True)])
def test_ten_newton_are_said(newton: float, warned: bool) -> None:
    world = World()
    for _ in range(30):
        applied = world.tick(None, world.seen(wrench=np.array([newton, 0.0, 0.0, 0.0, 0.0, 0.0])))
    assert ("force" in world.names(applied)) == warned
    assert world.state.mode != "FAULT"


def test_the_weight_of_the_tool_is_no_contact() -> None:
    world = World(replace(armed_at(START_JOINTS, FAST), mode="IDLE", armed=False))
    weight = np.array([0.0, 0.0, -30.0, 0.0, 0.0, 0.0])
    for _ in range(50):  # the wrench is felt before the arm is armed
        world.tick(None, world.seen(wrench=weight))
    world.state = arm(world.state, world.seen(wrench=weight))
    for _ in range(50):
        world.tick(None, world.seen(wrench=weight))
    assert world.state.mode == "ARMED"
    assert world.state.force.level == pytest.approx(0.0, abs=0.1)
    assert press(world, 41.0 - 30.0, 1) == 1


def test_an_arm_whose_force_is_not_known_is_not_armed() -> None:
    world = World(replace(armed_at(START_JOINTS, FAST), mode="IDLE", armed=False))
    with pytest.raises(ArmError, match="wrench"):
        arm(world.state, world.seen(wrench=np.full(6, np.nan)))


@pytest.mark.parametrize("period", [0.05, FAST])
def test_after_a_contact_the_arm_goes_back_twenty_millimetres_and_stays(period: float) -> None:
    world = World(armed_at(START_JOINTS, period))
    sideways(world, speed=0.1, steps=round(0.8 / period))
    assert press(world, 41.0, 1) == 1
    contact = world.state.tip_target.copy()
    for _ in range(round(1.5 / period)):
        world.send(FORWARD, "teleop")
    assert contact[1] - world.state.tip_target[1] == pytest.approx(0.020, abs=3e-3)
    assert world.state.at_rest
    assert world.state.mode == "FAULT"


@pytest.mark.parametrize("source", ["policy", "teleop", "reset"])
def test_an_arm_that_lags_behind_its_command_goes_back_from_where_it_is(source: str) -> None:
    world = World(armed_at(START_JOINTS, FAST))
    sideways(world, source, 0.15, steps=120)
    lagging = arm_state(pushed(world.state.joints, np.array([0.0, -0.015, 0.0])), world.now)
    contact = lagging.tip_position[1]
    world.tick(None, replace(lagging, wrench=np.array([0.0, -61.0, 0.0, 0.0, 0.0, 0.0])))
    assert world.state.fault == "force"
    for _ in range(200):
        pressing = np.array([0.0, -61.0 if world.state.tip_target[1] > contact - 0.003 else 0.0, 0.0, 0.0, 0.0, 0.0])
        world.tick(None, world.seen(wrench=pressing, tip_velocity=world.state.velocity))
    assert contact - world.state.tip_target[1] == pytest.approx(0.020, abs=4e-3)
    assert (world.state.at_rest, world.state.mode) == (True, "FAULT")


def test_a_way_back_into_something_else_is_given_up() -> None:
    world = World(armed_at(START_JOINTS, FAST))
    sideways(world, speed=0.1, steps=80)
    assert press(world, 41.0, 1) == 1
    contact = world.state.tip_target.copy()
    for _ in range(150):
        behind = contact[1] - world.state.tip_target[1]
        wrench = np.array([0.0, 30.0 if behind > 0.005 else 0.0, 0.0, 0.0, 0.0, 0.0])
        world.tick(None, world.seen(wrench=wrench, tip_velocity=world.state.velocity))
    assert not world.state.retreat
    assert world.state.at_rest
    assert contact[1] - world.state.tip_target[1] < 0.016


def test_a_stop_of_a_person_ends_the_way_back() -> None:
    world = World(armed_at(START_JOINTS, FAST))
    sideways(world, speed=0.1, steps=80)
    assert press(world, 41.0, 1) == 1
    while not (world.state.source == "reset" and not world.state.at_rest):
        world.tick()
    begun = world.state.tip_target.copy()
    world.state = stop(world.state, "a person")
    for _ in range(100):
        world.tick()
    assert world.state.at_rest
    assert np.linalg.norm(world.state.tip_target - begun) < 0.002  # of the 20 mm


# Freshness, clock, tracking


@pytest.mark.parametrize(
    ("source", "image", "age", "taken"),
    [
        ("policy", None, 0.149, True), ("policy", None, 0.151, False),
        ("teleop", None, 0.249, True), ("teleop", None, 0.251, False),
        ("policy", 0.199, 0.0, True), ("policy", 0.201, 0.0, False),
    ],
)  # fmt: skip
def test_how_old_a_command_and_its_image_may_be(source: str, image: float | None, age: float, taken: bool) -> None:
    world = World()
    stamps = {"stamp_ns": round((world.now - age) * 1e9)}
    if image is not None:
        stamps["image_stamp_ns"] = round((world.now - image) * 1e9)
    assert world.send(FORWARD, source, **stamps).velocity.any() == taken


@pytest.mark.parametrize(("age", "mode"), [(0.049, "MOVING"), (0.051, "HOLD"), (0.49, "HOLD"), (0.51, "FAULT")])
def test_how_old_the_robots_state_may_be(age: float, mode: str) -> None:
    world = sideways(World())
    stamp = round((world.now - age) * 1e9)
    world.tick(None, world.seen(stamp_ns=stamp, tip_velocity=world.state.velocity))
    assert world.state.mode == mode


@pytest.mark.parametrize(("late", "mode"), [(3, "MOVING"), (4, "HOLD")])
@pytest.mark.parametrize("period", [0.05, FAST])
def test_more_than_three_late_periods_in_a_second_hold(period: float, late: int, mode: str) -> None:
    world = World(armed_at(START_JOINTS, period))
    world.send(FORWARD)
    for _ in range(late):
        world.now += 1.1 * period
        world.send(FORWARD)
    assert world.state.mode == mode
    world.now += 1.0 - 1.0 * period
    world.send(FORWARD)
    world.send(FORWARD)
    assert world.state.mode == "MOVING"


@pytest.mark.parametrize(("behind", "fault"), [(0.048, ""), (0.053, "tracking")])
def test_an_arm_that_does_not_follow_is_a_fault(behind: float, fault: str) -> None:
    world = sideways(World(), steps=20)
    world.seq += 1
    world.tick(None, world.seen(tip_position=world.state.tip_target - [0.0, behind, 0.0]))
    assert world.state.fault == fault


@pytest.mark.parametrize(("speed", "fault"), [(0.29, ""), (0.31, "tracking")])
def test_an_arm_that_runs_away_is_a_fault(speed: float, fault: str) -> None:
    world = sideways(World(), steps=4)
    world.tick(None, world.seen(tip_velocity=np.array([0.0, speed, 0.0])))
    assert world.state.fault == fault


@pytest.mark.parametrize(("bad", "mode"), [(2, "HOLD"), (3, "FAULT")])
def test_three_bad_commands_in_a_row_are_a_fault(bad: int, mode: str) -> None:
    world = sideways(World())
    for _ in range(bad):
        world.send([0.0, float("nan"), 0.0])
    assert world.state.mode == mode
