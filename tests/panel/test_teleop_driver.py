"""What a page asks for reaches the arm at once or not at all, however slow those are who have to be asked first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gmps_robot.panel.auth import Person
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.teleop_socket import Driver
from tests.panel.conftest import Clock

ADA = Person("Ada", "operator")


class Hands:
    """A page that holds the arm and says every 50 ms what its hands want."""

    def __init__(self, panel: Panel, clock: Clock) -> None:
        self.clock, self.seq = clock, 0
        known = panel.door.who(panel.door.issue("cookie", ADA), "cookie", "127.0.0.1")
        assert known is not None
        self.driver = Driver(replace(panel, clock=clock), known[0])
        self.session = panel.desk.acquire(known[0]).session

    def say(self, enable: bool) -> dict[str, Any]:
        self.seq += 1
        self.clock.now += 0.05
        return self.driver.message(json.dumps({
            "session": self.session, "seq": self.seq, "t_client": self.clock.now * 1000.0, "enable": enable,
            "v": [1.0, 0.0, 0.0] if enable else [0, 0, 0], "gripper": 0.0,
        }))  # fmt: skip


def moving(panel: Panel, clock: Clock) -> Hands:
    hands = Hands(panel, clock)
    hands.say(False)
    for _ in range(25):  # beyond the first second, from which on the driver is asked who holds the arm
        assert hands.say(True)["armed"]
    return hands


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_what_was_fresh_before_a_wait_is_not_sent_as_a_fresh_command_after_it(
    panel: Panel, bridge: FakeBridge, clock: Clock, monkeypatch: pytest.MonkeyPatch, slow: int
) -> None:
    hands = moving(panel, clock)
    state = bridge.state
    asked: list[None] = []

    def careless() -> Any:
        asked.append(None)
        clock.now += 0.6 if len(asked) == slow else 0.0
        return state()

    monkeypatch.setattr(bridge, "state", careless)
    while len(asked) < slow:
        fault = clock.now + 0.05
        answer = hands.say(True)
    assert not np.any(bridge.world.applied(clock.now)[:3]), "the arm was told to move after the wait"
    assert clock.now - fault == pytest.approx(0.6)
    assert "let go first" in answer["reason"]
    assert not hands.say(True)["armed"]
    hands.say(False)
    assert hands.say(True)["armed"]
