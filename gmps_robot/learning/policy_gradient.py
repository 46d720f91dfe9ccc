"""The gradient of Eq. 3 for the Gaussian head, and its derivative, both written out.

Eq. 2 differentiates through the inner gradient: with g = dL/dphi the outer loop needs, for a given u, the product of u
with the Hessian of L, and d<g, u>/dfeatures for the conv layers. Automatic differentiation builds a graph for that
and walks it; by hand it takes fewer passes over memory (benchmarks/bench_outer_step.py). For one task with means mu,
s = log std, e = (action - mu) exp(-s), log pi = -sum(s + e^2 / 2) and importance ratio r:

    L = -mean(r A log pi);   c = r A / N;   q = e exp(-s)
    dL/dmu = -c q;   dL/ds = -sum_n c (e^2 - 1);   through the layers as in `mlp.py`

and along u = (layers' direction, w for s), a dot for the derivative:

    .q = -.mu exp(-2 s) - 2 q w;   .(e^2) = -2 q .mu - 2 e^2 w;   .log pi = sum(q .mu + (e^2 - 1) w)
    .c = c .log pi where the ratio is differentiated, else 0
    .(dL/dmu) = -c .q - .c q;   .(dL/ds) = -sum_n (c .(e^2) + .c (e^2 - 1));   d<g, u>/dh_0 = .d_0 W_0' + d_0 U_0'
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gmps_robot.learning.batch import Batch
from gmps_robot.learning.mlp import Mlp, backward, backward_along, forward, forward_along, like, per_task
from gmps_robot.policy import Params

Ratio = Literal["stopgrad", "lvc", "clip", "none"]
RATIO_CAP = 10.0  # a weight above this is an outlier of a batch that has aged too far


def policy_gradient(fast: Params, batch: Batch, advantage: Tensor, ratio: Ratio) -> dict[str, Tensor]:
    """Gradient of L = -mean(ratio . log pi . A), Eq. 3, for every parameter of `fast` (T, ...), per step as in Alg. 2.

    `stopgrad` holds the ratio constant; `lvc` differentiates the ratio itself, L = -mean(ratio . A) (Rothfuss et al.
    2019); `clip` is `stopgrad` with the ratio held in [0.5, 2]; `none` leaves the ratio out, as for fresh on-policy
    data. The result is differentiable, once, with respect to `fast` and `batch.features`.
    """
    inputs = torch.cat([batch.flat_features(), batch.flat_latents()], dim=-1)
    names, layers = _layers(fast, inputs.shape[-1])
    by_std, *gradients = _Gradient.apply(  # type: ignore[no-untyped-call]
        inputs, batch.actions.flatten(1, 2), batch.log_probs.flatten(1), advantage.flatten(1), ratio,
        fast["log_std"], *layers,
    )  # fmt: skip
    found = dict(zip(names, gradients, strict=True))
    latent, size = fast["latent"].unsqueeze(1), fast["latent"].shape[-1]
    by_bias = found["fc0.bias"].unsqueeze(1)
    found["fc0.weight"] = found["fc0.weight"] + F.pad(latent.mT @ by_bias, (0, 0, inputs.shape[-1] - size, 0))
    found["latent"] = (by_bias @ fast["fc0.weight"][:, -size:].mT).squeeze(1)
    return {**found, "log_std": by_std}


def mean_action(fast: Params, features: Tensor, latents: Tensor | None = None) -> Tensor:
    """The mean (T, N, A) of `policy.head`, with the faster gradient; same arguments, differentiable once."""
    inputs = features if latents is None else torch.cat([features, latents], dim=-1)
    mean: Tensor = Mlp.apply(inputs, *_layers(fast, inputs.shape[-1])[1])  # type: ignore[no-untyped-call]
    return mean


def _layers(fast: Params, inputs: int) -> tuple[list[str], list[Tensor]]:
    """Names and tensors of the layers, for inputs without the latent centre: constant, it is part of the first bias."""
    depth = sum(1 for name in fast if name.endswith(".weight"))
    names = [f"fc{i}.{part}" for i in range(depth) for part in ("weight", "bias")]
    rows = fast["fc0.weight"][:, -fast["latent"].shape[-1] :]
    bias = fast["fc0.bias"] + (fast["latent"].unsqueeze(1) @ rows).squeeze(1)
    return names, [fast["fc0.weight"][:, :inputs], bias, *(fast[name] for name in names[2:])]


class _Gradient(torch.autograd.Function):
    """Inputs (T, N, I), actions (T, N, A), ..., log_std (T, A), layers -> gradients of log_std and of the layers."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, actions: Tensor, behaviour: Tensor, advantage: Tensor, ratio: Ratio,
        log_std: Tensor, *layers: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """The gradient."""
        tasks = per_task(layers)
        passes = [forward(x, own) for x, own in zip(inputs, tasks, strict=True)]
        scale = torch.exp(-log_std).unsqueeze(1)
        error = (actions - torch.stack([mean for _, mean in passes])) * scale
        square = error * error
        log_ratio = (-log_std.unsqueeze(1) - 0.5 * square).sum(-1) - behaviour
        c = (_weight(log_ratio, ratio) * advantage / advantage.shape[1]).unsqueeze(-1)
        q, excess = error * scale, square - 1.0
        last, gradients = -c * q, like(layers)
        kept = [
            (hidden, backward(hidden, d, own, into))
            for (hidden, _), d, own, into in zip(passes, last, tasks, per_task(gradients), strict=True)
        ]
        ctx.save_for_backward(*layers)
        ctx.kept, ctx.ratio, ctx.density = kept, ratio, (c, q, square, excess, scale)
        return -(c * excess).sum(1), *gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, w: Tensor, *along: Tensor) -> tuple[Tensor | None, ...]:
        """The product with the Hessian."""
        c, q, square, excess, scale = ctx.density
        tasks, directions = per_task(ctx.saved_tensors), per_task(along)
        passes = [
            forward_along(hidden, own, u) for (hidden, _), own, u in zip(ctx.kept, tasks, directions, strict=True)
        ]
        mean, w = torch.stack([mean for _, mean in passes]), w.unsqueeze(1)
        by_std = 2.0 * c * (q * mean + square * w)
        last = c * (mean * scale * scale + 2.0 * q * w)
        if ctx.ratio == "lvc":
            turned = c * (q * mean + excess * w).sum(-1, keepdim=True)
            by_std, last = by_std - turned * excess, last - turned * q
        gradients, first = like(along), []
        for (hidden, deltas), (moved, _), d, own, u, into in zip(
            ctx.kept, passes, last, tasks, directions, per_task(gradients), strict=True
        ):
            inner = backward_along(hidden, moved, deltas, d, own, u, into)
            if ctx.needs_input_grad[0]:
                first.append(torch.mm(inner, own[0].t()).addmm_(deltas[0], u[0].t()))
        return (torch.stack(first) if first else None), None, None, None, None, by_std.sum(1), *gradients


def _weight(log_ratio: Tensor, ratio: Ratio) -> Tensor:
    """r as it stands in the gradient (T, N)."""
    if ratio == "none":
        return torch.ones_like(log_ratio)
    raw = log_ratio.exp()
    if ratio == "lvc":
        return torch.where(raw <= RATIO_CAP, raw, 0.0)  # beyond the cap L no longer changes with pi
    return raw.clamp(0.5, 2.0) if ratio == "clip" else raw.clamp(max=RATIO_CAP)
