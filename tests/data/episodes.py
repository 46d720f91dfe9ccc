"""Rows of the catalogue to test with, without the trouble of a real recording."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gmps_robot.data.catalog import Catalog
from gmps_robot.families import family
from gmps_robot.tasks import Task

TASKS = family("push").sample("train", 20, 0)


def add_episode(
    catalog: Catalog,
    task: Task,
    *,
    steps: int = 50,
    status: Any = "complete",
    quality: dict[str, Any] | None = None,
    path: Path | None = None,
    **fields: Any,
) -> str:
    """Add an episode of `task` whose file holds nothing of interest; returns its id."""
    defaults: dict[str, Any] = {
        "episode": uuid.uuid4().hex, "family": task.family, "task": task.to_json(), "source": "demo", "mode": "twin",
        "operator": "ada", "checkpoint": "", "rig": "nominal", "envelope": "e", "revision": "r", "control_hz": 20.0,
        "started_ns": 1,
    }  # fmt: skip
    info = SimpleNamespace(**{**defaults, **fields})
    if path is None:
        path = catalog.data / "episodes" / task.family / f"{info.episode}.mcap"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"episode")
    catalog.add(info, path, "0" * 64, steps, status, quality)  # type: ignore[arg-type]
    return str(info.episode)
