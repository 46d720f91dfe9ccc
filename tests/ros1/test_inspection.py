"""The doctor at a robot: the emulated one is fit, and each thing that is broken on purpose is found and named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gmps_robot import families
from gmps_robot.sawyer import inspection
from gmps_robot.sawyer.inspection import COMMAND, Answer, inspect
from gmps_robot.sawyer.tcpros import RosNode
from sim.intera_emulator import Emulator
from tests.ros1.ros1_world import needs_rospy

pytestmark = needs_rospy


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    # The name is one that no network resolves, as a real robot's often is.
    with Emulator(families.family("push"), hostname="021607CP00067.local") as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "WAIT", 4.0)


def asked(emulator: Emulator) -> dict[str, Answer]:
    return {answer.name: answer for answer in inspect(emulator.master_uri, 1.0)}


def test_a_good_robot_is_fit(emulator: Emulator) -> None:
    found = asked(emulator)
    found.pop("rates")  # a busy machine may not keep them
    assert [answer for answer in found.values() if not answer.fit] == []
    assert set(found) == {
        "master", "network", "names", "hands", "back-connection", "robot clock", "robot state", "version", "joints",
        "limits", "kinematics",
    }  # fmt: skip
    assert "cannot be resolved" in found["names"].detail


@pytest.mark.parametrize(
    ("fault", "options", "mended", "name", "part"),
    [
        ("joint_limits", {"scale": 0.9}, {"scale": 1.0}, "limits", "joint limits differ: right_j0"),
        ("tip_shift", {"offset": (0.0125, 0.0, 0.0)}, {"offset": (0.0, 0.0, 0.0)}, "kinematics", "is 12."),
        ("parameter", {"name": inspection.VERSION, "value": "4.1.0.0"},
         {"name": inspection.VERSION, "value": "5.3.0.0"}, "version", "Intera 4.1.0.0"),
        ("topic", {"topic": inspection.JOINT_STATES, "action": "drop", "share": 0.6},
         {"topic": inspection.JOINT_STATES, "action": "none"}, "rates", f"{inspection.JOINT_STATES} "),
        ("topic", {"topic": inspection.STATE, "action": "drop"}, {"topic": inspection.STATE, "action": "none"},
         "topics", f"{inspection.STATE}: no message"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(
    emulator: Emulator, fault: str, options: dict[str, Any], mended: dict[str, Any], name: str, part: str
) -> None:
    emulator.inject(fault, **options)
    answer = asked(emulator)[name]
    emulator.inject(fault, **mended)
    assert not answer.fit
    assert part in answer.detail
    assert answer.advice


def test_a_pressed_e_stop_and_a_clock_that_differs_are_told(emulator: Emulator) -> None:
    emulator.inject("clock", offset=3600.0)
    emulator.inject("estop_press")
    found = asked(emulator)
    emulator.inject("estop_release")
    emulator.inject("clock", offset=0.0)
    assert found["robot state"].detail == "the e-stop is pressed"
    assert "ahead" in found["robot clock"].detail
    assert float(found["robot clock"].detail.split(" ms")[0].split()[-1]) == pytest.approx(3600e3, abs=500.0)


def test_another_program_that_commands_the_arm_is_named(emulator: Emulator) -> None:
    with RosNode("wobbler", emulator.master_uri) as other:
        other.advertise(COMMAND, "intera_core_msgs/JointCommand")
        answer = asked(emulator)["hands"]
    assert not answer.fit
    assert "/wobbler" in answer.detail


def test_a_robot_that_does_not_connect_back_is_found(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "HEARD_BY_ROBOT", "/nobody/listens/here")
    answer = asked(emulator)["back-connection"]
    assert not answer.fit
    assert "network_mode: host" in answer.advice
