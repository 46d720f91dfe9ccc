"""Which episodes an adaptation has, told from its status alone: when one begins, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from gmps_robot.control.session_status import ACTING, SessionStatus

Place = tuple[str, int, int]  # stage, update, episode: what names an episode within a session


@dataclass(frozen=True)
class Begin:
    """An episode of the session begins."""

    update: int  # how many updates the policy has behind it


@dataclass(frozen=True)
class Keep:
    """The running episode is over, and judged."""

    reward: float
    success: bool
    judge: str = ""  # who said so; empty: nobody by name, or no person


@dataclass(frozen=True)
class Drop:
    """The running episode does not count."""

    reason: str


Act = Begin | Keep | Drop


class SessionFollower:
    """Compares each status with the one before; statuses may be missing between them."""

    def __init__(self) -> None:
        self._running: Place | None = None
        self._judged = 0
        self._step = 0

    def follow(self, status: SessionStatus) -> list[Act]:
        """Return what has happened, in order."""
        acts: list[Act] = []
        judged, place = _judgements(status), (status.stage, status.update, status.episode)
        if self._running is not None and len(judged) > self._judged:
            acts.append(Keep(*judged[-1], status.judged_by))
            self._running = None
        elif self._running is not None and self._is_void(status, place, len(judged)):
            acts.append(Drop(status.message))
            self._running = None
        self._judged, self._step = len(judged), status.step
        if self._running is None and status.phase in ACTING:
            self._running = place
            acts.append(Begin(status.update if status.stage != "before" else 0))
        return acts

    def _is_void(self, status: SessionStatus, place: Place, judged: int) -> bool:
        """Whether the running episode has ended without a judgement."""
        if status.phase in ACTING:
            return place != self._running or status.step < self._step or judged < self._judged
        return status.phase != "awaiting_label"


def _judgements(status: SessionStatus) -> list[tuple[float, bool]]:
    """Every judgement of the session so far, in the order of its stages."""
    stages = (
        (status.before_returns, status.before_successes),
        (status.returns, status.successes),
        (status.after_returns, status.after_successes),
    )
    return [(float(r), bool(s)) for returns, successes in stages for r, s in zip(returns, successes, strict=True)]
