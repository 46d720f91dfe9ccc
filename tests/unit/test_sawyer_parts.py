"""What the driver makes of the robot's words, without a robot: partial states, stamps that stand still, a gripper."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gmps_robot.control.kinematics import forward, joints_at
from gmps_robot.sawyer import checks
from gmps_robot.sawyer.gripper import STROKE, Gripper
from gmps_robot.sawyer.heard import NAMES, Heard, Robot, Tip
from gmps_robot.sawyer.messages import make, nanoseconds, stamp

SECOND, ONES = 1_000_000_000, np.ones(7)


def joints(time_ns: int, names: tuple[str, ...] = NAMES, value: float = 0.5) -> Any:
    header = make("std_msgs/Header", stamp=stamp(time_ns))
    values = np.full(len(names), value)
    return make("sensor_msgs/JointState", header=header, name=list(names), position=values, velocity=values)


def test_partial_states_are_merged_by_name_and_the_oldest_joint_counts() -> None:
    heard = Heard()
    heard.on_joints(joints(SECOND, ("head_pan", *NAMES[:3])), 1.0)
    assert not np.isfinite(heard.robot().joints_s)
    heard.on_joints(joints(2 * SECOND, NAMES[3:], 0.7), 2.0)
    robot = heard.robot()
    assert robot.joints.tolist() == [0.5] * 3 + [0.7] * 4
    assert robot.joints_s == 1.0


def test_a_stamp_that_stands_still_is_an_old_state_whatever_comes() -> None:
    heard = Heard()
    for receipt in (1.0, 1.01, 1.02):
        heard.on_joints(joints(SECOND), receipt)
    assert heard.robot().joints_s == 1.0


@pytest.mark.parametrize("jump_ns", [-3600 * SECOND, 3600 * SECOND])
def test_a_clock_that_jumps_does_not_make_states_old(jump_ns: int) -> None:
    heard = Heard()
    heard.on_joints(joints(7200 * SECOND), 1.0)
    heard.on_joints(joints(7200 * SECOND + jump_ns), 1.01)
    assert heard.robot().joints_s == 1.01


def test_what_is_not_finite_or_was_overtaken_is_dropped_as_a_whole() -> None:
    heard = Heard()
    heard.on_joints(joints(SECOND), 1.0)
    heard.on_joints(joints(SECOND + 20_000_000, value=np.nan), 1.02)
    heard.on_joints(joints(SECOND - 10_000_000, value=0.9), 1.03)
    robot = heard.robot()
    assert (robot.joints[0], robot.joints_s, robot.rejected) == (0.5, 1.0, 2)


def tips(time_ns: int, *valid: bool, names: tuple[str, ...] = ("right_hand", "right_gripper_tip")) -> Any:
    header = make("std_msgs/Header", stamp=stamp(time_ns))
    states = [make("intera_core_msgs/EndpointState", valid=flag) for flag in valid]
    return make("intera_core_msgs/EndpointStates", header=header, names=list(names), states=states)


def test_a_tip_that_the_robot_calls_not_valid_is_not_used_and_grows_old() -> None:
    heard = Heard()
    heard.on_tips(tips(SECOND, True, True), 1.0)
    for k, flags in enumerate([(True, False), (False, True), (False, False)], start=1):
        heard.on_tips(tips(SECOND + 10_000_000 * k, *flags), 1.0 + 0.01 * k)
        robot = heard.robot()
        assert (robot.tips_s, robot.rejected, robot.tips_valid) == (1.0, k, False)
        assert "not valid" in checks.kinematics_problem(robot)
    heard.on_tips(tips(2 * SECOND, True, True), 2.0)
    assert (heard.robot().tips_s, heard.robot().tips_valid) == (2.0, True)


def test_a_tip_that_nobody_asks_for_may_be_not_valid() -> None:
    heard = Heard()
    heard.on_tips(tips(SECOND, True, False, names=("right_gripper_tip", "right_hand_camera")), 1.0)
    assert (heard.robot().tips_s, heard.robot().tips_valid) == (1.0, True)


def torques(time_ns: int, names: tuple[str, ...] = NAMES, **terms: object) -> Any:
    header = make("std_msgs/Header", stamp=stamp(time_ns))
    return make("intera_core_msgs/SEAJointState", header=header, name=list(names), **terms)


def test_residual_torque_is_what_gravity_and_drive_train_do_not_explain_by_name() -> None:
    heard, names = Heard(), ("head_pan", *reversed(NAMES))
    assert heard.robot().residual_torque.shape == (0,)
    row = np.arange(8.0)
    models = {"gravity_model_effort": 10.0 + row, "hysteresis_model_effort": 0.5 * row}
    unused = {"gravity_only": 99.0 + row, "interaction_torque": 99.0 + row}
    heard.on_torques(torques(SECOND, names, actual_effort=12.0 + 2.0 * row, **models, **unused), 1.0)
    assert heard.robot().residual_torque == pytest.approx(2.0 + 0.5 * row[:0:-1])  # of the last joint first
    models["crosstalk_model_effort"] = np.full(8, 0.25)
    heard.on_torques(torques(2 * SECOND, names, actual_effort=12.0 + 2.0 * row, **models), 2.0)
    assert heard.robot().residual_torque == pytest.approx(1.75 + 0.5 * row[:0:-1])
    assert heard.robot().residual_s == 2.0


@pytest.mark.parametrize(
    ("names", "terms"),
    [
        (NAMES, {"actual_effort": np.nan * ONES, "gravity_model_effort": ONES}),
        (NAMES, {"actual_effort": ONES}),
        (NAMES, {"gravity_model_effort": ONES}),
        (NAMES, {"actual_effort": ONES, "gravity_model_effort": ONES, "hysteresis_model_effort": np.ones(3)}),
        (NAMES[1:], {"actual_effort": ONES[1:], "gravity_model_effort": ONES[1:]}),
    ],
    ids=["not finite", "no model", "no effort", "half a model", "a joint missing"],
)
def test_torques_that_do_not_say_all_are_dropped_and_those_before_grow_old(
    names: tuple[str, ...], terms: dict[str, object]
) -> None:
    heard = Heard()
    heard.on_torques(torques(SECOND, actual_effort=np.ones(7), gravity_model_effort=np.zeros(7)), 1.0)
    heard.on_torques(torques(SECOND + 10_000_000, names, **terms), 1.01)
    heard.on_torques(torques(SECOND, actual_effort=np.full(7, 9.0), gravity_model_effort=np.zeros(7)), 1.02)  # a repeat
    robot = heard.robot()
    assert (robot.residual_s, robot.rejected) == (1.0, 1)


def test_a_pressed_button_is_a_stop() -> None:
    heard = Heard()
    heard.on_assembly(make("intera_core_msgs/RobotAssemblyState", enabled=True, estop_button=1), 1.0)
    assert heard.robot().assembly.stopped
    assert heard.robot().assembly.pressed


@pytest.mark.parametrize(("off", "told"), [(0.004, ""), (0.006, "right_gripper_tip is 6.0 mm")])
def test_kinematics_are_compared_with_the_robots_own_tip(off: float, told: str) -> None:
    angles = joints_at((0.5, 0.1, 0.1))
    pose = forward(angles[None])
    place = pose.position[0] + np.array([0.0, off, 0.0])
    tip = Tip("right_gripper_tip", place, quaternion(pose.rotation[0]), np.zeros(3), np.zeros(6))
    problem = checks.kinematics_problem(Robot(angles, np.zeros(7), tips=(tip,)))
    assert problem.startswith(told)
    assert bool(problem) == bool(told)
    assert "has not told" in checks.kinematics_problem(Robot(angles, np.zeros(7)))


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """x y z w of a rotation by nearly half a turn."""
    values, vectors = np.linalg.eigh(rotation + rotation.T)
    axis = vectors[:, np.argmax(values)]
    half = 0.5 * np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0))
    r = rotation
    sign = np.sign(axis @ [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    return np.append((sign or 1.0) * np.sin(half) * axis, np.cos(half))


class Said:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def publish(self, message: Any) -> None:
        self.messages.append(message)

    def acknowledge(self, gripper: Gripper, opening: float) -> None:
        signal = make("intera_core_msgs/IODataStatus", name="position_response_m", data=json.dumps([opening]))
        times = [message.time for message in self.messages]
        gripper.on_state(make("intera_core_msgs/IODeviceStatus", signals=[signal], commands=times), 0.0)


def test_a_gripper_command_is_repeated_under_its_name_until_it_is_acknowledged() -> None:
    said = Said()
    gripper = Gripper(said)
    for k in range(26):
        assert gripper.drive(-0.5, 0.01 * k, SECOND) == ""
    assert 3 <= len(said.messages) <= 4
    assert len({nanoseconds(message.time) for message in said.messages}) == 1
    wanted = json.loads(said.messages[0].args)["signals"]["position_m"]["data"][0]
    assert wanted == pytest.approx(STROKE / 4)
    said.acknowledge(gripper, 0.01)
    assert gripper.drive(-0.5, 5.0, SECOND) == ""
    assert gripper.opening == 0.01
    sent = len(said.messages)
    gripper.drive(0.5, 5.1, SECOND - 5)  # a clock of day that went back: the name must be new all the same
    assert len(said.messages) == sent + 1
    assert nanoseconds(said.messages[-1].time) > nanoseconds(said.messages[0].time)


def test_a_gripper_that_does_not_answer_is_a_fault_and_nan_is_no_opening() -> None:
    said = Said()
    gripper = Gripper(said)
    said.acknowledge(gripper, float("nan"))
    assert gripper.opening == 0.0
    assert gripper.drive(0.0, 10.0, SECOND) == ""
    assert gripper.drive(0.0, 11.9, SECOND) == ""
    assert "no answer to a command for 2 s" in gripper.drive(0.0, 12.1, SECOND)
