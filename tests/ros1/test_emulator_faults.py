"""Every fault of the emulator can be seen on the wire, and ends where it can end."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gmps_robot.errors import ConfigError
from gmps_robot.sawyer.messages import nanoseconds
from sim.emulator import wire
from sim.emulator.faults import FAULTS
from tests.ros1.emulator_world import GRIPPER, JOINT_STATES, LIMB, STATES, Client, emulated
from tests.ros1.ros1_world import ROSPY, until

TIPS = LIMB + "tip_states"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with emulated(noise=0.0) as made:
        yield made


@pytest.fixture
def throwaway() -> Iterator[Client]:
    """For what cannot be mended."""
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with emulated() as made:
        yield made


def stamps(client: Client, topic: str, start: float) -> list[int]:
    return [nanoseconds(message.header.stamp) for message, _ in client.since(topic, start)]


def tip(message: Any) -> np.ndarray[Any, Any]:
    position = message.states[list(message.names).index("right_gripper_tip")].pose.position
    return np.array([position.x, position.y, position.z])


def ahead(message: Any) -> float:
    """How far a message's stamp is ahead of the clock [s]."""
    return nanoseconds(message.header.stamp) * 1e-9 - time.time()


def force(message: Any) -> np.ndarray[Any, Any]:
    found = message.states[1].wrench.force
    return np.array([found.x, found.y, found.z])


@pytest.mark.realtime
def test_a_dropped_topic_is_silent_and_others_go_on(client: Client) -> None:
    client.emulator.inject("topic", topic=JOINT_STATES, action="drop")
    time.sleep(0.2)
    start = time.monotonic()
    time.sleep(0.5)
    assert client.since(JOINT_STATES, start) == []
    assert len(client.since(STATES, start)) > 5
    client.emulator.inject("topic", topic=JOINT_STATES, action="none")
    client.next(JOINT_STATES, "the topic does not come back", lambda _: True)


@pytest.mark.realtime
def test_a_share_of_a_topic_can_be_dropped(client: Client) -> None:
    client.emulator.inject("topic", topic=JOINT_STATES, action="drop", share=0.5)
    time.sleep(0.2)
    start = time.monotonic()
    time.sleep(1.5)
    client.emulator.inject("topic", topic=JOINT_STATES, action="none")
    share = len(client.since(JOINT_STATES, start)) / len(client.since(STATES, start))
    assert 0.25 < share < 0.75


@pytest.mark.realtime
def test_a_delayed_topic_comes_late(client: Client) -> None:
    injected = client.emulator.inject("topic", topic=JOINT_STATES, action="delay", seconds=0.3)
    client.next(JOINT_STATES, "nothing comes", lambda _: True, injected + 0.4)
    message, _ = client.heard[JOINT_STATES][-1]
    age = time.time() - nanoseconds(message.header.stamp) * 1e-9
    client.emulator.inject("topic", topic=JOINT_STATES, action="none")
    assert 0.29 < age < 0.8


@pytest.mark.realtime
def test_a_doubled_topic_repeats_its_stamps(client: Client) -> None:
    injected = client.emulator.inject("topic", topic=JOINT_STATES, action="duplicate")
    time.sleep(0.6)
    found = stamps(client, JOINT_STATES, injected + 0.2)
    client.emulator.inject("topic", topic=JOINT_STATES, action="none")
    assert len(found) > 5
    assert len(set(found)) < 0.7 * len(found)


@pytest.mark.realtime
def test_a_reordered_topic_goes_back_in_time(client: Client) -> None:
    injected = client.emulator.inject("topic", topic=JOINT_STATES, action="reorder")
    time.sleep(0.6)
    steps = np.diff(stamps(client, JOINT_STATES, injected + 0.2))
    client.emulator.inject("topic", topic=JOINT_STATES, action="none")
    assert (steps < 0).sum() > 0.3 * len(steps) > 1


@pytest.mark.realtime
def test_stamps_stand_still_and_the_clock_jumps(client: Client) -> None:
    injected = client.emulator.inject("stamps")
    time.sleep(0.4)
    assert len(set(stamps(client, TIPS, injected + 0.1))) == 1
    client.emulator.inject("stamps", frozen=False)
    for offset in (3600.0, 0.0):
        client.emulator.inject("clock", offset=offset)
        client.next(TIPS, f"no jump to {offset}", lambda m, wanted=offset: abs(ahead(m) - wanted) < 10.0)
        assert ahead(client.last(TIPS)) == pytest.approx(offset, abs=10.0)


def test_nan_in_the_joints(client: Client) -> None:
    client.emulator.inject("nan_state")
    client.next(JOINT_STATES, "no NaN", lambda m: np.isnan(m.position).any())
    assert np.isnan(client.last(JOINT_STATES).position).sum() == 1
    client.emulator.inject("nan_state", active=False)
    client.next(JOINT_STATES, "NaN stays", lambda m: np.isfinite(m.position).all())
    assert np.isfinite(client.last(JOINT_STATES).position).all()


@pytest.mark.realtime
def test_a_swallowed_gripper_command_is_never_acknowledged(client: Client) -> None:
    client.emulator.inject("gripper_acks")
    before, number = client.signal("position_m"), client.grip(0.04)
    time.sleep(0.6)
    assert number not in client.acknowledged()
    assert client.signal("position_m") == before
    client.emulator.inject("gripper_acks", swallowed=False)
    again = client.grip(0.02)
    until(lambda: again in client.acknowledged(), "still swallowed")


@pytest.mark.realtime
def test_another_tip(client: Client) -> None:
    before = tip(client.last(TIPS))
    for shift in (0.012, 0.0):
        injected = client.emulator.inject("tip_shift", offset=[0.0, shift, 0.0])
        client.next(TIPS, "nothing comes", lambda _: True, injected + 0.05)
        np.testing.assert_allclose(tip(client.last(TIPS)) - before, [0.0, shift, 0.0], atol=1e-3)


@pytest.mark.realtime
def test_a_tip_that_the_robot_calls_not_valid(client: Client) -> None:
    for valid in (False, True):
        injected = client.emulator.inject("tip_invalid", active=not valid)
        client.next(TIPS, "nothing comes", lambda _: True, injected + 0.05)
        assert [state.valid for state in client.last(TIPS).states] == [valid, valid]


@pytest.mark.realtime
def test_the_collision_flag(client: Client) -> None:
    flag = LIMB + "collision_detection_state"
    assert not client.last(flag).collision_state
    for active in (True, False):
        injected = client.emulator.inject("collision", active=active)
        client.next(flag, "nothing comes", lambda _: True, injected + 0.05)
        assert client.last(flag).collision_state == active


@pytest.mark.realtime
def test_a_push_is_felt_and_moves_the_arm_back_and_forth(client: Client) -> None:
    start = tip(client.last(TIPS))
    pushed = client.emulator.inject("push", force=[0.0, 40.0, 0.0], seconds=0.8)
    client.next(TIPS, "not back", lambda m: np.linalg.norm(tip(m) - start) < 0.002, pushed + 1.0)
    felt = [force(m)[1] for m, _ in client.since(TIPS, pushed)]
    assert max(felt) == pytest.approx(40.0, abs=8.0)
    assert max(tip(m)[1] - start[1] for m, _ in client.since(TIPS, pushed)) > 0.005


def test_a_raised_table_is_felt_by_the_pads_and_lifts_the_block(client: Client) -> None:
    client.enable()
    client.emulator.inject("table", height=0.03)
    client.next(TIPS, "the table is not felt", lambda m: force(m)[2] > 5.0)
    until(lambda: abs(client.emulator.scene().object_pose[2] - 0.05) < 0.005, "the block is not on the table")
    client.emulator.inject("table", height=0.0)
    client.emulator.reset_scene(None)
    np.testing.assert_allclose(client.emulator.scene().object_pose[:3], client.emulator.family.start_object, atol=1e-3)


def test_wrong_joint_limits_and_parameters(client: Client) -> None:
    injected = client.emulator.inject("joint_limits", scale=0.5)
    client.next("/robot/joint_limits", "no limits", lambda _: True, injected)
    assert max(client.last("/robot/joint_limits").position_upper) < 2.5
    client.emulator.inject("joint_limits", scale=1.0)
    for name in ("baxter", "sawyer"):
        client.emulator.inject("parameter", name="/manifest/robot_class", value=name)
        until(lambda wanted=name: client.node.get_param("/manifest/robot_class") == wanted, "it is not set")
        assert client.node.get_param("/manifest/robot_class") == name


def test_a_frozen_camera_shows_the_past(client: Client) -> None:
    client.emulator.inject("camera")
    still = client.emulator.image()
    client.emulator.inject("table", height=0.03)
    assert (client.emulator.image() == still).all()
    client.emulator.inject("camera", frozen=False)
    assert (client.emulator.image() != still).any()
    client.emulator.inject("table", height=0.0)


@pytest.mark.realtime
def test_a_silent_network_lets_the_robot_time_out_and_comes_back(client: Client) -> None:
    client.enable()
    client.drive([0.1, 0, 0, 0, 0, 0, 0], 0.4)
    before = len(client.emulator.events("timeout"))
    cut = client.emulator.inject("network_silent")
    client.drive([0.1, 0, 0, 0, 0, 0, 0], 0.6)
    assert len(client.since(STATES, cut + 0.1)) == 0
    assert client.emulator.events("timeout")[before:]
    back = client.emulator.inject("network_silent", active=False)
    assert client.next(STATES, "the network does not come back", lambda _: True, back) > back


def test_a_reset_network_closes_connections_and_a_new_node_of_the_robot_is_found(client: Client) -> None:
    client.emulator.inject("network_reset")
    subscription = client.node.subscriptions()[STATES]
    until(lambda: subscription.statistics().connected == 0, "the connection is not reset")
    back = client.emulator.inject("network_back")
    for topic in (STATES, GRIPPER + "state"):
        assert client.next(topic, f"{topic} does not come back", lambda _: True, back) > back
    assert subscription.statistics().connected == 1


@pytest.mark.realtime
def test_without_a_master_what_is_connected_goes_on(throwaway: Client) -> None:
    client = throwaway
    client.enable()
    killed = client.emulator.inject("master_killed")
    client.drive([0.1, 0, 0, 0, 0, 0, 0], 0.5)
    assert len(client.since(STATES, killed)) > 5
    assert client.emulator.describe()["mode"] == 2
    assert np.linalg.norm(client.emulator.trace()[-1, 4:]) > 0.02


@pytest.mark.parametrize("said", [wire.json_frame({"do": "trace"}), b"\xff" * 16, wire.frame(wire.JSON, b"{")])
def test_whoever_asks_and_leaves_without_hearing_the_answer_ends_nothing(client: Client, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(client.emulator.control)
        caller.sendall(said)
        select.select([caller], [], [], 2.0)  # an answer that waits unread makes of the end a reset
    told = time.monotonic()
    assert client.next(STATES, "the robot is gone", lambda _: True, told + 0.1) > told
    assert client.emulator.describe()["timeout"] > 0.0


@pytest.mark.realtime
def test_the_trace_is_that_of_the_tip(client: Client) -> None:
    trace = client.emulator.trace()
    until(lambda: client.emulator.trace()[-1, 0] > trace[-1, 0], "the trace stands still")
    assert np.allclose(np.diff(trace[-50:, 0]), 0.005, atol=1e-6)
    np.testing.assert_allclose(trace[-1, 1:4], client.emulator.describe()["tip"], atol=5e-3)


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("estop_pres", {}, "estop_press"),
        ("push", {}, "needs force"),
        ("push", {"force": [1.0]}, "three numbers"),
        ("push", {"force": [1.0, 0.0, 0.0], "body": "right_3"}, "right_l3"),
        ("topic", {"topic": "/robot/state", "action": "drop", "sahre": 1.0}, "share"),
        ("topic", {"topic": "/robot/state", "action": "lose"}, "delay"),
        ("topic", {"topic": "/robot/stat", "action": "drop"}, "/robot/state"),
    ],
)
def test_a_misspelt_fault_is_told(client: Client, fault: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        client.emulator.inject(fault, **options)


def test_every_fault_is_tried_here() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_emulator_*.py"))
    assert [name for name in FAULTS if f'inject("{name}"' not in text] == []
