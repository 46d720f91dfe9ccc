"""Which task is it? A Bayesian reading of the episode latents, for adaptation in fewer episodes than a gradient needs.

An option beside the policy gradient, not part of GMPS. Meta-training in the twin knows the contexts, so it can fit
p(success | latent, context) once, from pre-update episodes that are scored under many contexts. On a new task each
label then sharpens a belief over contexts; the next episode takes the latent whose label would tell the most (mutual
information), and the update moves the latent centre to the one most likely to succeed.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import torch
from torch import Tensor
from torch.nn import functional as F

from gmps_robot.policy import Params

DEGREE = 3  # of the polynomial from latent to predicted outcome
CANDIDATES = 512  # latents considered per episode
SPREAD = 1.15  # scale of those candidates
PLAUSIBLE = 0.002  # price of a squared unit of latent: prefers latents that training has seen
DOUBT = 0.02  # share of labels that may be wrong, whatever the model says


def basis(latents: Tensor) -> Tensor:
    """All monomials up to `DEGREE`: (M, L) -> (M, B)."""
    columns = [torch.ones_like(latents[:, :1])]
    for degree in range(1, DEGREE + 1):
        terms = combinations_with_replacement(range(latents.shape[1]), degree)
        columns += [latents[:, list(axes)].prod(1, keepdim=True) for axes in terms]
    return torch.cat(columns, dim=1)


def fit(latents: Tensor, successes: Tensor, contexts: Tensor, steps: int = 60) -> dict[str, Tensor]:
    """Fit p(success | z, c) = sigmoid(s (r - |W basis(z) - c|)) by maximum likelihood.

    Args:
        latents: (N, L) of N episodes.
        successes: (N, J) whether the episode solves each context.
        contexts: (J, C); they also become the particles of the belief, with equal weights.
        steps: LBFGS iterations.
    """
    centre, scale = contexts.mean(0), contexts.std(0).mean()
    goals = (contexts - centre) / scale
    solved = successes.float()
    told = solved.sum(1) > 0
    outcome = (solved @ goals)[told] / solved.sum(1, keepdim=True)[told]
    design = basis(latents)
    ridge = 1e-2 * torch.eye(design.shape[1])
    weights = torch.linalg.solve(design[told].T @ design[told] + ridge, design[told].T @ outcome)
    logs = torch.tensor([0.0, 1.0])  # log radius, log sharpness, in units of `scale`
    weights = weights.contiguous()
    params = [weights.requires_grad_(), logs.requires_grad_()]
    optimiser = torch.optim.LBFGS(params, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = logs[1].exp() * (logs[0].exp() - _distance(design @ weights, goals))
        loss: Tensor = F.binary_cross_entropy_with_logits(logits, solved) + 1e-4 * weights.pow(2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return {
        "weights": weights.detach(), "log_radius_sharpness": logs.detach(), "contexts": goals,
        "log_weights": torch.zeros(len(contexts)),
    }  # fmt: skip


def success_probability(belief: Params, latents: Tensor) -> Tensor:
    """p(success | z, c) for M latents and J contexts: (M, L) -> (M, J)."""
    logs = belief["log_radius_sharpness"]
    distance = _distance(basis(latents) @ belief["weights"], belief["contexts"])
    sharp = torch.sigmoid(logs[1].exp() * (logs[0].exp() - distance))
    return DOUBT / 2 + (1 - DOUBT) * sharp


def observe(belief: Params, latents: Tensor, successes: Tensor) -> dict[str, Tensor]:
    """The belief after K labelled episodes: latents (K, L) absolute, successes (K,) in [0, 1]."""
    if len(latents) == 0:
        return dict(belief)
    p = success_probability(belief, latents)
    label = successes[:, None]
    evidence = (label * p.log() + (1 - label) * (1 - p).log()).sum(0)
    return {**belief, "log_weights": belief["log_weights"] + evidence}


def next_latent(belief: Params, generator: torch.Generator) -> Tensor:
    """The latent (L,) whose label is expected to tell the most about the task (mutual information)."""
    candidates = _candidates(belief, generator)
    p = success_probability(belief, candidates)
    weight = torch.softmax(belief["log_weights"], dim=0)
    information = _entropy(p @ weight) - _entropy(p) @ weight
    return candidates[(information - PLAUSIBLE * candidates.pow(2).sum(1)).argmax()]


def best_latent(belief: Params, generator: torch.Generator) -> Tensor:
    """The latent (L,) most likely to succeed under the belief."""
    candidates = _candidates(belief, generator)
    expected = success_probability(belief, candidates) @ torch.softmax(belief["log_weights"], dim=0)
    return candidates[(expected - PLAUSIBLE * candidates.pow(2).sum(1)).argmax()]


def _candidates(belief: Params, generator: torch.Generator) -> Tensor:
    size = _latent_size(belief["weights"].shape[0])
    return SPREAD * torch.randn(CANDIDATES, size, generator=generator)


def _latent_size(columns: int) -> int:
    """Invert the size of `basis`: C(L + DEGREE, DEGREE) columns for L latents."""
    size = 1
    while basis(torch.zeros(1, size)).shape[1] < columns:
        size += 1
    return size


def _distance(points: Tensor, goals: Tensor) -> Tensor:
    return ((points[:, None] - goals[None]).pow(2).sum(-1) + 1e-6).sqrt()


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.log() + (1 - p) * (1 - p).log())
