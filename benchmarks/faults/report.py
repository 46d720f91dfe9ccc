"""Figures of the fault rows, as lines for people, JSON, and the table of docs/safety.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.rows import Row

BEGIN, END = "<!-- fault table: written by make faults -->", "<!-- end of the fault table -->"


class Result:
    """All repetitions of one row."""

    def __init__(self, name: str, row: Row) -> None:
        self.name, self.row = name, row
        self.figures: dict[str, list[float]] = {}
        self.problems: list[str] = []
        self.made_anew: list[float] = []  # for how long the machine stood still in repetitions that do not count [s]

    def add(self, outcome: dict[str, float] | str) -> None:
        """Count one repetition."""
        if isinstance(outcome, str):
            self.problems.append(outcome)
            return
        for name, value in outcome.items():
            self.figures.setdefault(name, []).append(value)

    @property
    def kept(self) -> bool:
        """Whether every repetition reacted, and no figure was above its bound."""
        return not self.problems and all(
            name in self.figures and max(self.figures[name]) <= bound for name, bound in self.row.bounds.items()
        )

    def line(self) -> str:
        """One line for people."""
        parts = [
            f"{name} {1e3 * np.percentile(values, 50):.0f}/{1e3 * np.percentile(values, 99):.0f}"
            + (f" (<= {1e3 * self.row.bounds[name]:.0f})" if name in self.row.bounds else "")
            for name, values in self.figures.items()
        ]
        mark, anew = "ok  " if self.kept else "MISS", f"; {len(self.made_anew)} made anew" if self.made_anew else ""
        return f"{mark} {self.name:18} {', '.join(parts)}{anew} {' | '.join(sorted(set(self.problems)))}"

    def as_json(self) -> dict[str, Any]:
        """Everything measured."""
        return {
            "row": self.name, "kept": self.kept, "bounds": dict(self.row.bounds), "figures": self.figures,
            "problems": self.problems, "made_anew": self.made_anew,
        }  # fmt: skip

    def markdown(self) -> str:
        """One row of the table: median / 99th percentile in ms or mm, bound in brackets."""
        cells = []
        for name, bound in self.row.bounds.items():
            values = self.figures.get(name, [float("nan")])
            low, high = 1e3 * np.percentile(values, 50), 1e3 * np.percentile(values, 99)
            cells.append(f"{name} {low:.0f} / {high:.0f} ({1e3 * bound:.0f})" if bound else f"{name}: none")
        kept = "" if self.kept else " **missed**"
        return f"| {self.row.fault} | {self.row.reaction} | {'<br>'.join(cells)}{kept} |"


def write_table(path: Path, results: list[Result]) -> None:
    """Put the table between its markers in the page at `path`.

    Raises:
        ValueError: the page has no markers.
    """
    text = path.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{path} has no lines {BEGIN!r} and {END!r}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    head = "| fault | reaction | median / p99 (bound), ms or mm |\n|---|---|---|"
    table = "\n".join(result.markdown() for result in results)
    repeats = max((len(v) for r in results for v in r.figures.values()), default=0)
    anew = sum(len(r.made_anew) for r in results)
    note = f"\n{repeats} repetitions of each row; {anew} more were made anew, for the machine stood still in them.\n"
    path.write_text(f"{before}{BEGIN}\n{note}\n{head}\n{table}\n{END}{after}", encoding="utf-8")
