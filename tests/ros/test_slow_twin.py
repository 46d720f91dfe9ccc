"""A twin whose steps take longer than their period, as on a machine that does too much else, is slow but not deaf."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gmps_robot_nodes import twin_node
from gmps_robot_nodes.pace import Answer, Pace

PERIOD = 0.05
STEPS = 40


class Turns:
    """Stands in for the node: a clock that a step moves on by `takes` [s], and what was done in which order."""

    def __init__(self, takes: float) -> None:
        self.now, self.takes, self.done = 100.0, takes, ""
        self.requested = False
        self._pace = Pace(PERIOD, 2.0, lockstep=False, clock=lambda: self.now)
        self._answer, self._lockstep = Answer.NONE, False
        self.family = SimpleNamespace(name="push", control_hz=20.0)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=lambda _: None)

    def _observe(self, answer: Answer, afresh: bool = False) -> None:
        self._pace.begin(answer, afresh)

    def _step(self) -> None:
        self.done += "s"
        self.requested = self.done.count("s") >= STEPS
        self._observe(Answer.NONE)
        self.now += self.takes

    def add_node(self, _: object) -> None:
        """As an executor."""

    def spin_once(self, timeout_sec: float) -> None:
        self.done += "l"
        self.now += timeout_sec


@pytest.mark.parametrize("takes", [0.2 * PERIOD, 1.2 * PERIOD, 3.0 * PERIOD])
def test_between_two_steps_it_listens(monkeypatch: pytest.MonkeyPatch, takes: float) -> None:
    turns = Turns(takes)
    monkeypatch.setattr(twin_node, "SingleThreadedExecutor", lambda: turns)
    twin_node.TwinNode.run(turns, turns)  # type: ignore[arg-type]
    assert turns.done.count("s") == STEPS
    assert "ss" not in turns.done
