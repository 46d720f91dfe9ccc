"""Warm-up: contextual imitation pi(a | s, z_i) with one free latent per training task, no goal in policy or latent.

After it the latents are whitened, so that z ~ N(0, I) covers the training tasks: exploration then means "push
somewhere plausible" instead of shaking the hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.outer import Theta
from gmps_robot.learning.pool import Simulator
from gmps_robot.policy import encode, expand, head
from gmps_robot.types import FloatArray

LatentSource = Literal["learned", "privileged", "none"]


@dataclass(frozen=True)
class WarmupSettings:
    """Contextual imitation. `vision` recipes use fewer, costlier steps."""

    steps: int = 4000
    samples: int = 400  # per step, over all tasks
    learning_rate: float = 1e-3
    latent_learning_rate: float = 1e-2
    latent_init: float = 0.5
    latent_noise: float = 0.3
    latent_decay: float = 0.003
    aggregations: int = 5  # rounds of DAgger inside the warm-up
    rollouts: int = 3  # per task and round
    explore_log_std: float = -1.6  # action noise of the aggregated episodes
    privileged_head: float = 0.0  # weight of a throw-away goal-aware head that also trains the encoder (twin only)
    source: LatentSource = "learned"


def warm_up(
    theta: Theta,
    demos: DemonstrationSet,
    contexts: FloatArray,
    simulator: Simulator,
    settings: WarmupSettings,
    generator: torch.Generator,
) -> Iterator[dict[str, float]]:
    """Train `theta` in place; yields the loss after every step. `contexts` (T, C) go to the simulator's expert."""
    tasks = len(contexts)
    centred = whitened_contexts(contexts)
    _init_latents(theta, centred, settings, generator)
    auxiliary = _auxiliary(theta.spec.feature_size + centred.shape[1], generator)
    optimiser = _optimiser(theta, auxiliary, settings)
    rates = [float(g["lr"]) for g in optimiser.param_groups]
    rounds = {round(i * settings.steps / (settings.aggregations + 1)) for i in range(1, settings.aggregations + 1)}
    everyone = torch.arange(tasks)
    per_task = max(1, settings.samples // tasks)
    for step in range(settings.steps):
        if step in rounds:
            aggregate(theta, demos, contexts, simulator, settings, generator)
        share = min(1.0, 2.0 * (1.0 - step / settings.steps)) + 0.05
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        proprio, labels, images = demos.draw(everyone, per_task, generator)
        features = encode(
            theta.spec, theta.slow, proprio.flatten(0, 1), None if images is None else images.flatten(0, 1)
        )
        noise = settings.latent_noise * torch.randn(tasks, per_task, theta.spec.latent_size, generator=generator)
        latents = (theta.task_latents[:, None] + noise).flatten(0, 1)
        if settings.source == "none":
            latents = torch.zeros_like(latents)
        mean, _ = head(expand(theta.fast, 1), features[None], latents[None])
        loss = ((mean[0] - labels.flatten(0, 1)) ** 2).mean()
        total = loss + settings.latent_decay * theta.task_latents.pow(2).mean()
        if settings.privileged_head:
            seen = torch.cat([features, centred.repeat_interleave(per_task, 0)], dim=1)
            total = total + settings.privileged_head * ((auxiliary(seen) - labels.flatten(0, 1)) ** 2).mean()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        yield {"warmup": float(loss.detach())}
    if settings.source != "none":
        whiten(theta)
        aggregate(theta, demos, contexts, simulator, settings, generator)


def aggregate(
    theta: Theta,
    demos: DemonstrationSet,
    contexts: FloatArray,
    simulator: Simulator,
    settings: WarmupSettings,
    generator: torch.Generator,
) -> None:
    """One round of DAgger: roll out the contextual policy on its own tasks, add the expert's labels to `demos`."""
    if settings.rollouts == 0 or settings.source == "none":
        return
    with torch.no_grad():
        fast = {k: v.clone() for k, v in expand(theta.fast, len(contexts)).items()}
        fast["log_std"] = torch.full_like(fast["log_std"], settings.explore_log_std)
        latents = theta.task_latents.detach()[:, None].expand(-1, settings.rollouts, -1)
        rolled = simulator.roll_out(
            theta.spec, theta.slow, fast, contexts, latents, generator, label=True, keep_images=True
        )
    add_labels(demos, rolled.proprio, rolled.labels, rolled.images)


def add_labels(demos: DemonstrationSet, proprio: Tensor, labels: Tensor | None, images: Tensor | None) -> None:
    """Append labelled episodes (T, K, H, ...) to the demonstrations."""
    if labels is not None:
        demos.add(proprio.flatten(1, 2), labels.flatten(1, 2), None if images is None else images.flatten(1, 2))


def whitened_contexts(contexts: FloatArray) -> Tensor:
    """Task contexts (T, C) with mean 0 and deviation 1."""
    raw = torch.from_numpy(contexts).float()
    return (raw - raw.mean(0)) / raw.std(0).clamp(min=1e-6)


@torch.no_grad()
def whiten(theta: Theta) -> None:
    """Change the latent basis so that task latents have mean 0 and covariance I; the policy's outputs do not change."""
    latents, weight = theta.task_latents, theta.fast["fc0.weight"]
    size = theta.spec.latent_size
    mean = latents.mean(0)
    factor = torch.linalg.cholesky(torch.cov(latents.T) + 1e-4 * torch.eye(size))
    rows = weight[-size:].clone()
    theta.fast["fc0.bias"] += mean @ rows
    weight[-size:] = factor.T @ rows
    theta.task_latents.copy_(torch.linalg.solve(factor, (latents - mean).T).T)


def _auxiliary(inputs: int, generator: torch.Generator) -> nn.Module:
    """The throw-away head of `privileged_head`, initialised as torch does, but from the run's own generator."""
    layers = (nn.Linear(inputs, 100), nn.Linear(100, 3))
    for layer in layers:
        bound = layer.in_features**-0.5
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def _init_latents(theta: Theta, centred: Tensor, settings: WarmupSettings, generator: torch.Generator) -> None:
    latents = torch.randn(len(centred), theta.spec.latent_size, generator=generator) * settings.latent_init
    if settings.source == "privileged":
        latents = torch.zeros_like(latents)
        latents[:, : centred.shape[1]] = centred
    theta.task_latents = latents.requires_grad_(settings.source == "learned")


def _optimiser(theta: Theta, auxiliary: nn.Module, settings: WarmupSettings) -> torch.optim.Adam:
    frozen = {"latent", "log_std"} if settings.source != "none" else {"log_std"}
    params = [v.requires_grad_() for k, v in theta.fast.items() if k not in frozen]
    params += [v.requires_grad_() for v in theta.slow.values()] + list(auxiliary.parameters())
    groups = [{"params": params, "lr": settings.learning_rate}]
    if settings.source == "learned":
        groups.append({"params": [theta.task_latents], "lr": settings.latent_learning_rate})
    return torch.optim.Adam(groups)
