"""Behavioural cloning losses of the outer loop, and the demonstrations they imitate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

BcLoss = Literal["mse", "nll"]


def bc_loss(mean: Tensor, log_std: Tensor, labels: Tensor, kind: BcLoss = "mse") -> Tensor:
    """Imitation loss per task (T,) for mean, labels (T, N, A).

    `mse` on the mean is what the authors coded; `nll` is what the paper writes, and drives sigma towards zero on
    deterministic demonstrations.
    """
    error = (mean - labels.clamp(-1.0, 1.0)) ** 2
    if kind == "mse":
        return error.mean((1, 2))
    return (0.5 * error * torch.exp(-2 * log_std) + log_std).mean((1, 2))


@dataclass
class DemonstrationSet:
    """Expert-labelled observations of T tasks, grown by aggregation (Alg. 1, lines 9-10)."""

    proprio: Tensor  # (T, N, P) normalised
    labels: Tensor  # (T, N, A)
    images: Tensor | None  # (T, N, h, w, 3) uint8

    def add(self, proprio: Tensor, labels: Tensor, images: Tensor | None) -> None:
        """Append relabelled samples (T, M, ...)."""
        self.proprio = torch.cat([self.proprio, proprio], dim=1)
        self.labels = torch.cat([self.labels, labels], dim=1)
        if self.images is not None and images is not None:
            self.images = torch.cat([self.images, images], dim=1)

    def draw(
        self, tasks: Tensor, n: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw `n` samples of each task in `tasks` (B,): proprio (B, n, P), labels (B, n, A), images (B, n, ...)."""
        index = torch.randint(self.proprio.shape[1], (len(tasks), n), generator=generator)
        row = tasks[:, None]
        images = None if self.images is None else self.images[row, index]
        return self.proprio[row, index], self.labels[row, index], images
