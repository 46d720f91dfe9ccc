"""Adapt to many held-out tasks at once and score the result: the numbers every table in docs/results.md quotes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gmps_robot.families.family import Family, RewardKind
from gmps_robot.learning.inner import AdaptSettings, adapt, at_update, change, diverged, informative
from gmps_robot.learning.pool import RollOut
from gmps_robot.learning.statistics import wilson_interval
from gmps_robot.policy import MetaPolicy, Params, expand, head, mirrored_normal
from gmps_robot.tasks import Task, contexts
from gmps_robot.types import FloatArray, SceneState
from sim.explorer import Explorer
from sim.rollouts import VecSimulator

CLOSE = 0.03  # the stricter success radius that is reported too [m]


@dataclass(frozen=True)
class Evaluation:
    """Final distances [m] and success of G tasks, before adaptation (row 0) and after each of U updates."""

    distance: FloatArray  # (U + 1, G)
    success: NDArray[np.bool_]  # (U + 1, G)
    informed: NDArray[np.bool_]  # (U, G) whether the update had labels that differ
    refused: NDArray[np.bool_]  # (U, G) whether it diverged, so that the task kept what it had, as on a robot
    ess: FloatArray  # (U,) mean effective sample size after the update
    episodes: int
    steps: int

    def table(self) -> dict[str, object]:
        """Plain numbers: success, intervals, distance and success at 3 cm per update; keys `pre`, `1`, `2`, ..."""
        names = ["pre", *(str(i) for i in range(1, len(self.success)))]
        goals = self.success.shape[1]
        wilson = [wilson_interval(int(s.sum()), goals) for s in self.success]
        return {
            "success": {n: float(s.mean()) for n, s in zip(names, self.success, strict=True)},
            "intervals": {n: [w.low, w.high] for n, w in zip(names, wilson, strict=True)},
            "distance_m": {n: float(d.mean()) for n, d in zip(names, self.distance, strict=True)},
            "success_3cm": {n: float((d < CLOSE).mean()) for n, d in zip(names, self.distance, strict=True)},
            "informed": [float(i.mean()) for i in self.informed],
            "refused": [float(r.mean()) for r in self.refused],
            "ess": [float(e) for e in self.ess],
            "goals": goals,
            "episodes_per_update": self.episodes,
            "environment_steps": self.steps,
        }


def evaluate(
    policy: MetaPolicy,
    family: Family,
    tasks: tuple[Task, ...],
    simulator: VecSimulator,
    settings: AdaptSettings,
    *,
    episodes: int,
    updates: int,
    reward: RewardKind,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Adapt `policy` to each task from `episodes` episodes per update; score the mean action after each update.

    What a task meets depends on `seed` and its index, not on the tasks beside it.
    """
    generators = [_generator(seed, task) for task in tasks]
    goals = contexts(tasks)
    start = simulator.steps
    fast: Params = {k: v.detach() for k, v in expand(policy.fast, len(tasks)).items()}
    steps = expand(policy.step_sizes, len(tasks))
    std = torch.full((len(tasks), 1, 1), policy.latent_std)
    distances, successes = [], []
    informed, refused, ess = [], [], []
    explorer = Explorer(policy, len(tasks)) if settings.latent_update == "belief" else None
    for update in range(updates + 1):
        if update:
            if explorer is None:
                draws = [mirrored_normal(each, episodes, policy.spec.latent_size) for each in generators]
                rolled = simulator.roll_out(policy.spec, policy.slow, fast, goals, std * torch.stack(draws), generators)
            else:
                rolled = explorer.roll_out(fast, family, goals, simulator, episodes, reward, generators)
            centre = None if explorer is None else explorer.best(generators)
            updated = update_all(fast, steps, rolled, family, goals, reward, at_update(settings, update), centre)
            fast = updated.fast
            taken = updated.informed & ~updated.refused  # who keeps what it had explores on as widely
            std = torch.where(taken[:, None, None], std * settings.latent_decay, std)
            informed.append(updated.informed.numpy())
            refused.append(updated.refused.numpy())
            ess.append(updated.ess)
        distance, success = score(policy, fast, family, goals, simulator)
        distances.append(distance)
        successes.append(success)
        if progress is not None:
            progress(update)
    shape = (updates, len(tasks))
    return Evaluation(
        np.stack(distances), np.stack(successes), np.array(informed).reshape(shape), np.array(refused).reshape(shape),
        np.array(ess), episodes, simulator.steps - start,
    )  # fmt: skip


def _generator(seed: int, task: Task) -> torch.Generator:
    """The exploration of one task."""
    state = np.random.SeedSequence([seed, task.index]).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


class Updated(NamedTuple):
    """One update of T tasks."""

    fast: Params
    informed: Tensor  # (T,) who had labels that differ
    refused: Tensor  # (T,) whose update diverged: what it had is kept
    ess: float  # mean effective sample size


def update_all(
    fast: Params,
    steps: Params,
    rolled: RollOut,
    family: Family,
    goals: FloatArray,
    reward: RewardKind,
    settings: AdaptSettings,
    centre: Tensor | None = None,
) -> Updated:
    """One update of every task from its own episodes, refused where a session would refuse it.

    `centre` (T, L) is the latent centre where something else than the gradient chooses it.
    """
    rewards = torch.from_numpy(family.reward(rolled.scene, goals[:, None], reward)).float()
    batch = rolled.batch(rewards)
    with torch.no_grad():
        phi = adapt(fast, steps, batch, settings)
        if centre is not None:
            phi["latent"] = centre
        acted = head(fast, batch.flat_features(), batch.flat_latents())
        kl, ess = change(phi, batch, *acted)
        refused = diverged(phi, kl)
        kept = {name: torch.where(_like(refused, value), fast[name], value) for name, value in phi.items()}
    return Updated(kept, informative(rewards.sum(-1)), refused, float(ess.mean()))


def _like(which: Tensor, value: Tensor) -> Tensor:
    return which.view(-1, *[1] * (value.dim() - 1))


def score(
    policy: MetaPolicy, fast: Params, family: Family, goals: FloatArray, simulator: VecSimulator
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """One deterministic episode per task: final distance (T,) [m] and success (T,)."""
    still = torch.zeros(len(goals), 1, policy.spec.latent_size)
    rolled = simulator.roll_out(policy.spec, policy.slow, fast, goals, still, None)
    scene = rolled.scene
    final = SceneState(scene.tip[:, 0, -1], scene.object_pose[:, 0, -1], scene.time[:, 0, -1])
    return family.distance(final, goals), family.success(final, goals)
