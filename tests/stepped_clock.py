"""A clock that moves when somebody sleeps."""

from __future__ import annotations


class SteppedClock:
    """Call it for the time [s]."""

    def __init__(self, now: float = 50.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
