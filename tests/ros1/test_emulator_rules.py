"""The emulator's rules, seen over the wire: enable, stop, reset, e-stop, modes, time-out, gripper, parameters."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from gmps_robot.control.kinematics import forward
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.sawyer import messages
from tests.ros1.emulator_world import (
    GRIPPER,
    JOINT_STATES,
    JOINTS,
    LIMB,
    POSITION,
    STATES,
    TORQUE,
    TRAJECTORY,
    VELOCITY,
    Client,
    emulated,
)
from tests.ros1.ros1_world import ROSPY, until

SLOW = np.array([0.1, 0, 0, 0, 0, 0, 0])
BASE = JOINTS[0]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with emulated(seed=3) as made:
        yield made


@pytest.fixture
def enabled(client: Client) -> Client:
    client.enable()
    client.send(LIMB + "joint_command_timeout", data=0.1)
    until(lambda: client.emulator.describe()["timeout"] == 0.1, "the time-out is not taken")
    return client


def speed(client: Client) -> float:
    message = client.last(JOINT_STATES)
    return float(dict(zip(message.name, message.velocity, strict=True))[BASE])


def angle(client: Client) -> float:
    return float(client.emulator.describe()["joints"][0])


@pytest.mark.realtime
def test_a_disabled_robot_ignores_commands(client: Client) -> None:
    client.send("/robot/set_super_enable", data=False)
    client.next(STATES, "the robot is not disabled", lambda m: not m.enabled)
    start = angle(client)
    client.drive(SLOW, 0.3)
    assert abs(angle(client) - start) < 1e-3
    assert client.last(STATES).homed


@pytest.mark.realtime
def test_stop_ends_motion_and_only_reset_then_enable_bring_it_back(enabled: Client) -> None:
    client = enabled
    client.drive(SLOW, 0.5)
    assert speed(client) > 0.05
    sent = client.send("/robot/set_super_stop")
    seen = client.next(STATES, "the stop is not seen", lambda m: m.stopped and not m.enabled, sent)
    assert seen - sent < 0.1
    client.next(JOINT_STATES, "the arm does not stop", lambda m: np.abs(m.velocity).max() < 0.01, sent + 0.1)
    client.send("/robot/set_super_enable", data=True)
    time.sleep(0.5)
    assert not client.last(STATES).enabled  # a stopped robot does not enable
    client.send("/robot/set_super_reset")
    client.next(STATES, "no reset", lambda m: not m.stopped)
    time.sleep(0.4)
    state = client.last(STATES)
    assert (state.enabled, state.estop_button, state.estop_source) == (False, 0, 0)  # reset leaves it disabled
    client.enable()


def test_a_pressed_button_cannot_be_reset(enabled: Client) -> None:
    client = enabled
    pressed = client.emulator.inject("estop_press")
    client.next(STATES, "no e-stop", lambda m: (m.stopped, m.estop_button, m.estop_source) == (True, 1, 1), pressed)
    client.send("/robot/set_super_reset")
    time.sleep(0.3)
    assert client.last(STATES).stopped
    released = client.emulator.inject("estop_release")
    client.next(STATES, "not released", lambda m: m.stopped and m.estop_button == 3, released)
    client.enable()
    assert client.last(STATES).estop_button == 0


def test_a_fault_of_the_robot_stops_it_and_is_cleared_by_reset(enabled: Client) -> None:
    injected = enabled.emulator.inject("robot_error")
    enabled.next(STATES, "no fault", lambda m: m.error and m.stopped and m.estop_source == 3, injected)
    enabled.enable()
    assert not enabled.last(STATES).error


@pytest.mark.realtime
def test_velocity_mode_moves_at_the_velocity_and_times_out_into_a_hold(enabled: Client) -> None:
    client = enabled
    sent = client.drive(SLOW, 1.0)
    assert speed(client) == pytest.approx(0.1, abs=0.01)
    fall_back = until(lambda: client.emulator.events("timeout")[-1:], "no time-out")[0]["time"]
    assert 0.08 < fall_back - sent < 0.16  # 0.1 s, checked every 10 ms
    client.next(JOINT_STATES, "no hold", lambda m: np.abs(m.velocity).max() < 0.005, fall_back + 0.2)
    held = angle(client)
    time.sleep(0.3)
    assert abs(angle(client) - held) < 1e-3
    assert client.emulator.describe()["mode"] == POSITION


@pytest.mark.parametrize(("asked", "taken"), [(5.0, 1.0), (-1.0, 0.0), (0.1, 0.1)])
def test_the_time_out_is_clamped(client: Client, asked: float, taken: float) -> None:
    client.send(LIMB + "joint_command_timeout", data=asked)
    until(lambda: client.emulator.describe()["timeout"] == taken, f"not {taken}")


@pytest.mark.realtime
def test_position_mode_goes_there_at_the_share_of_the_speed(enabled: Client) -> None:
    client = enabled
    client.send(LIMB + "set_speed_ratio", data=0.2)
    until(lambda: client.emulator.describe()["speed_ratio"] == 0.2, "the ratio is not taken")
    goal = np.array(client.emulator.describe()["joints"]) + np.array([0.4, 0, 0, 0, 0, 0, 0])
    fastest, end = 0.0, time.monotonic() + 6.0
    while abs(angle(client) - goal[0]) > 0.01 and time.monotonic() < end:
        client.command(POSITION, goal)
        fastest = max(fastest, speed(client))
        time.sleep(0.01)
    assert abs(angle(client) - goal[0]) <= 0.01
    assert 0.8 < fastest / (0.2 * sawyer_model().links[0].velocity) < 1.1


@pytest.mark.parametrize("mode", [TORQUE, TRAJECTORY])
def test_dangerous_modes_are_refused_and_told(enabled: Client, mode: int) -> None:
    until(lambda: abs(speed(enabled)) < 0.005, "the arm does not rest")
    before, start = len(enabled.emulator.events("forbidden")), angle(enabled)
    enabled.command(mode, np.ones(7))
    events = until(lambda: enabled.emulator.events("forbidden")[before:], "nothing is told")
    assert f"/tester commanded mode {mode}" in events[0]["detail"]
    time.sleep(0.2)
    assert abs(angle(enabled) - start) < 0.005


def test_suppressing_a_safety_is_told(enabled: Client) -> None:
    before = len(enabled.emulator.events("forbidden"))
    enabled.send(LIMB + "suppress_contact_safety")
    event = until(lambda: enabled.emulator.events("forbidden")[before:], "nothing is told")[0]
    assert event["detail"] == f"/tester published on {LIMB}suppress_contact_safety"


@pytest.mark.parametrize(("names", "values"), [(["right_j9"], [0.1]), (JOINTS, [np.nan] * 7), (JOINTS, [0.1])])
def test_malformed_commands_are_refused(enabled: Client, names: list[str], values: list[float]) -> None:
    before = len(enabled.emulator.events("refused"))
    enabled.command(VELOCITY, values, names)
    assert "malformed" in until(lambda: enabled.emulator.events("refused")[before:], "taken")[0]["detail"]


def test_the_gripper_acknowledges_each_command_once_and_moves(client: Client) -> None:
    number = client.grip(0.03)
    until(lambda: number in client.acknowledged(), "no acknowledgement")
    until(lambda: abs(client.signal("position_response_m") - 0.03) < 0.002, "the fingers do not move")
    until(lambda: not client.signal("is_moving"), "the fingers do not stop")
    assert client.acknowledged().count(number) == 1
    assert client.signal("is_calibrated")


def test_the_robot_says_who_it_is(client: Client) -> None:
    get, model = client.node.get_param, sawyer_model()
    assert get("/manifest/robot_class") == "sawyer"
    assert get("/manifest/robot_software/version/HLR_VERSION_STRING").startswith("5.3.0")
    assert get("/robot_config/right_config/joint_names") == JOINTS
    assert get("/named_poses/right/poses/neutral") == pytest.approx(list(model.neutral_joints))
    assert get("/robot_description").count("<joint") == 7
    limits = client.last("/robot/joint_limits")
    rows = {name: k for k, name in enumerate(limits.joint_names)}
    for link in model.links:
        row = rows[link.joint]
        assert (limits.position_lower[row], limits.position_upper[row]) == link.joint_range
        assert limits.velocity[row] == link.velocity
    assert client.last("/io/end_effector/config").devices[0].name == "right_gripper"
    assert client.last(GRIPPER + "config").device.name == "right_gripper"
    assert list(client.last("/robot/homing_states").state) == [0] * 7


def test_joints_tips_and_services_tell_of_one_pose(client: Client) -> None:
    joints, tips = client.last(JOINT_STATES), client.last(LIMB + "tip_states")
    assert joints.name[0] == "head_pan"
    pose = forward(np.array([joints.position[1:]]))
    tip = tips.states[tips.names.index("right_gripper_tip")].pose.position
    hand = tips.states[tips.names.index("right_hand")].pose.position
    np.testing.assert_allclose([tip.x, tip.y, tip.z], pose.position[0], atol=1e-3)
    between = np.array([tip.x - hand.x, tip.y - hand.y, tip.z - hand.z])
    assert np.linalg.norm(between) == pytest.approx(np.linalg.norm(sawyer_model().gripper.tip), abs=1e-3)
    request = messages.make("sensor_msgs/JointState", name=JOINTS, position=joints.position[1:])
    kind = messages.service("intera_core_msgs/SolvePositionFK").request.type
    asked = messages.make(kind, configuration=[request], tip_names=["right_gripper_tip", "nowhere"])
    answer = client.node.call("/ExternalTools/right/PositionKinematicsNode/FKService",
                              "intera_core_msgs/SolvePositionFK", asked, 5.0)  # fmt: skip
    found = answer.pose_stamp[0].pose.position
    assert list(answer.isValid) == [True, False]
    np.testing.assert_allclose([found.x, found.y, found.z], pose.position[0], atol=1e-6)


@pytest.mark.realtime
def test_topics_come_at_their_rates(client: Client) -> None:
    topics = (JOINT_STATES, STATES, LIMB + "tip_states", LIMB + "gravity_compensation_torques")
    best = dict.fromkeys(topics, 0)
    start = time.monotonic()
    while min(best.values()) < 95 and time.monotonic() < start + 30.0:  # a shared machine may steal some seconds
        second = time.monotonic()
        time.sleep(1.0)
        for topic in topics:
            best[topic] = max(best[topic], sum(t < second + 1.0 for _, t in client.since(topic, second)))
    assert all(95 <= count <= 110 for count in best.values()), best


@pytest.mark.realtime
def test_the_rate_of_the_joint_states_can_be_set(client: Client) -> None:
    client.send("/robot/joint_state_publish_rate", data=20)
    until(lambda: client.emulator.describe()["joint_rate"] == 20.0, "the rate is not taken")
    start = time.monotonic()
    time.sleep(2.0)
    slow = len(client.since(JOINT_STATES, start))
    client.send("/robot/joint_state_publish_rate", data=100)
    assert 30 <= slow <= 45
