"""Behavioural cloning losses of the outer loop, and the demonstrations they imitate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gmps_robot.learning import mlp
from gmps_robot.policy import Params

BcLoss = Literal["mse", "nll"]


def bc_loss(
    fast: Params, features: Tensor, labels: Tensor, kind: BcLoss = "mse", latents: Tensor | None = None
) -> Tensor:
    """Imitation loss (T,) of T heads on features (T, N, F), latent draws (T, N, L) or zero, and labels (T, N, A).

    `mse` on the mean is what the authors coded; `nll` is what the paper writes, and drives sigma towards zero on
    deterministic demonstrations. Differentiable, once, with respect to `fast`, features and latents.
    """
    inputs = features if latents is None else torch.cat([features, latents], dim=-1)
    layers = mlp.head_layers(fast, inputs.shape[-1])[1]
    loss: Tensor = _Imitation.apply(inputs, labels, kind, fast["log_std"], *layers)  # type: ignore[no-untyped-call]
    return loss


class _Imitation(torch.autograd.Function):
    """Loss and gradient of each task in one go: e = mean - label, k = 2 for `mse`, exp(-2 log_std) for `nll`.

    L = mean(k e^2 / 2), for `nll` + mean(log_std); dL/dmean = k e / (N A).
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, labels: Tensor, kind: BcLoss, log_std: Tensor, *layers: Tensor) -> Tensor:
        """The loss (T,)."""
        nll, size = kind == "nll", log_std.shape[1]
        gradients, losses, by_inputs = mlp.gradient_room(layers), torch.empty_like(log_std), []
        k = (torch.exp(-2.0 * log_std) if nll else torch.full_like(log_std, 2.0)) / (labels.shape[1] * size)
        room, spare = mlp.unit_room(layers, labels.shape[1]), mlp.unit_room(layers, labels.shape[1])
        data = (mlp.matrices(layers), mlp.with_one(inputs), labels.clamp(-1.0, 1.0).mT.contiguous(), k.unsqueeze(2))
        for (own, x, label, k_t), into, loss in zip(
            zip(*data, strict=True), mlp.per_task(gradients), losses, strict=True
        ):
            hidden, mean = mlp.forward(x, own, room)
            error = mean - label
            last = k_t * error
            torch.sum(last * error, 1, out=loss)
            deltas = mlp.backward(hidden, last, own, into, spare)
            if ctx.needs_input_grad[0]:
                by_inputs.append(mlp.times(deltas[0], own.back[0]))
        losses *= 0.5
        ctx.layers, ctx.gradients = layers, gradients
        ctx.by_inputs = torch.stack(by_inputs)[..., : inputs.shape[-1]] if by_inputs else None
        ctx.by_std = 1.0 / size - 2.0 * losses if nll else None
        return losses.sum(1) + (log_std.mean(1) if nll else 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_loss: Tensor) -> tuple[Tensor | None, ...]:
        """What `forward` found, scaled."""
        each = by_loss[:, None, None]
        by_inputs = None if ctx.by_inputs is None else ctx.by_inputs * each
        by_std = None if ctx.by_std is None else ctx.by_std * by_loss[:, None]
        return by_inputs, None, None, by_std, *mlp.parts([g * each for g in ctx.gradients], ctx.layers)


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

    def draw(self, tasks: Tensor, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw `n` samples of each task in `tasks` (B,): proprio (B, n, P), labels (B, n, A), images (B, n, ...)."""
        index = torch.randint(self.proprio.shape[1], (len(tasks), n), generator=generator)
        row = tasks[:, None]
        images = None if self.images is None else self.images[row, index]
        return self.proprio[row, index], self.labels[row, index], images
