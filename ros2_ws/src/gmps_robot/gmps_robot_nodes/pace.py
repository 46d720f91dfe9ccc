"""When the twin takes its next step: in real time, or in lock-step with whoever answers its observations."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

RESEND = 0.25  # a lost observation is sent again after this long [s]


class Answer(Enum):
    """What came back for the present observation."""

    NONE = "none"
    HOLD = "hold"
    MOVE = "move"


class Pace:
    """Decides; does not sleep. Times are of the injected clock [s].

    Real time: one step per period, whatever comes. Lock-step: a step as soon as a motion was asked for; while nobody
    wants motion, one step per period, so that an idle twin is not busy; when a motion was under way, or the scene was
    put back for somebody, and the next answer fails to come, the twin stands still for `patience`, then goes on without
    it. So it never waits for ever.
    """

    def __init__(self, period: float, patience: float, lockstep: bool, clock: Callable[[], float]) -> None:
        self.missed = 0  # steps that came more than half a period late, in real time
        self.waited_out = 0  # answers that did not come within the patience, in lock-step
        self._period, self._patience, self._lockstep, self._clock = period, patience, lockstep, clock
        self._begun = self._sent = clock()
        self._awaited = False  # the next answer

    def begin(self, answer: Answer, afresh: bool = False, awaited: bool = False) -> None:
        """Note that the last step was taken on `answer` and that the next observation goes out now.

        `afresh`: no step was taken, the scene was put back; its first period begins now. `awaited`: for somebody who is
        about to answer.
        """
        now = self._clock()
        due = self._begun + self._period
        late = now - due
        if self._lockstep or afresh or late > self._period:
            self._begun = now  # too late to catch up: a stopped process must not run fast afterwards
        else:
            self._begun = due
        if not self._lockstep and not afresh and late > 0.5 * self._period:
            self.missed += 1
        self._sent = now
        self._awaited = awaited or answer is Answer.MOVE

    def remaining(self, answer: Answer) -> float:
        """Seconds until the next step may be taken, given what came back so far; zero: now."""
        if self._lockstep and answer is Answer.MOVE:
            return 0.0
        waits = self._lockstep and self._awaited and answer is Answer.NONE
        left = self._begun + (self._patience if waits else self._period) - self._clock()
        if waits and left <= 0.0:
            self.waited_out += 1
            self._awaited = False
        return max(0.0, left)

    def resend(self) -> bool:
        """Whether to send the observation again: best effort may have lost it, and motion waits for the answer."""
        now = self._clock()
        if not (self._lockstep and self._awaited and now - self._sent >= RESEND):
            return False
        self._sent = now
        return True
