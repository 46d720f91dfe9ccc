"""Exploration by belief for many tasks at once: each episode takes the latent that tells most about its task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gmps_robot.errors import CheckpointError
from gmps_robot.families.family import Family, RewardKind
from gmps_robot.learning.belief import best_latent, next_latent, observe
from gmps_robot.learning.pool import RollOut
from gmps_robot.policy import MetaPolicy, Params
from gmps_robot.types import FloatArray
from sim.rollouts import VecSimulator, join


class Explorer:
    """Holds one belief per task; they outlive the updates."""

    def __init__(self, policy: MetaPolicy, tasks: int) -> None:
        """Start from the policy's own belief.

        Raises:
            CheckpointError: the checkpoint has no success model.
        """
        if not policy.belief:
            raise CheckpointError("latent_update = belief needs a checkpoint with a success model; this one has none")
        self._policy = policy
        self._beliefs: list[Params] = [dict(policy.belief) for _ in range(tasks)]

    def roll_out(
        self,
        fast: Params,
        family: Family,
        goals: FloatArray,
        simulator: VecSimulator,
        episodes: int,
        reward: RewardKind,
        generators: Sequence[torch.Generator],
    ) -> RollOut:
        """`episodes` episodes per task, one after the other, each label read before the next latent is chosen.

        What is drawn for a task comes from the one of `generators` that is its own.
        """
        spec, slow = self._policy.spec, self._policy.slow
        parts = []
        for _ in range(episodes):
            wanted = torch.stack([next_latent(*one) for one in zip(self._beliefs, generators, strict=True)])
            draws = (wanted - fast["latent"])[:, None]
            rolled = simulator.roll_out(spec, slow, fast, goals, draws, generators)
            returns = torch.from_numpy(family.reward(rolled.scene, goals[:, None], reward)).float().sum(-1)
            labels = returns.clamp(0.0, 1.0)
            self._beliefs = [
                observe(belief, wanted[i : i + 1], labels[i]) for i, belief in enumerate(self._beliefs)
            ]
            parts.append(rolled)
        return join(parts, axis=1)

    def best(self, generators: Sequence[torch.Generator]) -> Tensor:
        """The latent centre of every task that is most likely to succeed (T, L)."""
        return torch.stack([best_latent(*one) for one in zip(self._beliefs, generators, strict=True)])
