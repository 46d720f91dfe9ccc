"""Contextual soft actor-critic: the experts pi(a | s, task).

One policy for all tasks of a family; the features it sees hold the privileged state *and* the task's context, so this
module knows neither: it learns from batches of features, actions, rewards and next features. Read `update` first.

Sources: Haarnoja et al. (2018), arXiv 1812.05905, for the algorithm with a learned temperature; Ball et al. (2023),
arXiv 2302.02948, for critics with LayerNorm and for batches half of which are demonstrations (`replay.py`).

Both critics are one stack of matrices, so each layer of the pair is one `baddbmm`; episodes end by their horizon only,
so every target bootstraps.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gmps_robot.errors import CheckpointError

Parameters = dict[str, Tensor]

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
CRITICS = 2


@dataclass(frozen=True)
class SacSettings:
    """What a user may tune."""

    hidden: tuple[int, ...] = (128, 128)
    """Width of each hidden layer, of actor and critics alike."""
    batch_size: int = 128
    """Transitions per update."""
    discount: float = 0.97
    """Weight of the next step's value."""
    learning_rate: float = 1e-3
    """Adam's step size for actor, critics and temperature."""
    target_rate: float = 0.01
    """Share of the critics that flows into their targets at each update."""
    average_rate: float = 0.003
    """Share of the actor that flows into the averaged actor, the one that is evaluated and kept."""
    initial_temperature: float = 0.1
    """Weight of the entropy before it is learned."""
    entropy_per_axis: float = -1.0
    """Entropy to hold per action axis [nat]."""
    layer_norm: bool = True
    """Normalise the critics' hidden layers; keeps values of unseen actions from running away."""


class Transitions(NamedTuple):
    """Transitions of many tasks: N of them, F features, A action axes."""

    features: Tensor  # (N, F)
    actions: Tensor  # (N, A) in [-1, 1]
    rewards: Tensor  # (N,)
    next_features: Tensor  # (N, F)


class Losses(NamedTuple):
    """Scalars of one update, detached."""

    critic: Tensor
    actor: Tensor
    temperature: Tensor
    entropy: Tensor
    value: Tensor


@dataclass
class Learner:
    """Everything that an update changes. `actor`, `critics` and `log_temperature` are leaves of the gradient."""

    settings: SacSettings
    actor: Parameters
    critics: Parameters
    target_critics: Parameters
    average_actor: Parameters
    log_temperature: Tensor
    actor_optimizer: torch.optim.Optimizer  # also drives the temperature
    critic_optimizer: torch.optim.Optimizer
    updates: int = 0


def make_learner(feature_size: int, action_size: int, settings: SacSettings, generator: torch.Generator) -> Learner:
    """Return a fresh learner; the same generator state gives the same weights."""
    actor = {k: w[0].requires_grad_() for k, w in _mlp(1, feature_size, settings, 2 * action_size, generator).items()}
    critics = _mlp(CRITICS, feature_size + action_size, settings, 1, generator)
    critics = {k: w.requires_grad_() for k, w in critics.items()}
    log_temperature = torch.tensor(math.log(settings.initial_temperature)).requires_grad_()
    rate = settings.learning_rate
    return Learner(
        settings, actor, critics, _copy(critics), _copy(actor), log_temperature,
        torch.optim.Adam([*actor.values(), log_temperature], rate, fused=True),
        torch.optim.Adam(list(critics.values()), rate, fused=True),
    )  # fmt: skip


def update(learner: Learner, batch: Transitions, generator: torch.Generator) -> Losses:
    """One step of soft actor-critic on `batch`: critics, then actor and temperature, then targets and average."""
    settings = learner.settings
    temperature = learner.log_temperature.detach().exp()

    with torch.no_grad():
        next_actions, next_log_probs = sample_action(learner.actor, batch.next_features, generator)
        following = (batch.next_features, next_actions)
        next_values = state_action_values(learner.target_critics, *following, settings.layer_norm)
        targets = soft_bellman_target(batch.rewards, next_values, next_log_probs, temperature, settings.discount)
    values = state_action_values(learner.critics, batch.features, batch.actions, settings.layer_norm)
    critic_loss = 0.5 * (values - targets).square().mean(dim=1).sum()
    _descend(learner.critic_optimizer, critic_loss)

    fixed_critics = {k: w.detach() for k, w in learner.critics.items()}
    actions, log_probs = sample_action(learner.actor, batch.features, generator)
    actor_values = state_action_values(fixed_critics, batch.features, actions, settings.layer_norm).amin(dim=0)
    actor_loss = (temperature * log_probs - actor_values).mean()
    target_entropy = settings.entropy_per_axis * batch.actions.shape[1]
    surplus = -log_probs.detach().mean() - target_entropy  # entropy above the wanted one
    _descend(learner.actor_optimizer, actor_loss + learner.log_temperature * surplus)

    follow(learner.target_critics, learner.critics, settings.target_rate)
    follow(learner.average_actor, learner.actor, settings.average_rate)
    learner.updates += 1
    entropy = -log_probs.detach().mean()
    return Losses(critic_loss.detach(), actor_loss.detach(), temperature, entropy, values.detach().mean())


def soft_bellman_target(
    rewards: Tensor, next_values: Tensor, next_log_probs: Tensor, temperature: Tensor, discount: float
) -> Tensor:
    """r + discount (min of both critics - temperature log pi): (N,) from rewards (N,) and next_values (2, N)."""
    return rewards + discount * (next_values.amin(dim=0) - temperature * next_log_probs)


def state_action_values(critics: Parameters, features: Tensor, actions: Tensor, layer_norm: bool) -> Tensor:
    """Values (2, N) of actions (N, A) by both critics.

    The normalisation has no gain and shift of its own: they cost a tenth of the update and the next layer has both.
    """
    x = torch.cat([features, actions], dim=1).expand(CRITICS, -1, -1)
    layers = _depth(critics)
    for i in range(layers - 1):
        x = torch.baddbmm(critics[f"bias{i}"], x, critics[f"weight{i}"])
        if layer_norm:
            x = functional.layer_norm(x, x.shape[-1:])
        x = torch.relu(x)
    return torch.baddbmm(critics[f"bias{layers - 1}"], x, critics[f"weight{layers - 1}"]).squeeze(-1)


def action_distribution(actor: Parameters, features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation (N, A) of the Gaussian that tanh squashes."""
    x = features
    layers = _depth(actor)
    for i in range(layers - 1):
        x = torch.relu(torch.addmm(actor[f"bias{i}"], x, actor[f"weight{i}"]))
    mean, raw = torch.addmm(actor[f"bias{layers - 1}"], x, actor[f"weight{layers - 1}"]).chunk(2, dim=1)
    return mean, LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (torch.tanh(raw) + 1.0)


def sample_action(actor: Parameters, features: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw actions (N, A) in (-1, 1) with their log-probabilities (N,); gradients flow through both."""
    mean, log_std = action_distribution(actor, features)
    noise = torch.randn(mean.shape, generator=generator)
    unsquashed = torch.addcmul(mean, log_std.exp(), noise)
    return torch.tanh(unsquashed), squashed_log_prob(unsquashed, noise, log_std)


def squashed_log_prob(unsquashed: Tensor, noise: Tensor, log_std: Tensor) -> Tensor:
    """Log-density (N,) of tanh(unsquashed), where unsquashed = mean + std noise, all (N, A).

    Uses log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2 u)), which stays finite for large u.
    """
    gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
    stretch = 2.0 * (math.log(2.0) - unsquashed - functional.softplus(-2.0 * unsquashed))
    return (gaussian - stretch).sum(dim=1)


def best_action(actor: Parameters, features: Tensor) -> Tensor:
    """The deterministic action (N, A): tanh of the mean."""
    with torch.no_grad():
        return torch.tanh(action_distribution(actor, features)[0])


def follow(followers: Parameters, leaders: Parameters, rate: float) -> None:
    """Move every follower by `rate` of the way to its leader, in place."""
    with torch.no_grad():
        torch._foreach_lerp_(list(followers.values()), [leaders[k].detach() for k in followers], rate)


def snapshot(learner: Learner) -> dict[str, Any]:
    """Everything `restore` needs, as tensors and plain types, for `torch.save`."""
    return {
        "actor": _copy(learner.actor), "critics": _copy(learner.critics),
        "target_critics": _copy(learner.target_critics), "average_actor": _copy(learner.average_actor),
        "log_temperature": learner.log_temperature.detach().clone(), "updates": learner.updates,
        "actor_optimizer": copy.deepcopy(learner.actor_optimizer.state_dict()),
        "critic_optimizer": copy.deepcopy(learner.critic_optimizer.state_dict()),
    }  # fmt: skip


def restore(learner: Learner, saved: dict[str, Any]) -> None:
    """Bring `learner` to the state that `snapshot` took.

    Raises:
        CheckpointError: the snapshot is of networks of another size.
    """
    for name in ("actor", "critics", "target_critics", "average_actor"):
        own: Parameters = getattr(learner, name)
        if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in saved[name].items()}:
            raise CheckpointError(f"the saved {name} does not fit the networks of these settings: {learner.settings}")
        with torch.no_grad():
            for key, weight in own.items():
                weight.copy_(saved[name][key])
    with torch.no_grad():
        learner.log_temperature.copy_(saved["log_temperature"])
    learner.actor_optimizer.load_state_dict(copy.deepcopy(saved["actor_optimizer"]))
    learner.critic_optimizer.load_state_dict(copy.deepcopy(saved["critic_optimizer"]))
    learner.updates = int(saved["updates"])


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()


def _mlp(copies: int, size_in: int, settings: SacSettings, size_out: int, generator: torch.Generator) -> Parameters:
    """Weights (copies, in, out) and biases (copies, 1, out), uniform within 1/sqrt(in), as torch's own layers."""
    sizes = [size_in, *settings.hidden, size_out]
    parameters: Parameters = {}
    for i, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        bound = 1.0 / math.sqrt(rows)
        parameters[f"weight{i}"] = torch.empty(copies, rows, columns).uniform_(-bound, bound, generator=generator)
        parameters[f"bias{i}"] = torch.empty(copies, 1, columns).uniform_(-bound, bound, generator=generator)
    return parameters


def _depth(parameters: Parameters) -> int:
    return sum(key.startswith("weight") for key in parameters)


def _copy(parameters: Parameters) -> Parameters:
    return {k: w.detach().clone() for k, w in parameters.items()}
