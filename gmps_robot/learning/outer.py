"""The outer loop: Eq. 2 (imitation after adaptation) and Alg. 2 (off-policy meta-optimisation with N_BC Adam steps)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from gmps_robot.learning.batch import Batch
from gmps_robot.learning.imitation import BcLoss, DemonstrationSet, bc_loss
from gmps_robot.learning.inner import AdaptSettings, adapt, effective_sample_size
from gmps_robot.learning.pool import EpisodePool
from gmps_robot.policy import MetaPolicy, Params, PolicySpec, encode, expand

InnerFrames = Literal["exact", "subsample", "cached"]


@dataclass(frozen=True)
class OuterSettings:
    """Alg. 2. Defaults are the shipped recipe."""

    steps: int = 60  # N_BC, Adam steps per meta-iteration
    learning_rate: float = 3e-4
    encoder_learning_rate: float = 3e-4
    tasks_per_step: int = 10
    episodes: int = 20  # K, pre-update episodes per task and step
    demo_samples: int = 300  # expert samples per task and step
    loss: BcLoss = "mse"
    contextual_weight: float = 1.0  # imitation with the task's own latent: keeps exploration alive
    latent_noise: float = 0.3  # on the task latent of that term
    latent_decay: float = 0.003  # L2 on task latents
    train_centre: bool = False  # the latent centre stays at zero, so that N(0, 1) keeps covering the tasks
    train_std: bool = False
    inner_frames: InnerFrames = "subsample"  # conv gradient through the inner loss: exact, unbiased sample, dropped
    sampled_frames: int = 50  # m of `subsample`, per task
    refresh_every: int = 25  # outer steps between recomputing cached features
    chunk: int = 10  # tasks per graph: the fastest on a CPU (benchmarks/bench_outer_step.py)
    min_ess: float = 0.5  # effective sample size below which the meta-iteration stops early


@dataclass
class Theta:
    """Everything meta-training changes: encoder, head, step sizes, and one latent per training task."""

    spec: PolicySpec
    slow: dict[str, Tensor]
    fast: dict[str, Tensor]
    step_sizes: dict[str, Tensor]
    task_latents: Tensor  # (T, L)
    steps: int = 0  # outer steps taken
    history: list[dict[str, float]] = field(default_factory=list)

    def policy(self, latent_std: float = 1.0, meta: dict[str, str] | None = None) -> MetaPolicy:
        """A detached copy that can act, adapt and be saved."""
        slow, fast, steps = _detached(self.slow), _detached(self.fast), _detached(self.step_sizes)
        return MetaPolicy(self.spec, slow, fast, steps, latent_std, meta=meta or {})


def inner_features(
    theta: Theta, pool: EpisodePool, index: Tensor, settings: OuterSettings, generator: torch.Generator
) -> Tensor:
    """Features of the inner batch (B, K, H, F) with the encoder gradient the settings ask for.

    Eq. 2 differentiates phi with respect to the conv layers too, through the features of the inner loss. `exact`
    recomputes every frame; `subsample` adds the gradient of m random frames, scaled by N/m, to cached values: the
    same expectation at a fraction of the cost; `cached` drops it (for the ablation only).
    """
    cached = pool.features[index]
    if pool.images is None or settings.inner_frames == "cached":
        return cached
    tasks, episodes, steps, size = cached.shape
    frames = (index[..., None] * steps + torch.arange(steps)).flatten(1)
    if settings.inner_frames == "exact":
        return pool.encode_frames(theta.spec, theta.slow, frames.flatten(), grad=True).view_as(cached)
    total = episodes * steps
    m = min(settings.sampled_frames, total)
    chosen = torch.stack([torch.randperm(total, generator=generator)[:m] for _ in range(tasks)])
    fresh = pool.encode_frames(theta.spec, theta.slow, frames.gather(1, chosen).flatten(), grad=True)
    gradient_only = ((total / m) * (fresh - fresh.detach())).view(tasks, m, size)
    where = chosen[..., None].expand(-1, -1, size)
    return torch.scatter_add(cached.flatten(1, 2), 1, where, gradient_only).view_as(cached)


def meta_loss(
    theta: Theta,
    tasks: Tensor,
    inner: Batch,
    demos: tuple[Tensor, Tensor, Tensor | None],
    adapting: AdaptSettings,
    settings: OuterSettings,
    latent_noise: Tensor,
) -> tuple[Tensor, Tensor]:
    """Eq. 2 for B tasks: imitation loss of phi (B,), and the contextual loss of theta with task latents (B,)."""
    proprio, labels, images = demos
    flat_images = None if images is None else images.flatten(0, 1)
    features = encode(theta.spec, theta.slow, proprio.flatten(0, 1), flat_images).view(*proprio.shape[:2], -1)
    fast = expand(theta.fast, len(tasks))
    steps = expand(theta.step_sizes, len(tasks))
    phi = adapt(fast, steps, inner, adapting) if adapting.adapt != "none" else fast
    imitation = bc_loss(phi, features, labels, settings.loss)
    if settings.contextual_weight == 0.0:
        return imitation, torch.zeros_like(imitation)
    own = theta.task_latents[tasks]
    contextual = bc_loss(fast, features, labels, settings.loss, own[:, None] + latent_noise)
    return imitation, contextual + settings.latent_decay * own.pow(2).mean(1)


class MetaOptimiser:
    """Adam over theta for Alg. 2; its state lives across meta-iterations, the learning rate decays linearly to 2 %."""

    def __init__(self, theta: Theta, adapting: AdaptSettings, settings: OuterSettings, total_steps: int) -> None:
        """`total_steps` over all meta-iterations sets the decay."""
        frozen = set() if settings.train_centre else {"latent"}
        frozen |= set() if settings.train_std else {"log_std"}
        for params in (theta.slow, theta.fast, theta.step_sizes):
            for value in params.values():
                value.requires_grad_(True)
        theta.task_latents.requires_grad_(True)
        learned = [v for k, v in theta.fast.items() if k not in frozen]
        if adapting.adapt != "none":
            learned += list(theta.step_sizes.values())
        groups = [{"params": learned, "lr": settings.learning_rate}]
        if theta.slow:
            groups.append({"params": list(theta.slow.values()), "lr": settings.encoder_learning_rate})
        groups.append({"params": [theta.task_latents], "lr": 10 * settings.learning_rate})
        self.theta, self.adam, self.total = theta, torch.optim.Adam(groups), max(1, total_steps)
        self.rates = [float(g["lr"]) for g in groups]  # type: ignore[arg-type]

    def zero_grad(self) -> None:
        """Clear every gradient, also of frozen parameters."""
        for params in (self.theta.slow, self.theta.fast, self.theta.step_sizes):
            for value in params.values():
                value.grad = None
        self.theta.task_latents.grad = None

    def step(self) -> None:
        """One Adam step at the decayed rate."""
        share = min(1.0, 2.0 * (1.0 - self.theta.steps / self.total)) + 0.02
        for group, rate in zip(self.adam.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.adam.step()
        self.theta.steps += 1


def meta_update(
    theta: Theta,
    optimiser: MetaOptimiser,
    pool: EpisodePool,
    demos: DemonstrationSet,
    adapting: AdaptSettings,
    settings: OuterSettings,
    generator: torch.Generator,
) -> Iterator[dict[str, float]]:
    """Alg. 2: N_BC outer steps on one pool of episodes; yields the losses after each step.

    Stops early, with `stopped_by_ess` in the last record, when the effective sample size of the pool under the
    current theta falls below `settings.min_ess`: the importance weights no longer vouch for the old episodes.
    """
    for k in range(settings.steps):
        if k and k % settings.refresh_every == 0:
            pool.refresh(theta.spec, theta.slow)
            ess = pool_ess(theta, pool)
            if ess < settings.min_ess:
                yield {"ess": ess, "stopped_by_ess": 1.0}
                return
        optimiser.zero_grad()
        tasks = torch.randperm(demos.proprio.shape[0], generator=generator)[: settings.tasks_per_step]
        record = {"imitation": 0.0, "contextual": 0.0}
        for part in tasks.split(settings.chunk):
            batch, index = pool.draw(part, settings.episodes, generator)
            features = inner_features(theta, pool, index, settings, generator)
            batch = Batch(features, batch.actions, batch.log_probs, batch.rewards, batch.latents, batch.observations)
            drawn = demos.draw(part, settings.demo_samples, generator)
            shape = (len(part), settings.demo_samples, theta.spec.latent_size)
            noise = settings.latent_noise * torch.randn(*shape, generator=generator)
            imitation, contextual = meta_loss(theta, part, batch, drawn, adapting, settings, noise)
            loss = (imitation + settings.contextual_weight * contextual).sum() / len(tasks)
            loss.backward()
            record["imitation"] += float(imitation.detach().sum()) / len(tasks)
            record["contextual"] += float(contextual.detach().sum()) / len(tasks)
        optimiser.step()
        yield record


def _detached(params: Params) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in params.items()}


def pool_ess(theta: Theta, pool: EpisodePool) -> float:
    """Effective sample size of the whole pool under the current theta, as a share."""
    ones = Batch(
        pool.features[None], pool.actions[None], pool.log_probs[None], pool.rewards[:1], pool.latents[None],
        pool.proprio[None],
    )  # fmt: skip
    return float(effective_sample_size(expand(theta.fast, 1), ones)[0])
