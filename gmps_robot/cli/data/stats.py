"""gmps data stats: what was recorded, per task and source, and what is odd about it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stats:
    """Count episodes, steps and flags per task and source, as the catalogue has them.

    Example:
        gmps data stats
    """

    family: str | None = None
    """Only this task family."""
    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""
    json: Path | None = None
    """Also write the numbers to this file."""


def run(options: Stats) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data import folder
    from gmps_robot.data.catalog import Catalog, EpisodeFilter
    from gmps_robot.data.folder import default_data

    data = options.data or default_data()
    with Catalog(data) as catalog:
        rows = catalog.episodes(EpisodeFilter(family=options.family))
        accepted = {row.id for row in catalog.episodes(EpisodeFilter(family=options.family, accepted=True))}
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        groups.setdefault((row.task, row.source), []).append(row)
    lines = [_line(task, source, of, accepted) for (task, source), of in sorted(groups.items())]
    for line in lines:
        flags = ", ".join(f"{name} {count}" for name, count in line["flags"].items())
        print(
            f"{line['task']:22} {line['source']:8} {line['episodes']:4} episodes, {line['accepted']:4} accepted, "
            f"{line['steps']:6} steps{f'; {flags}' if flags else ''}"
        )
    odd = {"open": len(list(folder.parts(data))), "put aside": len(list(folder.discarded(data)))}
    size = sum(row.bytes for row in rows) / 2**20
    print(f"{len(rows)} episodes, {size:.1f} MiB; " + ", ".join(f"{count} {name}" for name, count in odd.items()))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"groups": lines, "episodes": len(rows), **odd}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _line(task: str, source: str, rows: list[Any], accepted: set[str]) -> dict[str, Any]:
    flags = Counter(flag for row in rows for flag in row.quality.get("flags", ()))
    return {
        "task": task, "source": source, "episodes": len(rows), "accepted": sum(row.id in accepted for row in rows),
        "steps": sum(row.steps for row in rows), "flags": dict(sorted(flags.items())),
    }  # fmt: skip
