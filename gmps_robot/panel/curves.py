"""Learning curves of a run from its metrics.jsonl."""

from __future__ import annotations

import json
import math
from pathlib import Path

FILE = "metrics.jsonl"
POINTS = 500  # per curve: more than a page is wide


def read(path: Path) -> dict[str, list[list[float]]]:
    """Return name -> [[step, value], ...] of every finite number; empty where the run has written nothing yet.

    The last line of a running training may be torn; it is left out.
    """
    if not path.is_file():
        return {}
    found: dict[str, list[list[float]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        x = row.pop("step", None) if isinstance(row, dict) else None
        if not isinstance(x, int | float):
            continue
        for name, value in row.items():
            if _is_number(value):
                found.setdefault(name, []).append([float(x), float(value)])
    return {name: _thin(points) for name, points in found.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _thin(points: list[list[float]]) -> list[list[float]]:
    every = -(-len(points) // POINTS)
    return points if every == 1 else [*points[:-1:every], points[-1]]
