"""What is said of a robot from what was measured of it: network, names, rates, clock, state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gmps_robot.sawyer import inspection
from gmps_robot.sawyer.inspection import clock, inspect, names, network, other_hands, rates, state


def said(**changes: Any) -> SimpleNamespace:
    """A RobotAssemblyState."""
    usual = {"homed": True, "ready": True, "enabled": False, "stopped": False, "error": False, "estop_button": 0}
    return SimpleNamespace(**{**usual, **changes})


def test_a_robot_on_the_network_of_everything_is_noted() -> None:
    shared = network("172.16.0.5", "172.16.0.5")
    assert (shared.fit, "network card of its own" in shared.advice) == (True, True)
    assert network("172.16.0.5", "172.20.0.9").advice == ""
    assert network("172.16.0.5", "").advice == ""  # nothing else is reached from here
    assert network("127.0.0.1", "127.0.0.1").advice == ""


def test_a_name_that_nobody_knows_is_told_with_what_the_driver_does() -> None:
    answer = names(("021607CP00067.local", "here"), {"here": "127.0.0.1"}.get)
    assert answer.fit
    assert answer.detail == "021607CP00067.local cannot be resolved"
    assert "the driver takes the master's address" in answer.advice
    assert names(("here",), {"here": "127.0.0.1"}.get).advice == ""


def test_another_hand_on_the_arm_is_a_problem_and_is_named() -> None:
    assert other_hands(()).fit
    taken = other_hands(("/wobbler",))
    assert not taken.fit
    assert "/wobbler" in taken.detail


def test_a_slow_topic_is_named_with_its_rate() -> None:
    assert rates({"/a": 99.0, "/b": 101.0}).fit
    slow = rates({"/a": 99.0, "/b": 41.0})
    assert not slow.fit
    assert slow.detail == "/b 41/s; expected 100/s"


@pytest.mark.parametrize(("offset", "word", "noted"), [(0.004, "behind", False), (-3600.0, "ahead", True)])
def test_the_clock_is_told_and_noted_where_it_differs(offset: float, word: str, noted: bool) -> None:
    answer = clock({"/a": [offset, offset + 0.001, offset - 0.001]})
    assert answer.fit
    assert word in answer.detail
    assert ("chrony" in answer.advice) == noted
    assert "not known" in clock({}).detail


def test_the_state_of_the_robot_is_told_in_words() -> None:
    assert state(said()).detail.startswith("disabled, as it should be")
    assert state(said(enabled=True)).detail == "enabled"
    assert "turn the button out" in state(said(stopped=True, estop_button=1)).advice
    assert state(said(stopped=True)).detail == "the robot is stopped"
    assert not state(said(homed=False)).fit


@pytest.mark.parametrize(
    ("uri", "part", "advice"),
    [
        ("robot:11311", "http://HOST:PORT", "mend the address"),
        ("http://127.0.0.1:9", "does not answer", "switch the robot on"),
        ("http://no.such.robot.invalid:1", "cannot be resolved", "switch the robot on"),
    ],
)
def test_without_a_master_there_is_one_answer(
    uri: str, part: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "WAIT", 0.1)
    (answer,) = inspect(uri)
    assert (answer.name, answer.fit) == ("master", False)
    assert part in answer.detail
    assert advice in answer.advice
