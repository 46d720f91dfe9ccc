"""What remains of an adaptation: numbers as JSON, one picture, one film. Used with and without ROS."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gmps_robot.control.session_status import STAGES, SessionStatus, Stage
from gmps_robot.tasks import Task
from gmps_robot.types import FloatArray, SceneState

Paths = Mapping[Stage, tuple[FloatArray, ...]]


@dataclass(frozen=True)
class AdaptReport:
    """One finished session. `paths` are object positions (steps + 1, 2) [m] of every episode; may be empty."""

    task: Task
    status: SessionStatus
    success_radius: float  # [m]
    paths: Paths
    seconds: float  # of the whole session, on its clock
    policy: str  # where the policy in force is stored
    details: Mapping[str, Any] = field(default_factory=dict)  # more to store as it is: versions, timing, options

    @property
    def goal(self) -> FloatArray | None:
        """Place (2,) on the table [m]; None for families whose context is no place."""
        return np.array(self.task.context) if len(self.task.context) == 2 else None

    def final_distances(self, stage: Stage) -> tuple[float, ...]:
        """Distance of the object from the goal at the end of each episode of `stage` [m]; empty if unknown."""
        goal = self.goal
        if goal is None:
            return ()
        return tuple(float(np.linalg.norm(path[-1] - goal)) for path in self.paths.get(stage, ()))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON; what is unknown is null."""
        status = self.status
        distances = {stage: self.final_distances(stage) for stage in STAGES}
        return {
            "task": status.task_id,
            "context": list(self.task.context),
            "phase": status.phase,
            "decision": status.decision,
            "message": status.message,
            "success": {"before": _number(status.success_before), "after": _number(status.success_after)},
            "distance_m": {stage: _number(_mean(values)) for stage, values in distances.items()},
            "episodes": {
                "before": _episodes(status.before_returns, status.before_successes, distances["before"]),
                "adapt": _episodes(status.returns, status.successes, distances["adapt"]),
                "after": _episodes(status.after_returns, status.after_successes, distances["after"]),
            },
            "updates": status.update,
            "seconds": round(self.seconds, 3),
            "policy": self.policy,
            **self.details,
        }


def write_result(report: AdaptReport, path: Path) -> None:
    """Write `report` as JSON, replacing an older file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(report.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def summary_rows(report: AdaptReport) -> list[tuple[str, str, str, str]]:
    """Rows (stage, episodes, success, mean final distance) for a table."""
    status = report.status
    successes: dict[Stage, tuple[bool, ...]] = {
        "before": status.before_successes, "adapt": status.successes, "after": status.after_successes
    }  # fmt: skip
    rows = []
    for stage in STAGES:
        told = successes[stage]
        distance = _mean(report.final_distances(stage))
        rows.append(
            (
                {"before": "before", "adapt": "while exploring", "after": "after"}[stage],
                str(len(told)),
                f"{sum(told)} of {len(told)}" if told else "-",
                "-" if math.isnan(distance) else f"{100 * distance:.1f} cm",
            )
        )
    return rows


class PathRecorder:
    """Collects object positions episode by episode. Call `begin` at each episode's start, `add` after each step."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._done: dict[Stage, list[list[FloatArray]]] = {stage: [] for stage in STAGES}
        self._open: list[FloatArray] = []

    def begin(self, scene: SceneState) -> None:
        """A new episode starts at `scene`; a former one that was not ended is forgotten."""
        self._open = [np.array(scene.object_pose[:2])]

    def add(self, scene: SceneState) -> None:
        """One step was made and led to `scene`."""
        self._open.append(np.array(scene.object_pose[:2]))

    def end(self, stage: Stage) -> None:
        """The episode counts, as one of `stage`."""
        if self._open:
            self._done[stage].append(self._open)
        self._open = []

    @property
    def paths(self) -> Paths:
        """Every counted episode, (steps + 1, 2) [m] each."""
        return {stage: tuple(np.array(path) for path in self._done[stage]) for stage in STAGES}


def _episodes(
    returns: tuple[float, ...], successes: tuple[bool, ...], distances: tuple[float, ...]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"return": _number(value), "success": bool(solved)} for value, solved in zip(returns, successes, strict=True)
    ]
    if len(distances) == len(rows):
        for row, distance in zip(rows, distances, strict=True):
            row["distance_m"] = _number(distance)
    return rows


def _mean(values: tuple[float, ...]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
