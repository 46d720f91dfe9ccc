"""Alg. 1: roll out theta, meta-optimise off-policy (Alg. 2), roll out phi, relabel with the expert, aggregate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.inner import AdaptSettings, adapt
from gmps_robot.learning.outer import MetaOptimiser, OuterSettings, Theta, meta_update, pool_ess
from gmps_robot.learning.pool import EpisodePool, Reward, RollOut, Simulator
from gmps_robot.learning.warmup import add_labels
from gmps_robot.policy import expand, mirrored_normal
from gmps_robot.types import FloatArray


@dataclass(frozen=True)
class GmpsSettings:
    """Alg. 1. Defaults are the shipped recipe."""

    iterations: int = 3
    pool_episodes: int = 400  # episodes of theta per meta-iteration, over all tasks
    shared_pool: bool = True  # re-score every episode for every task; valid while resets do not depend on the task
    aggregations: int = 2  # phi episodes per task and meta-iteration, relabelled; 0 is the published choice
    explore_log_std: float = -1.6  # action noise of those episodes
    latent_std: float = 1.0  # scale of the episode latent; 0 is the published constant latent


def meta_train(
    theta: Theta,
    demos: DemonstrationSet,
    contexts: FloatArray,
    simulator: Simulator,
    reward: Reward,
    settings: GmpsSettings,
    outer: OuterSettings,
    adapting: AdaptSettings,
    generator: torch.Generator,
    optimiser: MetaOptimiser,
    start: int = 0,
) -> Iterator[dict[str, float]]:
    """Alg. 1 on `theta` in place, from meta-iteration `start`.

    Yields a record after every outer step, and one with the key `iteration` after every meta-iteration: the moment to
    save, since everything that the next one depends on is in `theta`, `demos`, `optimiser` and `generator`.
    """
    tasks = len(contexts)
    for iteration in range(start, settings.iterations):
        rolled = roll_out_theta(theta, contexts, simulator, settings.pool_episodes // tasks, settings, generator)
        pool = make_pool(rolled, contexts, reward, settings.shared_pool)
        yield from meta_update(theta, optimiser, pool, demos, adapting, outer, generator)
        pool.refresh(theta.spec, theta.slow)
        record = {"iteration": float(iteration), "ess": pool_ess(theta, pool), "samples": float(simulator.steps)}
        if settings.aggregations and iteration < settings.iterations - 1:
            record["post_update_return"] = aggregate_adapted(
                theta, demos, contexts, simulator, reward, settings, outer, adapting, generator
            )
        yield record


def roll_out_theta(
    theta: Theta,
    contexts: FloatArray,
    simulator: Simulator,
    episodes: int,
    settings: GmpsSettings,
    generator: torch.Generator,
) -> RollOut:
    """`episodes` episodes of theta for every task, with fresh latents in mirrored pairs."""
    with torch.no_grad():
        shape = (len(contexts), episodes, theta.spec.latent_size)
        latents = settings.latent_std * mirrored_normal(generator, *shape)
        fast = expand(theta.fast, len(contexts))
        return simulator.roll_out(theta.spec, theta.slow, fast, contexts, latents, generator, keep_images=True)


def make_pool(rolled: RollOut, contexts: FloatArray, reward: Reward, shared: bool) -> EpisodePool:
    """Score every episode under every task."""
    rewards = torch.stack([score(rolled, reward, context[None, None]) for context in contexts])
    return EpisodePool(rolled, rewards, shared)


def score(rolled: RollOut, reward: Reward, contexts: FloatArray) -> Tensor:
    """Rewards (T, K, H) of a roll-out; `contexts` broadcast against (T, K, C)."""
    return torch.from_numpy(reward(rolled.scene, contexts)).float()


def aggregate_adapted(
    theta: Theta,
    demos: DemonstrationSet,
    contexts: FloatArray,
    simulator: Simulator,
    reward: Reward,
    settings: GmpsSettings,
    outer: OuterSettings,
    adapting: AdaptSettings,
    generator: torch.Generator,
) -> float:
    """Alg. 1, lines 9-10: adapt, roll out phi without latent noise, add the expert's labels; mean return of phi."""
    rolled = roll_out_theta(theta, contexts, simulator, outer.episodes, settings, generator)
    batch = rolled.batch(score(rolled, reward, contexts[:, None]))
    fast, steps = expand(theta.fast, len(contexts)), expand(theta.step_sizes, len(contexts))
    with torch.no_grad():
        phi = adapt(fast, steps, batch, replace(adapting, ratio="none"))
    phi["log_std"] = torch.full_like(phi["log_std"], settings.explore_log_std)
    still = torch.zeros(len(contexts), settings.aggregations, theta.spec.latent_size)
    again = simulator.roll_out(
        theta.spec, theta.slow, phi, contexts, still, generator, label=True, keep_images=True
    )
    add_labels(demos, again.proprio, again.labels, again.images)
    return float(score(again, reward, contexts[:, None]).sum(-1).mean())
