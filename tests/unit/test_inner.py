"""Eq. 3 and the latent step against numbers worked out by hand, and against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from gmps_robot.learning.advantages import advantages, discounted_returns
from gmps_robot.learning.batch import Batch
from gmps_robot.learning.imitation import BcLoss, bc_loss
from gmps_robot.learning.inner import (
    AdaptSettings,
    adapt,
    diverged,
    effective_sample_size,
    latent_direction,
)
from gmps_robot.learning.policy_gradient import RATIO_CAP, Ratio, policy_gradient
from gmps_robot.policy import Params, PolicySpec, expand, head, init_fast, log_prob


def linear_fast(weight: float, std: float) -> dict[str, torch.Tensor]:
    """A head without hidden layers: mean = weight * feature + latent, one action axis."""
    return {
        "fc0.weight": torch.tensor([[[weight], [1.0]]], dtype=torch.float64),
        "fc0.bias": torch.zeros(1, 1, dtype=torch.float64),
        "latent": torch.zeros(1, 1, dtype=torch.float64),
        "log_std": torch.full((1, 1), math.log(std), dtype=torch.float64),
    }


def eq3_loss(fast: Params, batch: Batch, advantage: torch.Tensor, ratio: Ratio) -> torch.Tensor:
    """L of Eq. 3 per task (T,), as plainly as it can be written; automatic differentiation does the rest."""
    mean, log_std = head(fast, batch.flat_features(), batch.flat_latents())
    logp = log_prob(mean, log_std, batch.actions.flatten(1, 2))
    weight = (logp - batch.log_probs.flatten(1)).exp().clamp(max=RATIO_CAP)
    if ratio == "lvc":
        return -(weight * advantage.flatten(1)).mean(1)
    weight = torch.ones_like(logp) if ratio == "none" else weight.detach()
    if ratio == "clip":
        weight = weight.clamp(0.5, 2.0)
    return -(weight * logp * advantage.flatten(1)).mean(1)


def two_episodes() -> Batch:
    """Two one-step episodes: features 1 and 2, actions 1 and 0, rewards 1 and 0, drawn under weight 0.5, std 1."""
    features = torch.tensor([[[[1.0]], [[2.0]]]], dtype=torch.float64)
    actions = torch.tensor([[[[1.0]], [[0.0]]]], dtype=torch.float64)
    means = 0.5 * features
    return Batch(
        features, actions, log_prob(means, torch.zeros(1, dtype=torch.float64), actions),
        torch.tensor([[[1.0], [0.0]]], dtype=torch.float64), torch.zeros(1, 2, 1, dtype=torch.float64), features,
    )  # fmt: skip


def test_eq3_step_by_hand() -> None:
    # Advantages of returns (1, 0) are (+s, -s) with s = 0.5 / std(1, 0) = 0.5 / 0.70711 = 0.70711.
    # d log pi / d weight = (a - w x) x = (1 - .5) * 1 = .5 and (0 - 1) * 2 = -2; ratios are 1.
    # gradient of the loss = -mean(.70711 * .5, -.70711 * -2) = -(.35355 + 1.41421) / 2 = -.88388.
    fast = linear_fast(0.5, 1.0)
    steps = {k: torch.full_like(v, 0.1) for k, v in fast.items()}
    phi = adapt(fast, steps, two_episodes(), AdaptSettings(adapt="fc"))
    assert phi["fc0.weight"][0, 0, 0].item() == pytest.approx(0.5 + 0.1 * 0.88388, abs=1e-5)
    assert phi["latent"] is fast["latent"]


@pytest.mark.parametrize("ratio", ["stopgrad", "lvc"])
def test_importance_weight_by_hand(ratio: Ratio) -> None:
    # Under weight 0.7 the first action's log-prob is -.5 * .3^2 = -.045 against -.125: ratio exp(.08);
    # the second's is -.5 * 1.4^2 = -.98 against -.5: ratio exp(-.48). d log pi / d weight = .3 and -1.4 * 2 = -2.8;
    # -mean(ratio A d log pi) is the gradient with the ratio held, and, as d ratio = ratio d log pi, of -mean(ratio A).
    advantage = torch.tensor([[[2.0], [1.0]]], dtype=torch.float64)
    gradient = policy_gradient(linear_fast(0.7, 1.0), two_episodes(), advantage, ratio)["fc0.weight"][0, 0, 0]
    by_hand = -(math.exp(0.08) * 2.0 * 0.3 + math.exp(-0.48) * 1.0 * -2.8) / 2
    assert gradient.item() == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize(("ratio", "turns"), [("none", 1.106066), ("stopgrad", 1.106066), ("lvc", 0.973483)])
def test_eq2_by_hand(ratio: Ratio, turns: float) -> None:
    # With the advantages above, dL/dw = -s (1 + 3 w) / 2, so phi = w + alpha s (1 + 3 w) / 2 = .588388 for alpha = .1,
    # and dphi/dw = 1 + 1.5 alpha s = 1.106066. Where the ratio is differentiated, L's second derivative is
    # -mean(A ((d log pi)^2 + d2 log pi)) = -(s (.25 - 1) - s (4 - 4)) / 2 = .375 s, and dphi/dw = 1 - .375 alpha s.
    # A demonstration of 2 where the feature is 1 then gives d(phi - 2)^2 / dw = 2 (phi - 2) dphi/dw.
    fast = {k: v.requires_grad_(k == "fc0.weight") for k, v in linear_fast(0.5, 1.0).items()}
    steps = {k: torch.full_like(v, 0.1) for k, v in fast.items()}
    phi = adapt(fast, steps, two_episodes(), AdaptSettings(adapt="fc", ratio=ratio))
    (phi["fc0.weight"][0, 0, 0] - 2.0).pow(2).backward()
    found = fast["fc0.weight"].grad
    assert found is not None
    assert found[0, 0, 0].item() == pytest.approx(2.0 * (0.588388 - 2.0) * turns, abs=1e-4)


def test_log_mean_latent_step_by_hand() -> None:
    # Successes at draws 1 and 3 of four: z' = alpha * (1 + 3) / 2.
    draws = torch.tensor([[[1.0], [2.0], [3.0], [-2.0]]])
    zeros = torch.zeros(1, 4, 1, 1)
    rewards = torch.tensor([[[1.0], [0.0], [1.0], [0.0]]])
    batch = Batch(zeros, zeros, zeros[..., 0], rewards, draws, zeros)
    assert latent_direction(batch, AdaptSettings()).item() == pytest.approx(2.0)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("update", ["log_mean", "softmax", "score_std"])
@pytest.mark.parametrize("baseline", ["time_mean", "linear", "proprio", "time"])
def test_equal_returns_move_nothing(value: float, update: str, baseline: str) -> None:
    spec = PolicySpec("state")
    generator = torch.Generator().manual_seed(0)
    fast = expand(init_fast(spec, generator, -1.0), 1)
    shape = (1, 4, 5)
    batch = Batch(
        torch.randn(*shape, 6, generator=generator), torch.randn(*shape, 3, generator=generator),
        torch.zeros(shape), torch.zeros(shape), torch.randn(1, 4, 3, generator=generator),
        torch.randn(*shape, 6, generator=generator),
    )  # fmt: skip
    batch.rewards[..., -1] = value
    steps = {k: torch.ones_like(v) for k, v in fast.items()}
    phi = adapt(fast, steps, batch, AdaptSettings(latent_update=update, baseline=baseline, gamma=0.99))  # type: ignore[arg-type]
    assert all(torch.equal(phi[k], fast[k]) for k in fast)


def random_case(steps: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(steps)
    spec = PolicySpec("state", observation_center=(0.0,) * 2, observation_scale=(1.0,) * 2, action_size=2,
                      latent_size=2, hidden=(5,))  # fmt: skip
    fast = {k: v.double().clone() for k, v in expand(init_fast(spec, generator, -0.5), 2).items()}
    alpha = {k: torch.full_like(v, 0.2) for k, v in fast.items()}
    features = torch.randn(2, 3, 4, 2, generator=generator).double()
    actions = torch.randn(2, 3, 4, 2, generator=generator).double()
    latents = torch.randn(2, 3, 2, generator=generator).double()
    empty = Batch(features, actions, torch.zeros(2, 3, 4).double(), torch.zeros(2, 3, 4).double(), latents, features)
    mean, log_std = head(fast, empty.flat_features(), empty.flat_latents())
    behaviour = log_prob(mean, log_std, actions.flatten(1, 2)).view(2, 3, 4)
    rewards = torch.randn(2, 3, 4, generator=generator).double()
    labels = torch.rand(2, 6, 2, generator=generator).double()
    return fast, alpha, Batch(features, actions, behaviour, rewards, latents, features), labels


def outer_loss(case: int, ratio: str, n: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Eq. 2 as a function of one weight matrix of theta and one step size."""
    fast, alpha, batch, labels = random_case(case)
    settings = AdaptSettings("all", "gradient", ratio, "time_mean", inner_steps=n)  # type: ignore[arg-type]

    def outer(weight: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        leaves = {k: v.clone().requires_grad_() for k, v in fast.items()} | {"fc0.weight": weight}
        phi = adapt(leaves, alpha | {"fc1.bias": step}, batch, settings)
        mean, _ = head(phi, batch.flat_features()[:, :6])
        return ((mean - labels) ** 2).mean()

    return outer


@pytest.mark.parametrize("ratio", ["lvc", "none"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_meta_gradient_against_finite_differences(n: int, ratio: str) -> None:
    """Eq. 2 through n inner steps, with respect to theta and to a step size."""
    fast, alpha, _, _ = random_case(n)
    weight = fast["fc0.weight"].clone().requires_grad_()
    step = alpha["fc1.bias"].clone().requires_grad_()
    assert torch.autograd.gradcheck(outer_loss(n, ratio, n), (weight, step), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("ratio", ["stopgrad", "clip"])
def test_ratio_under_stop_gradient_adds_nothing_on_fresh_data(ratio: str) -> None:
    """As the authors coded it: at theta_init the ratio is a constant one, so the meta-gradient is that of `none`."""
    fast, alpha, _, _ = random_case(1)
    gradients = []
    for kind in (ratio, "none"):
        weight = fast["fc0.weight"].clone().requires_grad_()
        gradients.append(torch.autograd.grad(outer_loss(1, kind, 1)(weight, alpha["fc1.bias"]), weight)[0])
    assert torch.allclose(*gradients, atol=1e-12)


def aged_case(kind: torch.dtype) -> tuple[dict[str, torch.Tensor], Batch, torch.Tensor]:
    """Two hidden layers, a batch drawn under other parameters, a few ratios beyond the cap, latent centre not zero."""
    generator = torch.Generator().manual_seed(5)
    spec = PolicySpec("state", latent_size=2, hidden=(12, 9))
    fast = {k: v.to(kind) for k, v in expand(init_fast(spec, generator, -0.5), 3).items()}
    fast = {k: v + 0.1 * torch.randn(v.shape, generator=generator).to(kind) for k, v in fast.items()}

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(kind)

    features, latents = draw(3, 4, 5, 6), draw(3, 4, 2)
    empty = Batch(features, draw(3, 4, 5, 3), draw(3, 4, 5), draw(3, 4, 5), latents, features)
    mean, log_std = head(fast, empty.flat_features(), empty.flat_latents())
    behaviour = log_prob(mean, log_std, empty.actions.flatten(1, 2)).view(3, 4, 5) - 1.5 * draw(3, 4, 5)
    return fast, replace(empty, log_probs=behaviour), draw(3, 4, 5)


@pytest.mark.parametrize("ratio", ["stopgrad", "lvc", "clip", "none"])
def test_written_gradient_is_that_of_automatic_differentiation(ratio: Ratio) -> None:
    fast, batch, advantage = aged_case(torch.float32)
    leaves = {k: v.clone().requires_grad_() for k, v in fast.items()}
    plain = torch.autograd.grad(eq3_loss(leaves, batch, advantage, ratio).sum(), list(leaves.values()))
    written = policy_gradient(fast, batch, advantage, ratio)
    for (name, value), expected in zip(((k, written[k]) for k in leaves), plain, strict=True):
        assert (value - expected).norm() <= 1e-5 * expected.norm(), name


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("ratio", ["stopgrad", "lvc", "clip", "none"])
def test_written_second_order_is_that_of_automatic_differentiation(ratio: Ratio, n: int) -> None:
    """Eq. 2 through n steps, with respect to theta, the step sizes and the features (the conv layers' way in)."""
    fast, batch, advantage = aged_case(torch.float32)
    labels = torch.rand(3, 20, 3, generator=torch.Generator().manual_seed(6))

    def outer(written: bool) -> list[torch.Tensor]:
        theta = {k: v.clone().requires_grad_() for k, v in fast.items()}
        steps = {k: torch.full_like(v, 0.05).requires_grad_() for k, v in fast.items()}
        features = batch.features.clone().requires_grad_()
        inner = replace(batch, features=features)
        phi: dict[str, torch.Tensor] = dict(theta)
        for _ in range(n):
            if written:
                gradient = policy_gradient(phi, inner, advantage, ratio)
            else:
                loss = eq3_loss(phi, inner, advantage, ratio).sum()
                found = torch.autograd.grad(loss, list(phi.values()), create_graph=True)
                gradient = dict(zip(phi, found, strict=True))
            phi = {k: v - steps[k] * gradient[k] for k, v in phi.items()}
        seen = features.flatten(1, 2)
        if written:
            loss = bc_loss(phi, seen, labels, "nll").sum()
        else:
            mean, s = head(phi, seen)
            loss = (0.5 * (mean - labels) ** 2 * torch.exp(-2 * s) + s).mean((1, 2)).sum()
        return list(torch.autograd.grad(loss, [*theta.values(), *steps.values(), features]))

    for value, expected in zip(outer(written=True), outer(written=False), strict=True):
        assert (value - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("kind", ["mse", "nll"])
@pytest.mark.parametrize("latents", [True, False])
def test_written_imitation_loss_is_that_of_automatic_differentiation(kind: BcLoss, latents: bool) -> None:
    fast, batch, weights = aged_case(torch.float64)
    labels = batch.actions.flatten(1, 2)  # some beyond [-1, 1]

    def plain(fast: Params, features: torch.Tensor, draws: torch.Tensor | None) -> torch.Tensor:
        mean, s = head(fast, features, draws)
        square = (mean - labels.clamp(-1.0, 1.0)) ** 2
        return (square if kind == "mse" else 0.5 * square * torch.exp(-2 * s) + s).mean((1, 2))

    results = []
    for written in (True, False):
        leaves = {k: v.clone().requires_grad_() for k, v in fast.items()}
        features, draws = (f.clone().requires_grad_() for f in (batch.flat_features(), batch.flat_latents()))
        seen = draws if latents else None
        loss = bc_loss(leaves, features, labels, kind, seen) if written else plain(leaves, features, seen)
        wanted = [features, *leaves.values(), *([draws] if latents else [])]
        found = torch.autograd.grad((loss * weights[:, 0, 0]).sum(), wanted, materialize_grads=True, allow_unused=True)
        results.append([loss, *found])
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_inner_steps_compose(n: int) -> None:
    """n steps on one batch are n single steps; every task keeps its own parameters."""
    fast, alpha, batch, _ = random_case(n)
    settings = AdaptSettings("all", "gradient", "stopgrad", "time_mean")
    phi = fast
    for _ in range(n):
        phi = adapt(phi, alpha, batch, settings)
    together = adapt(fast, alpha, batch, replace(settings, inner_steps=n))
    assert all(torch.allclose(phi[k], together[k], atol=1e-12) for k in phi)
    assert not torch.allclose(together["fc0.weight"][0] - fast["fc0.weight"][0],
                              together["fc0.weight"][1] - fast["fc0.weight"][1])  # fmt: skip


def test_ratios_are_one_before_the_first_step() -> None:
    fast, _, batch, _ = random_case(1)
    assert torch.equal(effective_sample_size(fast, batch), torch.ones(2, dtype=torch.float64))
    weighted, plain = (policy_gradient(fast, batch, batch.rewards, ratio) for ratio in ("stopgrad", "none"))
    for name, value in plain.items():
        torch.testing.assert_close(weighted[name], value, rtol=1e-12, atol=1e-14)


def test_which_updates_are_refused() -> None:
    phi = {"a": torch.zeros(4, 2), "b": torch.zeros(4, 1)}
    phi["a"][1, 0] = math.nan
    phi["b"][2] = math.inf
    assert diverged(phi, torch.tensor([20.0, 0.0, 0.0, 20.1])).tolist() == [False, True, True, True]


def test_returns_and_gae_by_hand() -> None:
    rewards = torch.tensor([[[1.0, 2.0, 4.0]]])
    assert discounted_returns(rewards, 0.5).tolist() == [[[3.0, 4.0, 4.0]]]
    # With the time-mean baseline V = mean over episodes; lambda = 1 leaves return - V, then mean 0 and std 1.
    two = torch.tensor([[[0.0, 1.0], [0.0, 3.0]]])
    got = advantages(two, torch.zeros(1, 2, 2, 1), baseline="time_mean", gamma=1.0)
    assert torch.allclose(got, torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]]) * math.sqrt(3 / 4), atol=1e-5)
