"""An arm that people have led elsewhere, as after every stop: whatever is asked of it next, it begins where it is."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.control.body import body, body_points
from gmps_robot.control.kinematics import forward, joints_at, tool_turn
from gmps_robot.errors import ArmError
from tests.unit.velocity_robot import FAMILY, Led

START, ELSEWHERE = (0.5, -0.1, 0.1), (0.6, 0.15, 0.15)
HOME_SPEED = FAMILY.envelope.reset.speed + 0.01  # [m/s]


def after_a_stop() -> Led:
    led = Led(START)
    led.arm.stop("a person")
    led.run(0.1)
    led.lead(joints_at(ELSEWHERE))
    led.arm.reset_fault()
    return led


def test_it_goes_home_no_faster_than_ever_and_arrives() -> None:
    led = after_a_stop()
    led.homing = True
    led.run(0.3)
    assert led.arm.guard_state.mode == "MOVING"
    led.run(10.0)
    assert max(led.robot.speeds) < HOME_SPEED
    assert not led.homing
    assert np.linalg.norm(led.robot.tip - FAMILY.start_tip) < 0.005


@pytest.mark.parametrize("again", [False, True])
def test_it_does_not_move_by_itself(again: bool) -> None:
    led = after_a_stop()
    if again:
        led.arm.enable(True)
    else:
        led.velocity = np.zeros(3)
    led.run(1.0)
    assert max(led.robot.speeds) < 0.01
    assert np.linalg.norm(led.robot.tip - ELSEWHERE) < 0.005


def test_an_arm_led_away_from_its_home_goes_home_although_its_command_is_there() -> None:
    led = Led(FAMILY.start_tip)
    led.lead(joints_at(ELSEWHERE))
    led.homing = True
    led.run(10.0)
    assert np.linalg.norm(led.robot.tip - FAMILY.start_tip) < 0.005
    assert max(led.robot.speeds) < HOME_SPEED


def test_a_resting_arm_that_is_touched_stays_where_it_is() -> None:
    led = Led(START)
    led.velocity = np.array([0.0, 0.1, 0.0])
    led.run(0.8)
    led.velocity = None
    led.run(0.6)
    led.lead(joints_at((0.57, 0.0, 0.12)))
    place = led.robot.tip
    led.robot.wrench = np.array([0.0, 0.0, 65.0, 0.0, 0.0, 0.0])
    led.run(0.02)
    led.robot.wrench = np.zeros(6)
    led.run(1.0)
    assert led.arm.guard_state.fault == "force"
    assert np.linalg.norm(led.robot.tip - place) < 0.005


def test_with_the_tool_tilted_by_hand_the_fingers_keep_off_the_table() -> None:
    """The tip is where it was, so only the joints tell; the fingers' corners hang lower than the model had them."""
    led = Led((0.5, 0.0, 0.08))
    tilted = joints_at((0.5, 0.0, 0.08))
    for _ in range(60):  # turn the wrist, and hold the tip
        pose = forward(tilted[None])
        step = np.linalg.pinv(pose.jacobian[0, :3]) @ (np.array([0.5, 0.0, 0.08]) - pose.position[0])
        tilted = tilted + step
        if tool_turn(forward(tilted[None]).rotation[0]) < 0.35:
            tilted[5] += 0.03
    assert np.linalg.norm(forward(tilted[None]).position[0] - (0.5, 0.0, 0.08)) < 0.005
    led.lead(tilted)
    led.velocity = np.array([0.0, 0.0, -0.1])
    lowest = np.inf
    for _ in range(120):
        led.run(0.01)
        lowest = min(lowest, body_points(forward(led.robot.joints[None]))[body().finger][:, 2].min())
    assert "resync" in led.reasons
    assert lowest > 0.008  # 10 mm are kept by what is commanded


def test_a_joint_that_something_holds_is_a_fault() -> None:
    led = Led(START)
    led.velocity = np.array([0.0, 0.1, 0.0])
    led.run(0.5)
    held = led.robot.joints.copy()
    null = np.linalg.svd(forward(held[None]).jacobian[0])[2][-1]  # the elbow swings, the tip stays
    led.robot.joints = held + null * 0.35 / np.abs(null).max()
    led.run(0.02)
    assert led.arm.guard_state.fault == "tracking"
    assert "rad from where it was sent" in led.arm.guard_state.fault_reason


def test_an_arm_that_is_set_in_motion_while_it_is_enabled_anew_is_not_tared() -> None:
    led = Led(START)
    before = led.arm.guard_state.force.bias
    led.velocity = np.array([0.0, 0.1, 0.0])  # comes while the robot follows its switch
    led.robot.wrench = np.array([5.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ArmError, match="in motion"):
        led.arm.enable(True)
    assert np.array_equal(led.arm.guard_state.force.bias, before)
