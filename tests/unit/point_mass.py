"""A point that steps 0.1 per axis towards an unseen goal on the unit half ring: the smallest task GMPS can solve."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.pool import RollOut
from gmps_robot.policy import Params, PolicySpec, head, log_prob
from gmps_robot.types import FloatArray, SceneState

STEP, HORIZON = 0.1, 20
SPEC = PolicySpec(
    "state", "point", (0.0, 0.0), (1.0, 1.0), action_size=2, latent_size=4, hidden=(64, 64),
)  # fmt: skip


def goals(n: int, offset: float = 0.0) -> FloatArray:
    """`n` goals (n, 2) on the half ring; `offset` 0.5 puts them between those of offset 0."""
    angle = np.pi * (np.arange(n) + offset) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def reward(scene: SceneState, context: FloatArray) -> FloatArray:
    """Dense: minus the distance to the goal at every step."""
    return np.asarray(-np.linalg.norm(scene.tip[..., :2] - np.asarray(context)[..., None, :], axis=-1))


def expert(position: Tensor, goal: Tensor) -> Tensor:
    """Straight to the goal at full speed."""
    return ((goal - position) / STEP).clamp(-1, 1)


class PointSimulator:
    """Implements `gmps_robot.learning.pool.Simulator`."""

    def __init__(self) -> None:
        self.steps = 0

    def roll_out(
        self, spec: PolicySpec, slow: Params, fast: Params, contexts: FloatArray, latents: Tensor,
        generator: torch.Generator | None, *, label: bool = False, keep_images: bool = False,
    ) -> RollOut:  # fmt: skip
        """Roll out every head from the origin."""
        tasks, episodes = latents.shape[:2]
        position = torch.zeros(tasks, episodes, 2)
        goal = torch.from_numpy(contexts).float()[:, None]
        seen, actions, logps, labels, after = [], [], [], [], []
        for _ in range(HORIZON):
            mean, log_std = head(fast, position, latents)
            noise = 0.0 if generator is None else log_std.exp() * torch.randn(mean.shape, generator=generator)
            action = (mean + noise).detach()
            seen.append(position)
            actions.append(action)
            logps.append(log_prob(mean, log_std, action).detach())
            labels.append(expert(position, goal))
            position = position + STEP * action.clamp(-1, 1)
            after.append(position)
        self.steps += tasks * episodes * HORIZON
        path = torch.stack(after, 2).double().numpy()
        scene = SceneState(path, np.zeros((*path.shape[:3], 7)), np.zeros(path.shape[:3]))
        features = torch.stack(seen, 2)
        return RollOut(
            features, features, torch.stack(actions, 2), torch.stack(logps, 2), latents, scene,
            torch.stack(labels, 2) if label else None,
        )  # fmt: skip


def demonstrations(contexts: FloatArray, per_task: int, generator: torch.Generator) -> DemonstrationSet:
    """Expert labels on episodes that noise pushed off the path."""
    goal = torch.from_numpy(contexts).float()[:, None]
    position = torch.zeros(len(contexts), per_task, 2)
    seen, labels = [], []
    for _ in range(HORIZON):
        label = expert(position, goal)
        seen.append(position)
        labels.append(label)
        position = position + STEP * (label + 0.5 * torch.randn(label.shape, generator=generator)).clamp(-1, 1)
    return DemonstrationSet(torch.stack(seen, 2).flatten(1, 2), torch.stack(labels, 2).flatten(1, 2), None)
