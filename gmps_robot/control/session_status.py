"""Where an adaptation session stands, and what may be asked of it in each phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from gmps_robot.errors import SessionError
from gmps_robot.types import FloatArray, Trajectory

Phase = Literal[
    "idle", "awaiting_reset", "resetting", "collecting", "awaiting_label", "adapting", "evaluating",
    "done", "rolled_back", "stopped",
]
Stage = Literal["before", "adapt", "after"]
Decision = Literal["", "accepted", "rolled_back"]

PHASES: tuple[Phase, ...] = get_args(Phase)
STAGES: tuple[Stage, ...] = get_args(Stage)
ACTING: frozenset[Phase] = frozenset({"collecting", "evaluating"})  # the arm moves in these
ENDED: frozenset[Phase] = frozenset({"idle", "done", "rolled_back", "stopped"})  # nothing more happens by itself
RUNNING: frozenset[Phase] = frozenset(PHASES) - ENDED

# What may be asked when. `act`, `record_applied`, `advance`, `pause` and `stop` are harmless in any phase.
ALLOWED: Mapping[str, frozenset[Phase]] = {
    "start": ENDED,
    "begin_reset": frozenset({"awaiting_reset"}),
    "reset_failed": frozenset({"resetting"}),
    "reset_done": frozenset({"awaiting_reset", "resetting"}),
    "label": frozenset({"awaiting_label"}),
    "discard_episode": ACTING | {"awaiting_label"},
    "accept": frozenset({"done", "rolled_back"}),
    "roll_back": frozenset({"done", "rolled_back"}),
}


@dataclass(frozen=True)
class SessionStatus:
    """One session at one instant, as nodes publish it and pages show it.

    `episode` counts from 1 within the running stage (within the update, while adapting), `episodes` is how many there
    are; `returns` and `successes` are of all adaptation episodes so far, over all updates.
    """

    phase: Phase = "idle"
    stage: Stage = "before"
    paused: bool = False
    task_id: str = ""
    episode: int = 0
    episodes: int = 20
    update: int = 0  # how many updates have been made or skipped
    updates: int = 1
    step: int = 0
    horizon: int = 50
    returns: tuple[float, ...] = ()
    successes: tuple[bool, ...] = ()
    before_successes: tuple[bool, ...] = ()
    before_returns: tuple[float, ...] = ()
    after_successes: tuple[bool, ...] = ()
    after_returns: tuple[float, ...] = ()
    judged_by: str = ""  # who gave the newest of these rewards; empty: nobody by name, or no person
    decision: Decision = ""
    message: str = ""  # what a person must do, or what happened

    @property
    def success_before(self) -> float:
        """Share of the evaluation episodes before adaptation that succeeded; NaN for none."""
        return _share(self.before_successes)

    @property
    def success_after(self) -> float:
        """The same after adaptation."""
        return _share(self.after_successes)

    def where(self) -> str:
        """Name the present episode, to begin a message with."""
        if not self.episode:
            return "the session"
        stage = {"before": "before adaptation", "adapt": "to learn from", "after": "after adaptation"}[self.stage]
        return f"episode {self.episode} of {self.episodes} {stage}"


def require(status: SessionStatus, request: str) -> None:
    """Check that `request` is possible now.

    Raises:
        SessionError: it is not; the message names the phases in which it is.
    """
    if status.phase not in ALLOWED[request]:
        raise SessionError(
            f"{request}: the session is {status.phase!r} ({status.where()}); this is possible in: "
            f"{', '.join(sorted(ALLOWED[request]))}"
        )


def rewards_from_label(status: SessionStatus, value: float | FloatArray, episode: int) -> FloatArray:
    """Return the rewards (H,) that a label stands for: one number counts at the last step.

    Raises:
        SessionError: the label is for another episode, not finite, or of the wrong length.
    """
    if episode != status.episode:
        raise SessionError(
            f"label for episode {episode}: the one to judge is {status.episode} of {status.episodes} (stage "
            f"{status.stage}); a label cannot be changed once the next episode has begun"
        )
    given = np.asarray(value, dtype=np.float64)
    if given.shape not in ((), (status.horizon,)) or not np.isfinite(given).all():
        raise SessionError(
            f"label {value!r} for episode {episode}: expected one finite number, or {status.horizon} of them"
        )
    return np.append(np.zeros(status.horizon - 1), given) if given.shape == () else given


def judge(status: SessionStatus) -> tuple[Decision, str]:
    """Accept the adapted policy when it is not worse than the one before: by success, then by return."""
    before = (status.success_before, float(np.mean(status.before_returns)))
    after = (status.success_after, float(np.mean(status.after_returns)))
    told = f"success {before[0]:.0%} before, {after[0]:.0%} after; return {before[1]:.3g} before, {after[1]:.3g} after"
    if after >= before:
        return "accepted", f"accepted: {told}"
    return "rolled_back", f"rolled back, the adapted policy did worse: {told}"


def with_episodes(status: SessionStatus, episodes: Mapping[Stage, Sequence[Trajectory]]) -> SessionStatus:
    """Return `status` with the returns and successes of the finished `episodes`."""
    returns = {stage: tuple(t.episode_return for t in episodes[stage]) for stage in STAGES}
    successes = {stage: tuple(t.success for t in episodes[stage]) for stage in STAGES}
    return replace(
        status,
        returns=returns["adapt"],
        successes=successes["adapt"],
        before_returns=returns["before"],
        before_successes=successes["before"],
        after_returns=returns["after"],
        after_successes=successes["after"],
    )


def _share(successes: tuple[bool, ...]) -> float:
    return sum(successes) / len(successes) if successes else float("nan")
