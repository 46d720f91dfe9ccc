"""Episodes as tensors with axes [task, episode, step, ...], the one shape the method works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gmps_robot.policy import log_prob
from gmps_robot.types import Trajectory


@dataclass(frozen=True)
class Batch:
    """T tasks x K episodes x H steps, sampled by one behaviour policy."""

    features: Tensor  # (T, K, H, F) encoder output
    actions: Tensor  # (T, K, H, A) as drawn, before any limit
    log_probs: Tensor  # (T, K, H) of the behaviour policy, from its mean and deviation at sampling time
    rewards: Tensor  # (T, K, H)
    latents: Tensor  # (T, K, L) the draw of each episode
    observations: Tensor  # (T, K, H, O) normalised, what the reward baseline may look at

    @property
    def tasks(self) -> int:
        """T."""
        return self.features.shape[0]

    def flat_features(self) -> Tensor:
        """(T, K H, F)."""
        return self.features.flatten(1, 2)

    def flat_latents(self) -> Tensor:
        """The episode's draw at every step: (T, K H, L)."""
        return self.latents.unsqueeze(2).expand(-1, -1, self.features.shape[2], -1).flatten(1, 2)


def from_trajectories(trajectories: Sequence[Trajectory], proprio_size: int) -> Batch:
    """Stack the episodes of one task (T = 1); the last `proprio_size` features serve the reward baseline."""

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(t, name) for t in trajectories]).astype(np.float32))[None]

    features, actions = stack("features"), stack("actions")
    log_probs = log_prob(stack("means"), stack("log_stds"), actions)
    return Batch(
        features, actions, log_probs, stack("rewards"), stack("latent"), features[..., -proprio_size:].contiguous()
    )
