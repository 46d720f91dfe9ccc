"""What is still to be taught: a plan per task family and split, counted against the accepted demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmps_robot.errors import CatalogError
from gmps_robot.tasks import Task

TASKS, PER_TASK, MOST = 20, 3, 1000  # a plan nobody made: the training goals of the recipes, three demonstrations each


@dataclass(frozen=True)
class TaskQuota:
    """How far one task is."""

    task: Task
    wanted: int
    accepted: int  # demonstrations a person accepted
    recorded: int  # demonstrations on disk that were not discarded

    @property
    def missing(self) -> int:
        """Demonstrations still to be made."""
        return max(0, self.wanted - self.accepted)


@dataclass(frozen=True)
class Quota:
    """How far a task family is."""

    family: str
    split: str
    per_task: int
    tasks: tuple[TaskQuota, ...]

    @property
    def next(self) -> Task | None:
        """The task to teach next: one of those that miss most; None when nothing is missing."""
        behind = max(self.tasks, key=lambda quota: quota.missing, default=None)
        return behind.task if behind is not None and behind.missing else None

    @property
    def accepted(self) -> int:
        """Accepted demonstrations that count: no task counts beyond its quota."""
        return sum(min(quota.accepted, quota.wanted) for quota in self.tasks)

    @property
    def wanted(self) -> int:
        """Demonstrations of the whole plan."""
        return sum(quota.wanted for quota in self.tasks)


def count(
    tasks: Sequence[Task], names: Sequence[str], per_task: int, recorded: Mapping[str, int], accepted: Mapping[str, int]
) -> tuple[TaskQuota, ...]:
    """Set numbers of demonstrations, by the tasks' names in the catalogue, against the plan."""
    named = zip(tasks, names, strict=True)
    return tuple(TaskQuota(task, per_task, accepted.get(name, 0), recorded.get(name, 0)) for task, name in named)


def check(tasks: int, per_task: int) -> None:
    """Refuse a plan that cannot be.

    Raises:
        CatalogError: numbers outside 1 to `MOST`.
    """
    for name, value in (("tasks", tasks), ("per_task", per_task)):
        if not 1 <= value <= MOST:
            raise CatalogError(f"a plan with {name}={value}: choose 1 to {MOST}")
