"""Adaptations in the catalogue: which policy met which task, what each episode returned, what was kept of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.models import AdaptationRun, AdaptationStep, Base, Mode, Run, RunState
from gmps_robot.data.revision import revision
from gmps_robot.data.runs import WEIGHTS, checkpoint

CURVE = "metrics.jsonl"
STATES: Mapping[str, RunState] = {"done": "done", "rolled_back": "done", "stopped": "stopped"}


def keep_adaptation(
    catalog: Catalog, folder: Path, source: Path, result: Mapping[str, Any], seconds: float, mode: Mode
) -> AdaptationStep:
    """Write down the session in `folder`, which began with the checkpoint `source`. Doing it again renews what changed.

    Args:
        catalog: where.
        folder: of the session; its curve is written there too.
        source: directory of the checkpoint it began with.
        result: as `AdaptReport.to_dict` has it.
        seconds: since the session began, for the episodes that were recorded meanwhile.
        mode: what moved.
    """
    place, now = str(folder.resolve()), catalog.now_ns()
    name, began = uuid.uuid5(uuid.NAMESPACE_URL, place).hex, now - round(seconds * 1e9)
    known = catalog.find(Run, name)
    if known is not None:
        began = known.started_ns
    _write_curve(folder / CURVE, result)
    state = STATES.get(str(result["phase"]), "running")
    settings = {key: result[key] for key in ("reward", "updates") if key in result}
    run = Run(
        id=name, kind="adapt", name=folder.name, path=place, config=settings, seed=0, revision=revision(), state=state,
        started_ns=began, ended_ns=now,
    )  # fmt: skip
    adaptation = AdaptationRun(
        id=name, checkpoint=str(source), task=str(result["task"]), mode=mode, settings=settings, state=state,
        started_ns=began, ended_ns=now,
    )  # fmt: skip
    policy = Path(str(result["policy"]))
    kept = policy if policy != source and (policy / WEIGHTS).is_file() else None
    step = AdaptationStep(
        run=name, number=int(result["updates"]), episodes=_recorded(catalog, began, str(result["task"])),
        before=_evaluation(result, "before"), after=_evaluation(result, "after"),
        verdict=str(result["decision"]) or "none", checkpoint=str(kept or source),
    )  # fmt: skip
    rows: list[Base] = [run, adaptation, step]
    if kept is not None:
        rows.append(checkpoint(kept, name, now, parent=source.name))
    catalog.put(*rows)
    return step


def _evaluation(result: Mapping[str, Any], stage: str) -> dict[str, Any]:
    episodes = result["episodes"][stage]
    returns = [episode["return"] for episode in episodes if episode["return"] is not None]
    return {
        "episodes": len(episodes), "success": result["success"][stage],
        "mean_return": sum(returns) / len(returns) if returns else None,
    }  # fmt: skip


def _recorded(catalog: Catalog, began: int, task: str) -> list[str]:
    """The policy's episodes that were recorded since the session began, oldest first."""
    rows = catalog.episodes(EpisodeFilter(source="policy", task=task))
    return [row.id for row in reversed(rows) if row.started_ns >= began]


def _write_curve(path: Path, result: Mapping[str, Any]) -> None:
    """One line per episode to learn from, as trainings write theirs."""
    lines = [
        json.dumps({"step": k, "return": episode["return"], "success": float(episode["success"])})
        for k, episode in enumerate(result["episodes"]["adapt"], 1)
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
