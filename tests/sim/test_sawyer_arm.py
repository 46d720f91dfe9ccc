"""The driver against an emulated robot: what it refuses, how it stops, and what it never says.

In virtual time; tests/ros1/test_sawyer_arm.py runs the same over the arm's own wire, with `late` for its jitter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gmps_robot.errors import ArmError
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import LIMB, POSITION, VELOCITY, Wire
from gmps_robot.types import ArmCommand
from sim.twin import Twin
from tests.driven import FAMILY, POLICY_PERIOD, Driven
from tests.sim.emulated_wire import EmulatedLink, EmulatedNode

JOINT_STATES = "/robot/joint_states"
HEALED: dict[str, dict[str, Any]] = {
    "estop_release": {}, "tip_shift": {"offset": (0.0, 0.0, 0.0)}, "joint_limits": {"scale": 1.0},
    "gripper_acks": {"swallowed": False}, "nan_state": {"active": False},
    "tip_invalid": {"active": False}, "collision": {"active": False}, "stamps": {"frozen": False},
    "topic": {"topic": JOINT_STATES, "action": "none"}, "network_silent": {"active": False},
}  # fmt: skip
SIDEWAYS, FAST = (0.0, 0.1, 0.0), (0.0, 0.2, 0.0)


class InVirtualTime(Driven):
    """Time passes in `sleep` alone."""

    def __init__(self, link: EmulatedLink) -> None:
        node: Any = EmulatedNode("driver", link)
        wire = Wire(node)
        super().__init__(link, SawyerArm(FAMILY, wire, link.clock, self.sleep), wire, link.words)
        self._link, self._running = link, True

    @property
    def now(self) -> float:
        return self._link.now

    def sleep(self, seconds: float) -> None:
        for _ in range(round(seconds / self.arm.period)):
            if self._running:
                self.tick()
            self._link.sleep(self.arm.period)

    def end(self) -> None:
        self._running = False

    def connect(self, name: str) -> Wire:
        node: Any = EmulatedNode(name, self._link)
        return Wire(node)

    def published(self) -> set[str]:
        return {topic for topic, names in self._link.publishers.items() if "/driver" in names}


@pytest.fixture(scope="module")
def world() -> Driven:
    return InVirtualTime(EmulatedLink(seed=1, noise=1.0))


@pytest.fixture
def arm(world: Driven) -> Iterator[Driven]:
    world.ready()
    yield world
    world.velocity = None
    for fault, options in HEALED.items():
        world.emulator.inject(fault, **options)
    world.sleep(0.2)  # until the robot tells so


def test_it_moves_as_commanded_and_goes_home(arm: Driven) -> None:
    start = arm.emulator.scene().tip
    arm.move(SIDEWAYS, 1.0)
    arm.velocity = None
    arm.stopping_time(arm.now)
    arm.sleep(1.0)
    assert arm.applied is not None
    assert arm.emulator.scene().tip == pytest.approx(arm.applied.tip_target, abs=0.005)
    assert arm.emulator.scene().tip[1] - start[1] > 0.06
    arm.home()
    assert arm.emulator.scene().tip == pytest.approx(FAMILY.start_tip, abs=0.005)


def test_silence_stops_it_within_400_ms_from_full_speed(arm: Driven) -> None:
    arm.move(FAST, 0.7)
    arm.velocity, silent = None, arm.now
    assert arm.stopping_time(silent) < 0.4
    arm.until(lambda: arm.mode == "ARMED", "it does not rest")


def test_after_an_e_stop_it_says_nothing_and_needs_two_acts(arm: Driven) -> None:
    arm.move(SIDEWAYS)
    pressed = arm.emulator.inject("estop_press")
    arm.until(lambda: arm.mode == "ESTOP", "the stop is not seen")
    arm.sleep(0.3)
    assert max(receipt for _, receipt in arm.words) - pressed < 0.02 + arm.late  # it is told every 10 ms
    with pytest.raises(ArmError, match="still pressed"):
        arm.arm.reset_fault()
    with pytest.raises(ArmError, match="reset it"):
        arm.arm.enable(True)
    arm.emulator.inject("estop_release")
    arm.sleep(0.2)
    assert arm.mode == "ESTOP"  # a button that comes out resumes nothing
    arm.arm.reset_fault()
    arm.until(lambda: arm.mode == "DISABLED", "the reset is not seen")
    assert not arm.emulator.describe()["enabled"]
    arm.arm.enable(True)
    arm.move(SIDEWAYS, 0.3)
    assert arm.mode == "MOVING"


def test_kill_is_the_robots_own_stop(arm: Driven) -> None:
    arm.arm.kill("test")
    arm.until(lambda: arm.mode == "ESTOP", "the stop is not seen")
    assert arm.emulator.describe()["stopped"]


def test_what_is_felt_while_it_is_armed_counts_as_nothing(arm: Driven) -> None:
    arm.arm.enable(False)
    arm.emulator.inject("push", force=(0.0, 0.0, -9.0), seconds=4.0)
    arm.arm.enable(True)
    levels = []
    for _ in range(50):
        arm.sleep(0.01)
        levels.append(arm.arm.guard_state.force.level)
    assert np.median(levels) < 2.5  # of 9 N; noise and drift remain
    arm.sleep(3.5)


def test_a_push_on_the_forearm_which_the_tip_does_not_feel_is_a_fault(arm: Driven) -> None:
    assert arm.arm.guard_state.torque.watched
    pushed = arm.emulator.inject("push", force=(0.0, 200.0, 0.0), seconds=0.4, body="right_l3")
    arm.until(lambda: arm.mode == "FAULT", "nobody minds")
    assert arm.now - pushed < 0.1 + 10.0 * arm.late
    assert re.fullmatch(r"torque: .* N m at right_j[0-3], limit .*", arm.arm.guard_state.fault_reason)
    assert arm.stopping_time(pushed + 0.4) < 0.5 + 10.0 * arm.late  # with the way back of 20 mm, where there is a path
    assert arm.mode == "FAULT"


@pytest.mark.parametrize(
    ("fault", "options", "told"),
    [
        ("tip_shift", {"offset": (0.0085, 0.0, 0.0)}, "8.. mm and 0... deg from where the model has it"),
        ("joint_limits", {"scale": 0.9}, "joint limits differ: right_j0: -2.745 to 2.745 rad"),
    ],
)
def test_a_robot_that_is_not_the_model_is_not_armed(
    arm: Driven, fault: str, options: dict[str, object], told: str
) -> None:
    arm.arm.enable(False)
    arm.emulator.inject(fault, **options)
    arm.sleep(0.2)
    with pytest.raises(ArmError, match=told):
        arm.arm.enable(True)
    assert not arm.emulator.describe()["enabled"]
    assert arm.mode == "DISABLED"


def test_a_second_driver_keeps_the_arm_from_being_armed(arm: Driven) -> None:
    arm.arm.enable(False)
    other = arm.connect("intruder")
    try:
        with pytest.raises(ArmError, match=r"/intruder commands the arm too"):
            arm.arm.enable(True)
    finally:
        other.close()


def test_numbers_that_are_none_are_dropped_and_the_arm_holds(arm: Driven) -> None:
    arm.move(SIDEWAYS, 0.3)
    arm.emulator.inject("nan_state")
    arm.until(lambda: arm.mode == "FAULT", "a state that stays lost is a fault")
    assert "state:" in arm.arm.guard_state.fault_reason
    assert np.isfinite(arm.arm.observe().joints).all()
    assert arm.wire.heard.robot().rejected > 10


def test_a_tip_that_the_robot_calls_not_valid_is_a_hold_then_a_fault_and_not_armed(arm: Driven) -> None:
    arm.move(SIDEWAYS, 0.3)
    since = arm.emulator.inject("tip_invalid")
    arm.until(lambda: arm.mode == "HOLD", "nobody minds")
    assert arm.now - since < 0.07 + 1e-6 + 11.0 * arm.late  # 0.05 s, and a period each of robot and driver
    arm.until(lambda: arm.mode == "FAULT", "a tip that stays lost is a fault")
    assert "state:" in arm.arm.guard_state.fault_reason
    assert "calls its tip state not valid" in arm.arm.observe().status.detail
    arm.arm.enable(False)
    arm.arm.reset_fault()
    with pytest.raises(ArmError, match="calls its own tip state not valid"):
        arm.arm.enable(True)


def test_a_collision_that_the_robot_feels_is_a_fault(arm: Driven) -> None:
    arm.move(FAST, 0.5)
    felt = arm.emulator.inject("collision")
    arm.until(lambda: arm.mode == "FAULT", "nobody minds")
    assert arm.now - felt < 0.04 + arm.late
    assert "collision" in arm.arm.guard_state.fault_reason
    arm.stopping_time(felt)


@pytest.mark.parametrize(("fault", "options"), [("stamps", {}), ("topic", {"topic": JOINT_STATES, "action": "drop"})])
def test_a_robot_whose_state_stands_still_is_a_hold_then_a_fault(
    arm: Driven, fault: str, options: dict[str, object]
) -> None:
    arm.move(FAST, 0.5)
    since = arm.emulator.inject(fault, **options)
    arm.until(lambda: arm.mode == "HOLD", "nobody minds")
    assert arm.now - since < 0.075 + arm.late
    assert arm.stopping_time(since) < 0.4 + arm.late
    arm.until(lambda: arm.mode == "FAULT", "a state that stays lost is a fault")
    assert "state:" in arm.arm.guard_state.fault_reason


def test_over_a_silent_network_the_robot_holds_by_itself_and_the_driver_says_the_link_is_lost(arm: Driven) -> None:
    arm.move(FAST, 0.5)
    told = len(arm.emulator.events("timeout"))
    since = arm.emulator.inject("network_silent")
    arm.until(lambda: len(arm.emulator.events("timeout")) > told, "the robot does not time out")
    assert arm.stopping_time(since) < 0.4 + arm.late
    arm.until(lambda: arm.mode == "FAULT", "nobody minds")
    assert "link" in arm.arm.guard_state.fault_reason
    arm.emulator.inject("network_silent", active=False)
    arm.sleep(0.5)
    assert arm.mode == "FAULT"  # a link that comes back resumes nothing
    assert arm.stopping_time(arm.now) == 0.0


def test_a_gripper_that_does_not_answer_is_a_fault_after_two_seconds(arm: Driven) -> None:
    arm.emulator.inject("gripper_acks")
    began = arm.now
    arm.wire.gripper.forget()
    arm.until(lambda: arm.mode == "FAULT", "nobody misses the answer")
    assert 2.0 <= arm.now - began < 2.05 + 15.0 * arm.late
    assert "gripper: no answer" in arm.arm.guard_state.fault_reason


def test_one_action_sequence_moves_the_block_as_on_the_twin(arm: Driven) -> None:
    turns = 0.1 * np.sin(np.arange(FAMILY.horizon) / 8.0)
    actions = np.stack([np.full(FAMILY.horizon, 0.7), turns, np.zeros(FAMILY.horizon)], axis=1)
    twin, expected = Twin(FAMILY), []
    for k, action in enumerate(actions):
        now = twin.observe().stamp_ns
        velocity, gripper = np.split(FAMILY.arm_action(action), [3])
        twin.apply(ArmCommand(now, k + 1, "policy", velocity * FAMILY.envelope.policy.speed, gripper[0]), now * 1e-9)
        expected.append(twin.scene().object_pose[:3])
    for _ in range(30):  # and come to rest
        twin.apply(None, twin.observe().stamp_ns * 1e-9)
        expected.append(twin.scene().object_pose[:3])
    arm.emulator.reset_scene(None)
    arm.home()
    arm.sleep(0.7)  # until drift is made good
    seen, refused = [], []
    arm.play(tuple(FAMILY.arm_action(action)[:3] * FAMILY.envelope.policy.speed) for action in actions)
    while arm.playing:
        seen.append(arm.emulator.scene().object_pose[:3])
        refused.append(arm.applied.reasons)
        arm.sleep(POLICY_PERIOD)
    arm.stopping_time(arm.now)
    seen.append(arm.emulator.scene().object_pose[:3])
    assert arm.arm.guard_state.fault_reason == ""  # else the arm never came to the block
    assert np.linalg.norm(seen[-1] - seen[0]) > 0.1, f"{arm.mode}: {refused[:20]}"
    assert np.linalg.norm(seen[-1] - expected[-1]) < 0.010
    # The arm acts later than the twin, by its link and its servos: the same path, not the same instants.
    path = np.array(expected)
    assert max(np.linalg.norm(path - place, axis=1).min() for place in seen) < 0.010


def test_at_the_end_it_is_left_in_position_mode(arm: Driven) -> None:
    arm.move(SIDEWAYS, 0.3)
    arm.end()
    arm.arm.rest("test")
    truth = arm.emulator.describe()
    assert (truth["mode"], truth["timeout"]) == (POSITION, 0.2)
    assert arm.stopping_time(arm.now) < 0.1
    assert not arm.arm.guard_state.armed  # nobody watches it now
    arm.arm.begin()
    arm.sleep(0.2)
    assert arm.emulator.describe()["timeout"] == 0.1


def test_nothing_was_ever_said_that_must_not_be(world: Driven) -> None:
    modes = {int(message.mode) for message, _ in world.words}
    assert modes == {POSITION, VELOCITY}
    assert world.emulator.events("forbidden") == []
    assert world.emulator.events("refused") == []
    assert world.published() == {
        f"{LIMB}/joint_command", f"{LIMB}/joint_command_timeout", "/robot/set_super_enable", "/robot/set_super_stop",
        "/robot/set_super_reset", "/io/end_effector/right_gripper/command",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("/manifest/robot_software/version/HLR_VERSION_STRING", "4.1.0", "runs Intera 4.1.0; supported"),
        ("/robot_config/right_config/joint_names", ["right_j0", "right_w0"], "joints are right_j0, right_w0; the"),
    ],
)
def test_another_robot_is_refused_when_connecting(world: Driven, name: str, value: object, told: str) -> None:
    good = world.wire.node.get_param(name)
    world.emulator.inject("parameter", name=name, value=value)
    with pytest.raises(ArmError, match=told):
        world.connect("late")
    world.emulator.inject("parameter", name=name, value=good)
