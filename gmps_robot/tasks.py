"""A task is a frozen point of a family; a distribution draws tasks from disjoint splits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from gmps_robot.errors import TaskError, nearest

Split = Literal["train", "val", "test", "ood"]
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class Task:
    """One task: its family, split, index within the split, context in SI units, and the seed it was drawn with."""

    family: str
    split: Split
    index: int
    context: tuple[float, ...]
    seed: int

    @property
    def task_id(self) -> str:
        """A short name that is unique per distribution seed, such as `push-test-s0-7`."""
        return f"{self.family}-{self.split}-s{self.seed}-{self.index}"

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Task:
        """Read what `to_json` wrote.

        Raises:
            TaskError: the text is not JSON, or lacks a field.
        """
        try:
            raw = json.loads(text)
            return Task(
                str(raw["family"]), split(raw["split"]), int(raw["index"]),
                tuple(float(c) for c in raw["context"]), int(raw["seed"]),
            )
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise TaskError(f"not a task: {text!r} ({error}); expected the output of Task.to_json") from error

    @staticmethod
    def from_id(task_id: str, context: Iterable[float]) -> Task:
        """Return the task of a `task_id` and its context.

        Raises:
            TaskError: that is no id of a task.
        """
        found = re.fullmatch(r"(\w+)-(\w+)-s(\d+)-(\d+)", task_id)
        if found is None:
            raise TaskError(f"not the id of a task: {task_id!r}; one looks like push-test-s0-7")
        family, of, seed, index = found.groups()
        return Task(family, split(of), int(index), tuple(float(c) for c in context), int(seed))


def split(name: str) -> Split:
    """Return `name` as a Split.

    Raises:
        TaskError: there is no such split.
    """
    if name not in SPLITS:
        raise TaskError(f"unknown split {name!r}{nearest(name, SPLITS)}")
    return name  # type: ignore[return-value]


class TaskDistribution(Protocol):
    """Draws tasks. The splits are disjoint by construction; the same arguments give the same tasks on any machine."""

    family: str

    def sample(self, split: Split, n: int, seed: int) -> tuple[Task, ...]:
        """Return `n` tasks of `split`."""
        ...


def contexts(tasks: tuple[Task, ...]) -> NDArray[np.float64]:
    """Stack the contexts of `tasks` into an array of shape (n, k)."""
    return np.array([task.context for task in tasks], dtype=np.float64)
