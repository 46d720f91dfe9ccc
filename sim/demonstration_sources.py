"""The demonstrations D* of a run: the twin's expert, people, or both, as the one structure that the method imitates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gmps_robot.families.family import Family
from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.recipe import Recipe
from gmps_robot.policy import PolicySpec
from gmps_robot.tasks import Task
from sim.demonstrations import collect_demonstrations
from sim.randomize import around_nominal
from sim.render.camera import POLICY_CAMERA, Camera

if TYPE_CHECKING:
    from gmps_robot.data.demonstrations import Demonstrated, TaskDemonstrations


def from_people(recipe: Recipe, source: str, shown: Demonstrated, *, expert: bool) -> Recipe:
    """Return `recipe` for demonstrations of people. Without the expert nobody relabels, so nothing is aggregated."""
    recipe = replace(recipe, demonstrations=replace(recipe.demonstrations, source=source, dataset=shown.dataset))
    if expert:
        return recipe
    return replace(
        recipe, tasks=len(shown.tasks), warmup=replace(recipe.warmup, aggregations=0, rollouts=0),
        gmps=replace(recipe.gmps, aggregations=0),
    )  # fmt: skip


def needs_expert(recipe: Recipe) -> bool:
    """Whether the twin's expert demonstrates too."""
    return "expert" in recipe.demonstrations.source.split("+")


def training_tasks(recipe: Recipe, family: Family, shown: Demonstrated | None) -> tuple[Task, ...]:
    """The tasks of a run: those the expert is asked for, then those that people showed besides."""
    drawn = family.sample("train", recipe.tasks, recipe.seed) if needs_expert(recipe) else ()
    goals = {task.context for task in drawn}
    return drawn + tuple(t.task for t in (shown.tasks if shown else ()) if t.task.context not in goals)


def demonstration_set(
    recipe: Recipe, family: Family, tasks: Sequence[Task], spec: PolicySpec, shown: Demonstrated | None,
    camera: Camera = POLICY_CAMERA,
) -> tuple[DemonstrationSet, int]:
    """Collect and join the demonstrations of `tasks`; also the control steps that this took in the twin.

    `camera` is that of the rig.
    """
    if not needs_expert(recipe):
        return _people(tasks, spec, shown), 0
    settings = recipe.demonstrations
    worlds = len(tasks) * settings.per_task
    made = collect_demonstrations(
        family, tasks, settings.per_task, settings.noise, recipe.seed, images=recipe.kind == "vision", camera=camera,
        variation=around_nominal(np.random.default_rng(recipe.seed), worlds, recipe.randomise),
    )  # fmt: skip
    images = None if made.images is None else torch.from_numpy(made.images).flatten(1, 2)
    proprio = _normalised(torch.from_numpy(made.observations), spec)
    demos = DemonstrationSet(proprio.flatten(1, 2), torch.from_numpy(made.labels).flatten(1, 2), images)
    if shown is not None and shown.tasks:
        beside = _people(tasks, spec, shown, otherwise=demos)
        demos.add(beside.proprio, beside.labels, beside.images)
    return demos, made.steps


def _people(
    tasks: Sequence[Task], spec: PolicySpec, shown: Demonstrated | None, otherwise: DemonstrationSet | None = None
) -> DemonstrationSet:
    """What people showed of each task, repeated to one length; a task nobody showed repeats `otherwise`."""
    by_goal = {t.task.context: t for t in (shown.tasks if shown else ())}
    length = max(len(t.labels) for t in by_goal.values())
    parts = []
    for k, task in enumerate(tasks):
        if task.context in by_goal:
            parts.append(_repeated(_of_task(by_goal[task.context], spec), length))
        elif otherwise is not None:
            images = None if otherwise.images is None else otherwise.images[k : k + 1]
            own = DemonstrationSet(otherwise.proprio[k : k + 1], otherwise.labels[k : k + 1], images)
            parts.append(_repeated(own, length))
    frames = [part.images for part in parts if part.images is not None]
    proprio, labels = torch.cat([part.proprio for part in parts]), torch.cat([part.labels for part in parts])
    return DemonstrationSet(proprio, labels, torch.cat(frames) if frames else None)


def _of_task(shown: TaskDemonstrations, spec: PolicySpec) -> DemonstrationSet:
    frames = None if shown.frames is None else torch.from_numpy(shown.frames)[None]
    proprio = _normalised(torch.from_numpy(shown.observations), spec)
    return DemonstrationSet(proprio[None], torch.from_numpy(shown.labels)[None], frames)


def _repeated(one: DemonstrationSet, length: int) -> DemonstrationSet:
    """The samples of one task, over and over, to `length`."""
    index = torch.arange(length) % one.labels.shape[1]
    return DemonstrationSet(
        one.proprio[:, index], one.labels[:, index], None if one.images is None else one.images[:, index]
    )


def _normalised(observations: Tensor, spec: PolicySpec) -> Tensor:
    center, scale = torch.tensor(spec.observation_center), torch.tensor(spec.observation_scale)
    return ((observations - center) / scale)[..., : spec.proprio_size]
