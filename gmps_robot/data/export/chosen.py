"""What an export holds of each episode, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gmps_robot.data.cache import POLICY_SIZE, Cache, Derived
from gmps_robot.data.catalog import KEPT, Catalog, EpisodeFilter
from gmps_robot.data.models import Episode, Label
from gmps_robot.errors import CatalogError
from gmps_robot.types import Float32Array


@dataclass(frozen=True)
class Exported:
    """One episode of T control periods with what people said of it."""

    row: Episode
    sentence: str  # the task, in words
    derived: Derived
    rewards: Float32Array  # (T,) as labelled; the one of the whole episode comes at its last step
    success: bool


def select(catalog: Catalog, wanted: EpisodeFilter) -> list[Episode]:
    """The episodes to export, oldest first.

    Raises:
        CatalogError: there is none.
    """
    rows = [row for row in catalog.episodes(wanted) if row.status in KEPT and row.steps > 0]
    if not rows:
        raise CatalogError(f"no episode of {catalog.data} is asked for; `gmps data stats` shows what there is")
    return sorted(rows, key=lambda row: (row.started_ns, row.id))


def read(catalog: Catalog, rows: Sequence[Episode], size: tuple[int, int] = POLICY_SIZE) -> Iterator[Exported]:
    """Yield the episodes of `rows` with frames of `size` (width, height).

    Raises:
        EpisodeError: a file does not read.
    """
    cache = Cache(catalog.data, size)
    said = catalog.standing([row.id for row in rows])
    for row in rows:
        derived = cache.get(catalog.file(row), row.sha256)
        rewards, success = judged(said[row.id], len(derived))
        task = catalog.task(row.task)
        goal = ", ".join(f"{value:.4f}" for value in task.context)
        yield Exported(row, f"{task.family} to ({goal})", derived, rewards, success)


def judged(labels: Sequence[Label], steps: int) -> tuple[Float32Array, bool]:
    """Rewards (steps,) and success from the labels that stand. Without a reward, success pays 1 at the last step."""
    rewards = np.zeros(steps, dtype=np.float32)
    whole = {label.kind: label.value for label in labels if label.step_from is None}
    paid = [label for label in labels if label.kind == "reward"]
    for label in paid:
        first, last = (steps - 1, steps) if label.step_from is None else (label.step_from, label.step_to)
        rewards[first:last] += label.value
    success = whole.get("success", 0.0) > 0
    if not paid and steps:
        rewards[-1] = float(success)
    return rewards, success
