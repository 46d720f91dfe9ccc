"""The session as the panel sees it: the record that `control.session` publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "idle", "awaiting_reset", "collecting", "awaiting_label", "adapting", "evaluating", "done", "rolled_back", "stopped"
]
Stage = Literal["before", "adapt", "after"]


@dataclass(frozen=True)
class SessionStatus:
    """One adaptation session at one instant. `returns` and `successes` are of the adaptation episodes so far."""

    phase: Phase = "idle"
    stage: Stage = "before"
    paused: bool = False
    task_id: str = ""
    episode: int = 0  # 1-based, of the running stage
    episodes: int = 20
    update: int = 0
    updates: int = 1
    step: int = 0
    horizon: int = 50
    returns: tuple[float, ...] = ()
    successes: tuple[bool, ...] = ()
    before_successes: tuple[bool, ...] = ()
    before_returns: tuple[float, ...] = ()
    after_successes: tuple[bool, ...] = ()
    after_returns: tuple[float, ...] = ()
    decision: Literal["", "accepted", "rolled_back"] = ""
    message: str = ""
