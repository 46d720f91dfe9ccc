"""One line of the self-test's table: what was measured, against which bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure and its bar."""

    what: str
    value: float
    bar: float
    unit: str
    at_least: bool = False  # the bar is a lower one

    @property
    def passed(self) -> bool:
        """Whether the bar is kept; a figure that is not a number keeps none."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


@dataclass(frozen=True)
class Part:
    """A part of the self-test: its name, and what measures it. The full form takes longer and measures more."""

    name: str
    measure: Callable[[bool], Sequence[Row]]  # full or short -> rows
