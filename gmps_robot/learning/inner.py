"""The inner loop: theta -> phi by policy gradient (Eq. 3), on the head and on the episode latent.

Two estimators share one step. The head follows Eq. 3: importance-weighted log-likelihood times advantage. The latent
centre follows the score function of the *episode* draw, because the reward of an episode depends on its one draw:
`log_mean` is the gradient of log expected reward (Gaussian smoothing), z' = z + alpha sum_k R_k eps_k / sum_k R_k.
`belief` leaves the latent to `learning/belief.py`, which is no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.learning.advantages import FLAT, Baseline, advantages, normalise
from gmps_robot.learning.batch import Batch, from_trajectories
from gmps_robot.learning.belief import best_latent, next_latent, observe
from gmps_robot.learning.policy_gradient import Ratio, policy_gradient
from gmps_robot.policy import MetaPolicy, Params, expand, head, log_prob
from gmps_robot.types import Float32Array, Trajectory

AdaptedPart = Literal["both", "fc", "latent", "head", "all", "none"]
LatentUpdate = Literal["log_mean", "softmax", "score_std", "gradient", "belief"]

MOST_KL = 20.0
"""An online update that changes the policy by more than this is refused [nats per step].

Updates of the shipped policies change it by 0.8 in the median and 5.0 at most (120 tasks, 5 and 20 labels each). At the
bound the mean action moves by six of its standard deviations.
"""


@dataclass(frozen=True)
class AdaptSettings:
    """Switches of the inner loop. The defaults are the shipped recipe; `published()` gives the paper's method."""

    adapt: AdaptedPart = "both"  # what moves: FC, latent, both, last layer + latent, all with std, none
    latent_update: LatentUpdate = "log_mean"  # `gradient`: the latent is one more parameter of Eq. 3, as published
    ratio: Ratio = "stopgrad"  # as coded by the authors; `lvc` differentiates the ratio
    baseline: Baseline = "time_mean"
    gamma: float = 1.0
    lam: float = 1.0
    inner_steps: int = 1  # gradient steps on one batch
    temperature: float = 0.02  # of the `softmax` latent update [unit of the reward]
    latent_decay: float = 0.5  # exploration scale after each update
    step_scale: float = 1.0  # multiplies the learned steps of Eq. 3
    step_decay: float = 1.0  # and does so again at every further update; the authors halve them

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value makes no sense.
        """
        if self.inner_steps < 1:
            raise ConfigError(f"inner_steps = {self.inner_steps}: at least 1")
        if not 0.0 < self.gamma <= 1.0 or not 0.0 <= self.lam <= 1.0:
            raise ConfigError(f"gamma = {self.gamma}, lam = {self.lam}: discounts lie in (0, 1] and [0, 1]")


def at_update(settings: AdaptSettings, update: int) -> AdaptSettings:
    """The settings of the `update`-th update (1-based) on one task: the step schedule applied."""
    return replace(settings, step_scale=settings.step_scale * settings.step_decay ** (update - 1))


def published() -> AdaptSettings:
    """The inner loop of the paper as the authors coded it for full state: everything adapts, constant latent."""
    return AdaptSettings("all", "gradient", "stopgrad", "linear", 0.99, 1.0, latent_decay=1.0, step_decay=0.5)


def adapted_names(fast: Params, adapt: AdaptedPart) -> tuple[str, ...]:
    """Names of the fast parameters that the inner loop moves."""
    fc = tuple(name for name in fast if name.startswith("fc"))
    last = max((int(name[2:].partition(".")[0]) for name in fc), default=0)
    return {
        "both": (*fc, "latent"),
        "fc": fc,
        "latent": ("latent",),
        "head": (f"fc{last}.weight", f"fc{last}.bias", "latent"),
        "all": (*fc, "latent", "log_std"),
        "none": (),
    }[adapt]


def latent_direction(batch: Batch, settings: AdaptSettings) -> Tensor:
    """Direction of the latent centre (T, L) from episode returns and draws; zero where all returns are equal."""
    returns = batch.rewards.sum(-1)
    told = informative(returns)[:, None]
    if settings.latent_update == "score_std":
        scale = batch.latents.flatten(1).std(1).clamp(min=FLAT)[:, None]
        return told * (normalise(returns)[..., None] * batch.latents).mean(1) / scale
    if settings.latent_update == "softmax":
        weights = torch.softmax(returns / settings.temperature, dim=1)
    else:
        positive = returns.clamp(min=0.0)
        weights = positive / positive.sum(1, keepdim=True).clamp(min=FLAT)
    return told * (weights[..., None] * batch.latents).sum(1)


def informative(returns: Tensor) -> Tensor:
    """Which tasks (T,) have episode returns (T, K) that differ: only those say anything about the task."""
    return (returns.amax(1) - returns.amin(1)) > FLAT


def adapt(fast: Params, step_sizes: Params, batch: Batch, settings: AdaptSettings) -> dict[str, Tensor]:
    """Return phi for T tasks: `fast` and `step_sizes` carry a leading task axis; so does the result.

    It is differentiable with respect to `fast`, `step_sizes` and `batch.features` (second order, as Eq. 2 needs);
    under `torch.no_grad()` nothing is kept for that.
    """
    names = adapted_names(fast, settings.adapt)
    score = settings.latent_update not in ("gradient", "belief") and "latent" in names
    by_gradient = tuple(n for n in names if n != "latent" or settings.latent_update == "gradient")
    phi = dict(fast)
    advantage = advantages(
        batch.rewards, batch.observations, baseline=settings.baseline, gamma=settings.gamma, lam=settings.lam
    )
    # Equal episodes say nothing, but a fitted baseline leaves a residue that normalising would blow up to size.
    advantage = advantage * informative(batch.rewards.sum(-1))[:, None, None]
    for _ in range(settings.inner_steps):
        if by_gradient:
            gradient = policy_gradient(phi, batch, advantage, settings.ratio)
            for name in by_gradient:
                phi[name] = torch.addcmul(phi[name], step_sizes[name], gradient[name], value=-settings.step_scale)
    if score:
        phi["latent"] = phi["latent"] + step_sizes["latent"] * latent_direction(batch, settings)
    return phi


def diverged(phi: Params, kl: Tensor) -> Tensor:
    """Which tasks (T,) have an update that must not be taken: not finite, or `kl` (T,) beyond `MOST_KL`."""
    finite = torch.stack([value.isfinite().flatten(1).all(1) for value in phi.values()]).all(0)
    return ~(finite & (kl <= MOST_KL))


def effective_sample_size(fast: Params, batch: Batch) -> Tensor:
    """Share of the batch that still counts under `fast` (T,), in (0, 1]; 1 when nothing has moved."""
    with torch.no_grad():
        return _counting(*_outputs(fast, batch), batch)


def change(new: Params, batch: Batch, mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """How far an update goes from the policy that acted, of this `mean` and `log_std` (T, N, A), and what it leaves.

    Mean KL(new || acted) (T,) [nats per step] and the effective sample size under `new` (T,), on cached features.
    """
    with torch.no_grad():
        mean_after, log_std_after = _outputs(new, batch)
        wider = log_std_after - log_std
        moved = (mean_after - mean) * (-log_std).exp()
        kl = (0.5 * ((2.0 * wider).exp() + moved**2 - 1.0) - wider).sum(-1).mean(1)
        return kl, _counting(mean_after, log_std_after, batch)


def _outputs(fast: Params, batch: Batch) -> tuple[Tensor, Tensor]:
    return head(fast, batch.flat_features(), batch.flat_latents())


def _counting(mean: Tensor, log_std: Tensor, batch: Batch) -> Tensor:
    weight = (log_prob(mean, log_std, batch.actions.flatten(1, 2)) - batch.log_probs.flatten(1)).exp()
    return weight.sum(1) ** 2 / (weight**2).sum(1).clamp(min=1e-30) / weight.shape[1]


@dataclass(frozen=True)
class Adapted:
    """The outcome of one online update."""

    policy: MetaPolicy
    skipped: bool
    reason: str
    info: dict[str, float]


def adapt_policy(policy: MetaPolicy, trajectories: Sequence[Trajectory], settings: AdaptSettings) -> Adapted:
    """One online update of `policy` from the episodes of one task; the encoder is untouched, features are cached.

    The update is skipped, with the reason, when all returns are equal (no information), when it would make a parameter
    non-finite, or when it would change the policy by more than `MOST_KL`: `policy` is then the one given.
    """
    batch = from_trajectories(trajectories, policy.spec.proprio_size)
    returns = batch.rewards.sum(-1)
    info = {"episodes": float(len(trajectories)), "mean_return": float(returns.mean())}
    believes = settings.latent_update == "belief"
    if not believes and not bool(informative(returns)[0]):
        return Adapted(policy, True, _flat_reason(returns), info)
    fast = {k: v.detach().clone() for k, v in expand(policy.fast, 1).items()}
    with torch.no_grad():
        phi = adapt(fast, expand(policy.step_sizes, 1), batch, settings)
    belief = dict(policy.belief)
    if believes:
        belief = belief_after(policy, trajectories)
        phi["latent"] = best_latent(belief, torch.Generator().manual_seed(len(trajectories)))[None]
    if not all(bool(torch.isfinite(v).all()) for v in phi.values()):
        return Adapted(policy, True, "the update would make a parameter infinite or NaN; kept the old policy", info)
    means, log_stds = (np.concatenate([getattr(t, name) for t in trajectories]) for name in ("means", "log_stds"))
    kl, ess = change(phi, batch, torch.from_numpy(means)[None], torch.from_numpy(log_stds)[None])
    info["kl"], info["ess"] = float(kl[0]), float(ess[0])
    if not info["kl"] <= MOST_KL:
        return Adapted(policy, True, _far_reason(info["kl"]), info)
    info["latent_step"] = float((phi["latent"] - fast["latent"]).norm())
    fc = [n for n in phi if n.startswith("fc")]
    info["fc_step"] = float(sum((phi[n] - fast[n]).pow(2).sum() for n in fc)) ** 0.5
    adapted = policy.with_fast({k: v[0] for k, v in phi.items()}, policy.latent_std * settings.latent_decay)
    return Adapted(replace(adapted, belief=belief), False, "", info)


def belief_after(policy: MetaPolicy, trajectories: Sequence[Trajectory]) -> dict[str, Tensor]:
    """The policy's belief over tasks after more labelled episodes; a label of 1 is a success, stars lie between.

    Raises:
        CheckpointError: the checkpoint was trained without a success model.
    """
    if not policy.belief:
        raise CheckpointError(
            "latent_update = belief needs a checkpoint with a success model; this one has none. Train it with a "
            "recipe whose gmps.latent_std is above 0, or choose log_mean"
        )
    if not trajectories:
        return dict(policy.belief)
    draws = torch.from_numpy(np.stack([t.latent for t in trajectories]))
    returns = torch.tensor([t.episode_return for t in trajectories]).clamp(0.0, 1.0)
    return observe(policy.belief, policy.fast["latent"] + draws, returns)


def draw_for_episode(
    policy: MetaPolicy, so_far: Sequence[Trajectory], drawn: Float32Array, settings: AdaptSettings, seed: int
) -> Float32Array:
    """The latent draw (L,) of the next episode: `drawn` as it stands, or under `belief` the most telling one."""
    if settings.latent_update != "belief":
        return drawn
    belief = belief_after(policy, so_far)
    wanted = next_latent(belief, torch.Generator().manual_seed(seed))
    return (wanted - policy.fast["latent"]).numpy()


def _flat_reason(returns: Tensor) -> str:
    value = float(returns.mean())
    return (
        f"all {returns.numel()} episodes returned {value:g}: nothing to learn from; the update was skipped. "
        "Collect more episodes, or give a graded reward"
    )


def _far_reason(change: float) -> str:
    return (
        f"the update was refused, it diverges: it would change the policy by {change:.3g} nats per step, at most "
        f"{MOST_KL:g} are allowed; kept the old policy. Look for a wrong label, or lower the steps (adapt.step_scale)"
    )
