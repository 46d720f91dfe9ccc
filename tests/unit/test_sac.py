"""Soft actor-critic: the pieces against hand values and numerical integration, the whole on a point that must move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.learning import sac
from gmps_robot.learning.replay import Episodes, Replay
from gmps_robot.types import Float32Array

SMALL = sac.SacSettings(hidden=(32, 32), batch_size=64, discount=0.9, learning_rate=2e-3, average_rate=0.02)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _transitions(n: int = 64, seed: int = 1) -> sac.Transitions:
    g = _generator(seed)
    features, following = torch.randn(n, 3, generator=g), torch.randn(n, 3, generator=g)
    actions = torch.rand(n, 2, generator=g) * 2 - 1
    return sac.Transitions(features, actions, torch.randn(n, generator=g), following)


def test_soft_bellman_target_takes_the_lower_critic_and_pays_for_entropy() -> None:
    target = sac.soft_bellman_target(
        rewards=torch.tensor([1.0, 0.0]),
        next_values=torch.tensor([[10.0, 2.0], [8.0, 4.0]]),
        next_log_probs=torch.tensor([-1.0, 0.5]),
        temperature=torch.tensor(0.2),
        discount=0.9,
    )
    assert target.tolist() == pytest.approx([1.0 + 0.9 * (8.0 + 0.2), 0.9 * (2.0 - 0.1)])


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (0.8, -1.0), (-1.5, 0.4)])
def test_squashed_log_prob_is_the_density_of_the_squashed_action(mean: float, log_std: float) -> None:
    actions = torch.linspace(-1 + 1e-6, 1 - 1e-6, 400_001, dtype=torch.float64)
    unsquashed = torch.atanh(actions)[:, None]
    noise = (unsquashed - mean) / np.exp(log_std)
    density = sac.squashed_log_prob(unsquashed, noise, torch.full_like(noise, log_std)).exp()
    assert float(torch.trapezoid(density, actions)) == pytest.approx(1.0, abs=2e-3)
    drawn = torch.tanh(mean + np.exp(log_std) * torch.randn(400_000, generator=_generator(), dtype=torch.float64))
    below = float(torch.trapezoid(density[actions <= 0.3], actions[actions <= 0.3]))
    assert below == pytest.approx(float((drawn <= 0.3).double().mean()), abs=5e-3)


def test_log_prob_stays_finite_where_tanh_saturates() -> None:
    far = torch.tensor([[30.0, -30.0]])
    assert torch.isfinite(sac.squashed_log_prob(far, torch.zeros_like(far), torch.zeros_like(far))).all()


def test_both_critics_get_their_own_gradient_and_neither_sees_the_other() -> None:
    critics = sac.make_learner(3, 2, SMALL, _generator()).critics
    batch = _transitions()
    values = sac.state_action_values(critics, batch.features, batch.actions, layer_norm=True)
    assert not torch.allclose(values[0], values[1])
    values[0].square().mean().backward()
    for name, weight in critics.items():
        assert weight.grad is not None
        assert weight.grad[0].abs().sum() > 0, name
        assert weight.grad[1].abs().sum() == 0, name


def test_the_batched_pair_equals_two_plain_networks() -> None:
    critics = sac.make_learner(3, 2, SMALL, _generator()).critics
    batch = _transitions()
    x = torch.cat([batch.features, batch.actions], dim=1)
    for k in range(2):
        h = x
        for layer in range(2):
            h = h @ critics[f"weight{layer}"][k] + critics[f"bias{layer}"][k]
            h = torch.relu(torch.nn.functional.layer_norm(h, (32,)))
        alone = (h @ critics["weight2"][k] + critics["bias2"][k])[:, 0]
        both = sac.state_action_values(critics, batch.features, batch.actions, layer_norm=True)
        torch.testing.assert_close(both[k], alone)


def test_an_update_moves_every_parameter_and_the_actor_loss_leaves_the_critics_alone() -> None:
    learner = sac.make_learner(3, 2, SMALL, _generator())
    before = sac.snapshot(learner)
    sac.update(learner, _transitions(), _generator())
    for name in ("actor", "critics", "target_critics", "average_actor"):
        for key, weight in getattr(learner, name).items():
            assert not torch.equal(weight.detach(), before[name][key]), f"{name} {key}"
    assert learner.log_temperature.item() != before["log_temperature"].item()
    steps = {k: (w.detach() - before["critics"][k]).abs().max().item() for k, w in learner.critics.items()}
    # Adam's first step is the learning rate; a second gradient from the actor would add another.
    assert max(steps.values()) == pytest.approx(SMALL.learning_rate, rel=0.01)


def test_targets_follow_by_the_stated_share() -> None:
    followers, leaders = {"w": torch.tensor([0.0, 10.0])}, {"w": torch.tensor([1.0, 0.0])}
    sac.follow(followers, leaders, 0.25)
    assert followers["w"].tolist() == [0.25, 7.5]
    assert leaders["w"].tolist() == [1.0, 0.0]


def test_the_temperature_rises_when_entropy_is_short_and_falls_when_it_abounds() -> None:
    for wanted, rises in ((5.0, True), (-20.0, False)):
        learner = sac.make_learner(3, 2, replace(SMALL, entropy_per_axis=wanted), _generator())
        before = learner.log_temperature.item()
        sac.update(learner, _transitions(), _generator())
        assert (learner.log_temperature.item() > before) == rises


def test_the_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    def trained(seed: int) -> torch.Tensor:
        g = _generator(seed)
        learner = sac.make_learner(3, 2, SMALL, g)
        for _ in range(5):
            sac.update(learner, _transitions(), g)
        return learner.actor["weight0"].detach()

    assert torch.equal(trained(3), trained(3))
    assert not torch.equal(trained(3), trained(4))


def test_a_restored_learner_goes_on_exactly_where_it_was() -> None:
    first = sac.make_learner(3, 2, SMALL, _generator())
    for _ in range(3):
        sac.update(first, _transitions(), _generator(7))
    second = sac.make_learner(3, 2, SMALL, _generator(99))
    sac.restore(second, sac.snapshot(first))
    for learner in (first, second):
        sac.update(learner, _transitions(seed=2), _generator(8))
    assert all(torch.equal(w, second.actor[k]) for k, w in first.actor.items())
    assert all(torch.equal(w, second.critics[k]) for k, w in first.critics.items())
    with pytest.raises(CheckpointError, match="does not fit"):
        sac.restore(sac.make_learner(4, 2, SMALL, _generator()), sac.snapshot(first))


@dataclass(frozen=True)
class Point:
    """A point on a line that moves by 0.2 a; the context is where it should be. Optimal: go there and stay."""

    state_size: int = 1
    context_size: int = 1
    feature_size: int = 2
    action_size: int = 1
    horizon: int = 12

    def features(self, states: Float32Array, contexts: Float32Array) -> Float32Array:
        return np.concatenate([states, contexts], axis=1)

    def rewards(self, next_states: Float32Array, contexts: Float32Array) -> Float32Array:
        return -np.abs(next_states - contexts)[:, 0]

    def achieved(self, states: Float32Array) -> Float32Array:
        return states

    def episodes(self, contexts: Float32Array, act: object) -> tuple[Episodes, float]:
        """Return episodes from zero and their mean return."""
        assert callable(act)
        states, actions, total = [np.zeros_like(contexts)], [], 0.0
        for _ in range(self.horizon):
            actions.append(act(torch.from_numpy(self.features(states[-1], contexts))).numpy())
            states.append(states[-1] + np.float32(0.2) * actions[-1])
            total += float(self.rewards(states[-1], contexts).mean())
        return Episodes(np.stack(states, axis=1), np.stack(actions, axis=1), contexts), total


def test_one_policy_learns_to_reach_every_point_nearly_as_fast_as_possible() -> None:
    problem, rng, generator = Point(), np.random.default_rng(0), _generator()
    replay = Replay(problem, capacity=400)
    learner = sac.make_learner(2, 1, SMALL, generator)
    for _ in range(15):
        goals = rng.uniform(-1, 1, (10, 1)).astype(np.float32)
        replay.add(problem.episodes(goals, lambda f: sac.sample_action(learner.actor, f, generator)[0].detach())[0])
        for _ in range(40):
            sac.update(learner, replay.sample(64, rng, demo_share=0.0, hindsight=0.4), generator)
    goals = np.linspace(-0.9, 0.9, 10, dtype=np.float32)[:, None]
    reached = 0.2 * np.arange(1, problem.horizon + 1)
    optimum = -float(np.maximum(np.abs(goals) - reached, 0).sum(axis=1).mean())
    staying = -float(np.abs(goals).mean()) * problem.horizon
    learned = problem.episodes(goals, lambda f: sac.best_action(learner.average_actor, f))[1]
    assert learned > optimum - 0.06 * (optimum - staying)


def _marked(value: float, count: int, problem: Point) -> Episodes:
    states = np.broadcast_to(np.arange(problem.horizon + 1, dtype=np.float32)[:, None], (count, problem.horizon + 1, 1))
    actions = np.full((count, problem.horizon, 1), value, np.float32)
    return Episodes(states, actions, np.full((count, 1), 100.0, np.float32))


def test_replay_draws_the_asked_share_of_demonstrations_and_never_overwrites_them() -> None:
    problem, rng = Point(), np.random.default_rng(0)
    replay = Replay(problem, capacity=6)
    with pytest.raises(ConfigError, match="empty"):
        replay.sample(1, rng, demo_share=0.5, hindsight=0.0)
    replay.add_demonstrations(_marked(1.0, 2, problem))
    only_demos = replay.sample(100, rng, demo_share=0.5, hindsight=0.0)
    assert (only_demos.actions == 1.0).all()
    for value in (-1.0, -2.0, -3.0):
        replay.add(_marked(value, 2, problem))
    drawn = replay.sample(4000, rng, demo_share=0.25, hindsight=0.0).actions
    assert set(drawn.unique().tolist()) == {1.0, -2.0, -3.0}
    assert float((drawn == 1.0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert replay.samples == 8 * problem.horizon  # what was overwritten still counts
    with pytest.raises(ConfigError, match="before any collected"):
        replay.add_demonstrations(_marked(1.0, 1, problem))


def test_hindsight_swaps_the_task_for_one_that_was_solved_later_and_rewards_accordingly() -> None:
    problem, rng = Point(), np.random.default_rng(0)
    replay = Replay(problem, capacity=4)
    replay.add(_marked(0.0, 3, problem))
    own = replay.sample(500, rng, demo_share=0.0, hindsight=0.0)
    assert (own.features[:, 1] == 100.0).all()
    swapped = replay.sample(500, rng, demo_share=0.0, hindsight=1.0)
    step, goal = swapped.features[:, 0], swapped.features[:, 1]
    assert ((goal > step) & (goal <= problem.horizon)).all()
    torch.testing.assert_close(swapped.rewards, -(goal - step - 1))
    assert torch.equal(swapped.next_features[:, 1], goal)
