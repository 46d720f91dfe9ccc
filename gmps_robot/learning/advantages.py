"""Advantages are data: computed once per batch, detached, per task (GMPS supplement; Schulman et al. 2016 for GAE)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Baseline = Literal["linear", "proprio", "time", "time_mean", "zero"]
RIDGE = 1e-5
FLAT = 1e-6  # returns that vary less than this carry no information


def discounted_returns(rewards: Tensor, gamma: float) -> Tensor:
    """Reward to go: (..., H) -> (..., H)."""
    steps = rewards.shape[-1]
    powers = torch.arange(steps, device=rewards.device)
    weights = torch.tril((gamma ** (powers[:, None] - powers[None, :]).clamp(min=0)).to(rewards.dtype))
    return torch.matmul(rewards, weights)


def baseline_values(observations: Tensor, returns: Tensor, kind: Baseline) -> Tensor:
    """Fit V per task, in sample, and evaluate it: observations (T, K, H, O), returns (T, K, H) -> (T, K, H).

    `linear` regresses on [o, o^2, t, t^2, t^3, 1] as the authors did; `proprio` on the first three entries only,
    `time` on time alone; `time_mean` averages over the episodes of the task; `zero` is none.
    """
    if kind == "zero":
        return torch.zeros_like(returns)
    if kind == "time_mean":
        return returns.mean(dim=1, keepdim=True).expand_as(returns)
    columns = {"linear": observations.shape[-1], "proprio": 3, "time": 0}[kind]
    x = observations[..., :columns].clamp(-10, 10)
    time = (torch.arange(returns.shape[-1], device=returns.device) / 100.0).view(1, 1, -1, 1)
    time = time.expand(*returns.shape, 1)
    design = torch.cat([x, x**2, time, time**2, time**3, torch.ones_like(time)], dim=-1).flatten(1, 2).double()
    target = returns.flatten(1).unsqueeze(-1).double()
    gram = design.mT @ design + RIDGE * torch.eye(design.shape[-1], dtype=design.dtype, device=design.device)
    weights: Tensor = torch.linalg.solve(gram, design.mT @ target)
    return (design @ weights).squeeze(-1).view_as(returns).to(returns.dtype)


def advantages(rewards: Tensor, observations: Tensor, *, baseline: Baseline, gamma: float, lam: float = 1.0) -> Tensor:
    """Normalised generalised advantages (T, K, H); zero for a task whose advantages do not vary.

    Time limits are not bootstrapped, as in the authors' code.
    """
    values = baseline_values(observations, discounted_returns(rewards, gamma), baseline)
    following = torch.cat([values[..., 1:], torch.zeros_like(values[..., :1])], dim=-1)
    raw = discounted_returns(rewards + gamma * following - values, gamma * lam)
    return normalise(raw)


def normalise(raw: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 per task (axis 0); a flat task gives zeros, never a division by nothing."""
    flat = raw.flatten(1)
    mean, std = flat.mean(1, keepdim=True), flat.std(1, keepdim=True)
    scaled = torch.where(std > FLAT, (flat - mean) / (std + 1e-8), torch.zeros_like(flat))
    return scaled.view_as(raw).detach()
