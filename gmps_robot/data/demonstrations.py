"""Demonstrations that people gave: from accepted episodes of the catalogue to what meta-training imitates.

A label is what the person asked for, not what the limits let through: the policy's own requests pass the same limits.
Periods in which nothing is asked for are left out while a person thinks; the rest after the last motion is kept, since
it teaches where to stop.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gmps_robot.data.cache import Cache, Derived, Frames
from gmps_robot.data.catalog import KEPT, Catalog, EpisodeFilter
from gmps_robot.data.models import Dataset, Episode
from gmps_robot.errors import CatalogError, ConfigError, nearest
from gmps_robot.families.family import Family
from gmps_robot.rig import NOMINAL
from gmps_robot.tasks import Task
from gmps_robot.types import Float32Array, ImageArray, SceneState

FEWEST_TASKS = 4  # meta-training over fewer has nothing to tell apart
FILTERS = ("operator", "mode", "rig", "split")
STILL = 0.02  # of full speed: nothing is asked for


@dataclass(frozen=True)
class Choice:
    """What `--demos` means: episodes of the catalogue, and whether the twin's expert demonstrates beside them."""

    family: str
    filters: tuple[tuple[str, str], ...] = ()
    expert: bool = False


@dataclass(frozen=True)
class TaskDemonstrations:
    """What people showed of one task: N control periods of all its episodes."""

    task: Task
    observations: Float32Array  # (N, O) SI units
    labels: Float32Array  # (N, A) in [-1, 1]
    frames: ImageArray | None  # (N, height, width, 3)
    episodes: int

    @property
    def steps(self) -> int:
        """N."""
        return len(self.labels)


@dataclass(frozen=True)
class Demonstrated:
    """Demonstrations of several tasks, and the data set that they are."""

    tasks: tuple[TaskDemonstrations, ...]
    dataset: str  # id of the row in the catalogue
    missing: tuple[Task, ...]  # planned, without any


def parse(text: str) -> Choice:
    """Read `catalog:FAMILY`, `catalog:FAMILY,operator=NAME,mode=twin`, or one of these `+expert`.

    Raises:
        ConfigError: anything else.
    """
    people, plus, beside = text.partition("+")
    kind, _, rest = people.partition(":")
    family, *conditions = rest.split(",")
    if kind != "catalog" or not family or (plus and beside != "expert"):
        raise ConfigError(f"--demos {text!r}: valid: expert, catalog:FAMILY[,operator=NAME], folder:DIR, [+expert]")
    filters = []
    for condition in conditions:
        key, _, value = condition.partition("=")
        if key not in FILTERS or not value:
            raise ConfigError(f"--demos {text!r}: unknown condition {condition!r}{nearest(key, FILTERS)}")
        filters.append((key, value))
    return Choice(family, tuple(filters), bool(plus))


def load(
    catalog: Catalog, choice: Choice, family: Family, kind: Literal["state", "vision"], text: str, rig: str = NOMINAL
) -> Demonstrated:
    """Read the accepted demonstrations that `choice` means, and keep the choice in the catalogue as a data set.

    `rig` is the id of the rig that a policy of kind "vision" is trained for.

    Raises:
        CatalogError: too few of them.
        ConfigError: they are of another family, or lack what a policy of `kind` needs.
        EpisodeError: a file does not read.
    """
    if choice.family != family.name:
        raise ConfigError(f"--demos {text}: the recipe is for the family {family.name!r}, not {choice.family!r}")
    episodes = chosen(catalog, choice)
    if kind == "vision":
        _check_rig(episodes, text, rig)
    by_task: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda row: (row.started_ns, row.id)):
        by_task.setdefault(episode.task, []).append(episode)
    quota = catalog.quota(family.name, "train")
    shown = {catalog.task(name) for name in by_task}
    missing = tuple(q.task for q in quota.tasks if q.task not in shown)
    if not choice.expert and len(by_task) < FEWEST_TASKS:
        raise CatalogError(
            f"--demos {text}: accepted demonstrations of {len(by_task)} tasks in {catalog.data}; meta-training needs "
            f"{FEWEST_TASKS} at least. Teach more in the panel, or add +expert"
        )
    cache = Cache(catalog.data)
    tasks = tuple(_of_task(catalog, name, rows, cache, family, kind) for name, rows in sorted(by_task.items()))
    return Demonstrated(tasks, freeze(catalog, episodes, text).id, missing)


def _check_rig(episodes: list[Episode], text: str, rig: str) -> None:
    strange = [row for row in episodes if row.rig != rig]
    if strange:
        raise ConfigError(
            f"--demos {text}: episode {strange[0].id} was recorded on the rig {strange[0].rig}; a vision policy is "
            f"trained with pictures of one rig, here {rig}. Take {text.split('+')[0]},rig={rig}, or a state recipe, or "
            "name the rig's file by --rig"
        )


def chosen(catalog: Catalog, choice: Choice) -> list[Episode]:
    """The accepted demonstrations that `choice` means."""
    conditions = {"split": "train", **dict(choice.filters)}
    wanted = EpisodeFilter(family=choice.family, source="demo", accepted=True)
    found = [row for row in catalog.episodes(wanted) if row.status in KEPT]
    return [row for row in found if all(getattr(row, key) == value for key, value in conditions.items())]


def freeze(catalog: Catalog, episodes: list[Episode], query: str) -> Dataset:
    """Write down which episodes were chosen; the same files are the same data set."""
    members = sorted((row.id, row.sha256) for row in episodes)
    digest = hashlib.sha256(repr(members).encode()).hexdigest()[:32]
    known = catalog.find(Dataset, digest)
    if known is not None:
        return known
    dataset = Dataset(id=digest, query=query, episodes=[name for name, _ in members], created_ns=catalog.now_ns())
    catalog.put(dataset)
    return dataset


def _of_task(
    catalog: Catalog, name: str, rows: list[Episode], cache: Cache, family: Family, kind: str
) -> TaskDemonstrations:
    episodes, kept, begin = [], [], 0
    for row in rows:
        derived = cache.get(catalog.file(row), row.sha256)
        if kind == "state" and not len(derived.objects):
            raise ConfigError(f"episode {row.id} (rig {row.rig}) has no scene state: train a vision recipe from it")
        if kind == "vision" and not len(derived.frames):
            raise ConfigError(f"episode {row.id} (rig {row.rig}) has no camera images: train a state recipe from it")
        episodes.append(derived)
        kept.append(begin + taught(derived.commanded))
        begin += len(derived)
    periods = np.concatenate(kept)
    observations = np.concatenate([_observations(derived, family) for derived in episodes])[periods]
    commanded = np.concatenate([derived.commanded for derived in episodes])[periods].astype(np.float64)
    labels = family.policy_action(commanded).astype(np.float32)
    frames = Frames(episodes).batch(periods) if kind == "vision" else None
    return TaskDemonstrations(catalog.task(name), observations, labels, frames, len(rows))


def taught(commanded: Float32Array) -> NDArray[np.int64]:
    """Which control periods (T,) teach something: those with a motion, and the rest after the last one."""
    moving = np.flatnonzero(np.linalg.norm(commanded[:, :3], axis=1) > STILL)
    if len(moving) == 0:
        return moving
    return np.concatenate([moving, np.arange(moving[-1] + 1, len(commanded))])


def _observations(derived: Derived, family: Family) -> Float32Array:
    """Full-state observations (T, O); the object's part is zero where nobody saw it, and no vision policy reads it."""
    objects = derived.objects if len(derived.objects) else np.zeros((len(derived), 7), np.float32)
    scene = SceneState(derived.tips.astype(np.float64), objects.astype(np.float64), np.zeros(len(derived)))
    return family.observation(scene).astype(np.float32)
