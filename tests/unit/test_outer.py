"""The outer loop: what Eq. 2 differentiates, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gmps_robot.learning.batch import from_trajectories
from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.inner import MOST_KL, AdaptSettings, adapt_policy, change
from gmps_robot.learning.outer import MetaOptimiser, OuterSettings, Theta, inner_features, meta_loss, meta_update
from gmps_robot.learning.pool import EpisodePool, RollOut
from gmps_robot.policy import MetaPolicy, PolicySpec, encode, expand, head, init_fast, init_slow, log_prob
from gmps_robot.types import SceneState, Trajectory

SPEC = PolicySpec("vision", image_height=12, image_width=16, channels=4, hidden=(8,))
TASKS, EPISODES, STEPS = 2, 4, 5


def vision_case(seed: int = 0) -> tuple[Theta, EpisodePool, DemonstrationSet, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    slow, fast = init_slow(SPEC, generator), init_fast(SPEC, generator, -1.0)
    shape = (TASKS, EPISODES, STEPS)
    images = torch.randint(0, 256, (*shape, 12, 16, 3), generator=generator, dtype=torch.uint8)
    proprio = torch.randn(*shape, 3, generator=generator)
    features = encode(SPEC, slow, proprio.flatten(0, 2), images.flatten(0, 2)).view(*shape, -1)
    actions = torch.randn(*shape, 3, generator=generator)
    latents = torch.randn(TASKS, EPISODES, 3, generator=generator)
    spread = latents.unsqueeze(2).expand(-1, -1, STEPS, -1).flatten(1, 2)
    mean, log_std = head(expand(fast, TASKS), features.flatten(1, 2), spread)
    log_probs = log_prob(mean, log_std, actions.flatten(1, 2)).view(shape)
    scene = SceneState(np.zeros((*shape, 3)), np.zeros((*shape, 7)), np.zeros(shape))
    rolled = RollOut(features, proprio, actions, log_probs, latents, scene, images=images)
    rewards = torch.randn(TASKS, *shape, generator=generator)
    theta = Theta(SPEC, slow, fast, {k: torch.full_like(v, 0.05) for k, v in fast.items()}, torch.zeros(TASKS, 3))
    demos = DemonstrationSet(
        torch.randn(TASKS, 9, 3, generator=generator), torch.rand(TASKS, 9, 3, generator=generator),
        torch.randint(0, 256, (TASKS, 9, 12, 16, 3), generator=generator, dtype=torch.uint8),
    )  # fmt: skip
    return theta, EpisodePool(rolled, rewards, shared=False), demos, generator


def conv_gradient(frames: str, draws: int, sampled: int = 5) -> torch.Tensor:
    """Gradient of the imitation loss with respect to the first conv layer, averaged over `draws` of the frames."""
    theta, pool, demos, generator = vision_case()
    settings = OuterSettings(inner_frames=frames, sampled_frames=sampled, contextual_weight=0.0)  # type: ignore[arg-type]
    MetaOptimiser(theta, AdaptSettings(), settings, 1)
    tasks = torch.arange(TASKS)
    batch, index = pool.draw(tasks, EPISODES, torch.Generator().manual_seed(1))
    drawn = demos.draw(tasks, 9, torch.Generator().manual_seed(2))
    total = torch.zeros_like(theta.slow["conv0.weight"])
    for _ in range(draws):
        features = inner_features(theta, pool, index, settings, generator)
        inner = type(batch)(
            features, batch.actions, batch.log_probs, batch.rewards, batch.latents, batch.observations
        )  # fmt: skip
        loss, _ = meta_loss(theta, tasks, inner, drawn, AdaptSettings(), settings, torch.zeros(TASKS, 9, 3))
        total += torch.autograd.grad(loss.sum(), theta.slow["conv0.weight"])[0] / draws
    return total


def test_meta_gradient_reaches_the_conv_layers_through_the_inner_loss() -> None:
    exact, dropped = conv_gradient("exact", 1), conv_gradient("cached", 1)
    assert exact.abs().max() > 0
    assert (exact - dropped).norm() > 1e-3 * exact.norm()


def test_subsampled_conv_gradient_is_unbiased() -> None:
    exact, dropped = conv_gradient("exact", 1), conv_gradient("cached", 1)
    sampled = conv_gradient("subsample", 400)
    assert (sampled - exact).norm() < 0.2 * (dropped - exact).norm()


def test_subsampling_every_frame_is_exact() -> None:
    exact, every = conv_gradient("exact", 1), conv_gradient("subsample", 1, sampled=EPISODES * STEPS)
    assert torch.allclose(every, exact, atol=1e-6)


def test_meta_update_lowers_the_loss_and_moves_slow_fast_and_step_sizes() -> None:
    theta, pool, demos, generator = vision_case()
    before = theta.policy()
    settings = OuterSettings(steps=40, learning_rate=3e-3, encoder_learning_rate=3e-3, tasks_per_step=2,
                             episodes=EPISODES, demo_samples=9, chunk=1, refresh_every=100)  # fmt: skip
    optimiser = MetaOptimiser(theta, AdaptSettings(), settings, 40)
    records = list(meta_update(theta, optimiser, pool, demos, AdaptSettings(), settings, generator))
    assert records[-1]["imitation"] < 0.8 * records[0]["imitation"]
    after = theta.policy()
    for part in ("slow", "fast", "step_sizes"):
        old, new = getattr(before, part), getattr(after, part)
        assert any(not torch.equal(old[k], new[k]) for k in old), part
    assert torch.equal(before.fast["latent"], after.fast["latent"])
    assert torch.equal(before.fast["log_std"], after.fast["log_std"])


def test_chunks_do_not_change_the_outer_step() -> None:
    results = []
    for chunk in (1, 2):
        theta, pool, demos, _ = vision_case()
        settings = OuterSettings(steps=1, tasks_per_step=2, episodes=EPISODES, demo_samples=9, chunk=chunk,
                                 inner_frames="exact", latent_noise=0.0)  # fmt: skip
        optimiser = MetaOptimiser(theta, AdaptSettings(), settings, 1)
        pool._pick = lambda task, episodes, generator: task * EPISODES + torch.arange(EPISODES)  # type: ignore[method-assign]
        demos.draw = lambda tasks, n, generator: (  # type: ignore[method-assign]
            demos.proprio[tasks], demos.labels[tasks], demos.images[tasks] if demos.images is not None else None
        )  # fmt: skip
        list(meta_update(theta, optimiser, pool, demos, AdaptSettings(), settings, torch.Generator().manual_seed(0)))
        results.append([v.grad for part in (theta.slow, theta.fast, theta.step_sizes) for v in part.values()])
    for one, two in zip(*results, strict=True):
        assert (one is None and two is None) or torch.allclose(one, two, rtol=1e-5, atol=1e-7)


def test_low_effective_sample_size_stops_the_meta_iteration() -> None:
    theta, pool, demos, generator = vision_case()
    settings = OuterSettings(steps=30, learning_rate=0.3, tasks_per_step=2, episodes=EPISODES, demo_samples=9,
                             refresh_every=5, min_ess=0.9)  # fmt: skip
    optimiser = MetaOptimiser(theta, AdaptSettings(), settings, 30)
    records = list(meta_update(theta, optimiser, pool, demos, AdaptSettings(), settings, generator))
    assert len(records) < 30
    assert records[-1]["stopped_by_ess"] == 1.0


def episode(policy: MetaPolicy, success: bool, seed: int) -> Trajectory:
    rng = np.random.default_rng(seed)
    features = policy.features(rng.normal(size=(STEPS, 3)), rng.integers(0, 256, (STEPS, 12, 16, 3), dtype=np.uint8))
    latent = torch.from_numpy(rng.normal(size=3).astype(np.float32))
    mean, log_std = policy.act(features, latent.expand(STEPS, -1))
    actions = mean.numpy() + 0.2 * rng.normal(size=(STEPS, 3)).astype(np.float32)
    rewards = np.zeros(STEPS, dtype=np.float32)
    rewards[-1] = success
    return Trajectory(
        "push-test-s0-0", np.zeros((STEPS, 3), np.float32), features.numpy(), actions, actions, mean.numpy(),
        log_std.numpy(), latent.numpy(), rewards, np.arange(STEPS), success,
    )  # fmt: skip


def test_online_adaptation_leaves_conv_bit_identical_and_changes_fc() -> None:
    theta, _, _, _ = vision_case()
    policy = theta.policy()
    before = {k: v.clone() for k, v in policy.slow.items()}
    adapted = adapt_policy(policy, [episode(policy, k % 3 == 0, k) for k in range(6)], AdaptSettings(step_scale=0.1))
    assert not adapted.skipped
    assert all(torch.equal(adapted.policy.slow[k], before[k]) for k in before)
    assert all(not torch.equal(adapted.policy.fast[f"fc{i}.weight"], policy.fast[f"fc{i}.weight"]) for i in (0, 1))
    assert adapted.policy.latent_std == pytest.approx(0.5)


def test_equal_labels_skip_the_update_and_say_so() -> None:
    policy = vision_case()[0].policy()
    adapted = adapt_policy(policy, [episode(policy, False, k) for k in range(4)], AdaptSettings())
    assert adapted.skipped
    assert "nothing to learn from" in adapted.reason
    assert adapted.policy is policy


def test_infinite_update_is_refused() -> None:
    policy = vision_case()[0].policy()
    steps = {k: torch.full_like(v, float("inf")) for k, v in policy.step_sizes.items()}
    broken = MetaPolicy(policy.spec, policy.slow, policy.fast, steps)
    adapted = adapt_policy(broken, [episode(policy, k % 2 == 0, k) for k in range(4)], AdaptSettings())
    assert adapted.skipped
    assert adapted.policy is broken


def test_an_update_that_diverges_is_refused_by_name_and_the_policy_kept() -> None:
    policy = vision_case()[0].policy()
    episodes = [episode(policy, k % 3 == 0, k) for k in range(6)]
    good = adapt_policy(policy, episodes, AdaptSettings(step_scale=0.1))
    assert not good.skipped
    assert 0.0 < good.info["kl"] < MOST_KL / 4.0
    refused = adapt_policy(policy, episodes, AdaptSettings())
    assert refused.skipped
    assert refused.policy is policy
    assert "it diverges" in refused.reason
    assert refused.info["kl"] > MOST_KL


def test_the_change_is_the_kl_of_the_new_head_against_the_one_that_acted() -> None:
    policy = vision_case()[0].policy()
    batch = from_trajectories([episode(policy, True, 0)], policy.spec.proprio_size)
    old = {name: value[None] for name, value in policy.fast.items()}
    wider = {**old, "log_std": old["log_std"] + 0.3, "fc1.bias": old["fc1.bias"] + 0.1}
    made = [
        torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp().expand_as(mean)), 1)
        for mean, log_std in (head(p, batch.flat_features(), batch.flat_latents()) for p in (wider, old))
    ]
    expected = torch.distributions.kl_divergence(*made).mean()
    shape = batch.actions.flatten(1, 2).shape
    acted = [value.expand(shape) for value in head(old, batch.flat_features(), batch.flat_latents())]
    assert float(change(wider, batch, *acted)[0][0]) == pytest.approx(float(expected), rel=1e-4)
    assert float(change(old, batch, *acted)[0][0]) == 0.0
