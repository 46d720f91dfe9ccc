"""Task inference from labels: on a task it can check by hand, few well-chosen episodes find the goal."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gmps_robot.errors import CheckpointError
from gmps_robot.learning.belief import basis, best_latent, fit, next_latent, observe, success_probability
from gmps_robot.learning.inner import AdaptSettings, adapt_policy, draw_for_episode
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast
from gmps_robot.types import Trajectory

RADIUS = 0.5


def outcome(latents: torch.Tensor) -> torch.Tensor:
    """Where an episode ends: a bent map of the plane, with a third latent that does nothing."""
    x, y = latents[:, 0], latents[:, 1]
    return torch.stack([x + 0.2 * y**2, y - 0.1 * x * y], dim=1)


@pytest.fixture(scope="module")
def belief() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(400, 3, generator=generator)
    contexts = 2.0 * torch.rand(300, 2, generator=generator) - 1.0
    solved = (outcome(latents)[:, None] - contexts[None]).norm(dim=-1) < RADIUS
    return fit(latents, solved, contexts)


def test_basis_counts_the_monomials() -> None:
    assert basis(torch.ones(1, 3)).shape == (1, 20)
    assert basis(torch.tensor([[2.0]])).tolist() == [[1.0, 2.0, 4.0, 8.0]]


def test_the_fitted_model_knows_who_succeeds(belief: dict[str, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(300, 3, generator=generator)
    generator.manual_seed(0)
    torch.randn(400, 3, generator=generator)
    contexts = 2.0 * torch.rand(300, 2, generator=generator) - 1.0
    truth = (outcome(latents)[:, None] - contexts[None]).norm(dim=-1) < RADIUS
    said = success_probability(belief, latents) > 0.5
    assert (said == truth).float().mean() > 0.93
    assert truth.float().mean() < 0.3


def test_ten_chosen_episodes_find_the_goal(belief: dict[str, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(2)
    goals = 1.6 * torch.rand(30, 2, generator=generator) - 0.8
    found = []
    for goal in goals:
        now = belief
        for _ in range(10):
            latent = next_latent(now, generator)[None]
            label = ((outcome(latent) - goal).norm(dim=-1) < RADIUS).float()
            now = observe(now, latent, label)
        found.append(bool((outcome(best_latent(now, generator)[None]) - goal).norm() < RADIUS))
    assert np.mean(found) >= 0.9


def test_the_session_explores_and_adapts_by_belief(belief: dict[str, torch.Tensor]) -> None:
    spec = PolicySpec("state", hidden=(4,))
    fast = init_fast(spec, torch.Generator().manual_seed(0), -1.0)
    policy = MetaPolicy(spec, {}, fast, {k: torch.zeros_like(v) for k, v in fast.items()}, belief=belief)
    settings = AdaptSettings(adapt="latent", latent_update="belief")
    goal, done = torch.tensor([0.7, -0.5]), []
    for k in range(8):
        draw = draw_for_episode(policy, done, np.zeros(3, np.float32), settings, seed=k)
        label = float((outcome(torch.from_numpy(draw)[None]) - goal).norm() < RADIUS)
        done.append(episode(draw, label))
    adapted = adapt_policy(policy, done, settings)
    assert not adapted.skipped
    assert (outcome(adapted.policy.fast["latent"][None]) - goal).norm() < RADIUS
    assert torch.equal(adapted.policy.fast["fc0.weight"], policy.fast["fc0.weight"])


def test_a_checkpoint_without_success_model_says_so() -> None:
    spec = PolicySpec("state", hidden=(4,))
    fast = init_fast(spec, torch.Generator().manual_seed(0), -1.0)
    policy = MetaPolicy(spec, {}, fast, {k: torch.zeros_like(v) for k, v in fast.items()})
    with pytest.raises(CheckpointError, match="success model"):
        draw_for_episode(policy, [], np.zeros(3, np.float32), AdaptSettings(latent_update="belief"), seed=0)


def episode(draw: np.ndarray, label: float) -> Trajectory:
    zeros = np.zeros((2, 3), np.float32)
    rewards = np.array([0.0, label], np.float32)
    return Trajectory(
        "t", zeros, np.zeros((2, 6), np.float32), zeros, zeros, zeros, zeros, draw, rewards, np.arange(2), label > 0
    )  # fmt: skip
