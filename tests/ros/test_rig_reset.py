"""The way home of a rig, without a graph: who is told that it is over, and what ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gmps_msgs.msg import GuardStatus
from gmps_msgs.srv import SceneReset
from gmps_robot_nodes import conversions, rig_reset
from gmps_robot_nodes.rig_reset import RigReset
from rclpy.task import Future

START = np.array([0.4, 0.0, 0.1])
AWAY = START + 0.2


class Service:
    """One service, its server in the hands of the test."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[Future] = []

    def service_is_ready(self) -> bool:
        return self.ready

    def call_async(self, _request: Any) -> Future:
        self.asked.append(Future())
        return self.asked[-1]

    def answer(self, call: int = -1, success: bool = True, message: str = "") -> None:
        self.asked[call].set_result(SimpleNamespace(success=success, message=message, stamp=conversions.to_time(77)))


class Rig:
    """A node with services that the test answers; notes what it is told, and the clock that it reads [ns]."""

    def __init__(self, scene: bool = False) -> None:
        self.now = 1000
        self.home, self.hold, self.scene = Service(), Service(), Service()
        self.scene.ready = scene
        self.told: list[tuple[str, object]] = []
        self.errors: list[str] = []
        self.reset = RigReset(self, self.scene, START, self, simulated=scene)  # type: ignore[arg-type]

    def create_client(self, _kind: type, name: str) -> Service:
        return {"arm/home": self.home, "arm/hold": self.hold}[name]

    def get_logger(self) -> Rig:
        return self

    def warning(self, text: str, **_options: object) -> None:
        """Not looked at."""

    def error(self, text: str) -> None:
        self.errors.append(text)

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.now))

    def reset_confirmed(self, stamp_ns: int) -> None:
        self.told.append(("confirmed", stamp_ns))

    def reset_failed(self, reason: str) -> None:
        self.told.append(("failed", reason))

    def reset_refused(self, reason: str) -> None:
        self.told.append(("refused", reason))

    def ask(self) -> bool:
        return self.reset.ask(SceneReset.Request())

    def guard(self, homing: bool, **said: str) -> None:
        """The next status of the guard."""
        self.now += 10
        header = conversions.header(self.now)
        self.reset.note_guard(GuardStatus(header=header, homing=homing, **{"state": "HOLD", **said}))

    def set_out(self) -> None:
        """The arm is on its way."""
        assert self.ask()
        self.home.answer()
        self.guard(homing=True)
        assert self.reset.under_way

    def arrive(self) -> None:
        self.guard(homing=False)
        self.reset.note_tip(START)


def test_an_arm_at_its_start_is_told_once() -> None:
    rig = Rig()
    rig.set_out()
    rig.reset.note_tip(START)  # on its way past it
    assert rig.told == []
    rig.arrive()
    rig.reset.note_tip(START)
    assert rig.told == [("confirmed", rig.now)]
    assert not rig.reset.under_way
    assert rig.hold.asked == []


def test_a_scene_that_somebody_offers_is_put_back_once_the_arm_is_there() -> None:
    rig = Rig(scene=True)
    rig.set_out()
    rig.arrive()
    assert rig.told == []
    rig.scene.answer()
    assert rig.told == [("confirmed", 77)]
    rig.set_out()
    rig.arrive()
    rig.scene.answer(success=False, message="no such task")
    assert rig.told[1:] == [("refused", "no such task")]


def test_an_operator_who_takes_the_arm_ends_it_at_once_and_is_named() -> None:
    rig = Rig()
    rig.set_out()
    rig.guard(homing=False, holder="ada")
    assert rig.told == [("failed", "ada has taken the arm")]
    rig.guard(homing=False)  # given back, by chance at the start
    rig.reset.note_tip(START)
    assert len(rig.told) == 1
    assert not rig.reset.under_way


def test_an_arm_that_stays_away_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.set_out()
    rig.guard(homing=False, state="FAULT", reason="no way home from here.")
    rig.reset.note_tip(AWAY)
    assert rig.told == []  # it follows its command with a lag
    monkeypatch.setattr(rig_reset, "SETTLING", 0.0)
    rig.reset.note_tip(AWAY)
    assert rig.told == [("failed", "the arm did not come home: FAULT, 0.346 m away. no way home from here")]


def test_a_driver_that_refuses_is_told() -> None:
    rig = Rig()
    assert rig.ask()
    rig.home.answer(success=False, message="the arm is FAULT")
    assert rig.told == [("failed", "arm/home was refused: the arm is FAULT")]
    rig.home.ready = False
    assert not rig.ask()


def test_what_is_ended_holds_the_arm_and_nobody_is_told_of_its_arrival() -> None:
    rig = Rig(scene=True)
    rig.set_out()
    rig.reset.end()
    assert len(rig.hold.asked) == 1
    rig.arrive()
    assert (rig.told, rig.scene.asked) == ([], [])
    rig.reset.end()  # nothing moves any more
    assert len(rig.hold.asked) == 1


def test_a_driver_that_sets_out_after_the_end_is_told_again_to_hold() -> None:
    rig = Rig()
    assert rig.ask()
    rig.reset.end()
    rig.home.answer()
    assert len(rig.hold.asked) == 2


def test_answers_to_a_reset_that_is_over_say_nothing_of_the_next_one() -> None:
    rig = Rig(scene=True)
    rig.set_out()
    rig.arrive()
    rig.reset.end()
    assert rig.ask()
    rig.scene.answer()  # of the first one
    assert rig.told == []
    rig.reset.end()
    assert rig.ask()
    rig.home.answer(1)
    assert len(rig.hold.asked) == 2  # not a third: the arm is wanted at its start again
    rig.arrive()
    assert rig.told == []
    rig.home.answer(2)
    rig.arrive()
    rig.scene.answer()
    assert rig.told == [("confirmed", 77)]


def test_an_arm_that_cannot_be_told_to_hold_is_said_aloud() -> None:
    rig = Rig()
    rig.set_out()
    rig.hold.ready = False
    rig.reset.end()
    assert "press STOP" in rig.errors[0]
    rig.hold.ready = True
    rig.set_out()
    rig.reset.end()
    rig.hold.answer(success=False, message="no")
    assert "arm/hold was refused: no; the arm may still be on its way home: press STOP" in rig.errors[1]
