"""Pre-update episodes of theta, drawn afresh for every outer step.

Theta does not know the goal, so when resets do not depend on the task its episodes serve every task: each is scored
under every task's reward, and a task sees new gradient noise at each outer step without new samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gmps_robot.learning.batch import Batch
from gmps_robot.policy import Params, PolicySpec, encode
from gmps_robot.types import FloatArray, SceneState

Reward = Callable[[SceneState, FloatArray], FloatArray]  # scene (..., H), context (..., C) -> rewards (..., H)
FRAMES_AT_ONCE = 2000


@dataclass(frozen=True)
class RollOut:
    """T x K episodes as the simulator returns them."""

    features: Tensor  # (T, K, H, F)
    proprio: Tensor  # (T, K, H, P) normalised
    actions: Tensor  # (T, K, H, A)
    log_probs: Tensor  # (T, K, H)
    latents: Tensor  # (T, K, L)
    scene: SceneState  # (T, K, H, ...) after each action
    labels: Tensor | None = None  # (T, K, H, A) expert actions, when asked for
    images: Tensor | None = None  # (T, K, H, h, w, 3) uint8, when kept

    def batch(self, rewards: Tensor) -> Batch:
        """The same episodes with rewards (T, K, H)."""
        return Batch(self.features, self.actions, self.log_probs, rewards, self.latents, self.proprio)


class Simulator(Protocol):
    """Rolls out per-task policies in one batch; world = task x episode. Counts every step it takes."""

    steps: int

    def roll_out(
        self,
        spec: PolicySpec,
        slow: Params,
        fast: Params,
        contexts: FloatArray,
        latents: Tensor,
        generator: torch.Generator | None,
        *,
        label: bool = False,
        keep_images: bool = False,
    ) -> RollOut:
        """Roll out heads `fast` (T, ...) with draws `latents` (T, K, L); no generator means the mean action."""
        ...


class EpisodePool:
    """N episodes of theta, with rewards under each of T tasks."""

    def __init__(self, rolled: RollOut, rewards: Tensor, shared: bool) -> None:
        """`rewards` (T, T, K, H): [under task, of roll-out row]; `shared` lets every task use every episode."""
        self.features, self.proprio = rolled.features.flatten(0, 1), rolled.proprio.flatten(0, 1)  # (N, H, ...)
        self.actions, self.log_probs = rolled.actions.flatten(0, 1), rolled.log_probs.flatten(0, 1)
        self.latents = rolled.latents.flatten(0, 1)
        self.images = None if rolled.images is None else rolled.images.flatten(0, 1)
        self.rewards = rewards.flatten(1, 2)
        self.per_task = rolled.features.shape[1]
        self.shared = shared

    def refresh(self, spec: PolicySpec, slow: Params) -> None:
        """Recompute cached features with the current encoder; a no-op for state policies."""
        if self.images is None:
            return
        self.features = self.encode_frames(spec, slow, torch.arange(self.features.shape[:2].numel())).view_as(
            self.features
        )

    def encode_frames(self, spec: PolicySpec, slow: Params, frames: Tensor, *, grad: bool = False) -> Tensor:
        """Encode flat frame indices (M,) -> (M, F)."""
        images = None if self.images is None else self.images.flatten(0, 1)
        proprio = self.proprio.flatten(0, 1)
        with torch.set_grad_enabled(grad):
            parts = [
                encode(spec, slow, proprio[part], None if images is None else images[part])
                for part in frames.split(FRAMES_AT_ONCE)
            ]
        return torch.cat(parts)

    def draw(self, tasks: Tensor, episodes: int, generator: torch.Generator) -> tuple[Batch, Tensor]:
        """Draw `episodes` of the pool for each of B tasks, whole mirrored pairs: a batch and indices (B, K)."""
        index = torch.stack([self._pick(int(task), episodes, generator) for task in tasks])
        batch = Batch(
            self.features[index],
            self.actions[index],
            self.log_probs[index],
            self.rewards[tasks[:, None], index],
            self.latents[index],
            self.proprio[index],
        )
        return batch, index

    def _pick(self, task: int, episodes: int, generator: torch.Generator) -> Tensor:
        first, count = (0, len(self.features)) if self.shared else (task * self.per_task, self.per_task)
        pairs = torch.randperm(count // 2, generator=generator)[: episodes // 2]
        return first + torch.stack([2 * pairs, 2 * pairs + 1], dim=1).flatten()
