"""The gradient of Eq. 3 for the Gaussian head, and its derivative, both written out.

Eq. 2 differentiates through the inner gradient: with g = dL/dphi the outer loop needs, for a given u, the product of u
with the Hessian of L, and d<g, u>/dfeatures for the conv layers. Automatic differentiation builds a graph for that
and walks it; by hand it takes fewer passes over memory (benchmarks/bench_outer_step.py). For one task with means mu,
s = log std, e = (action - mu) exp(-s), log pi = -sum(s + e^2 / 2) and importance ratio r:

    L = -mean(r A log pi);   c = r A / N;   q = e exp(-s)
    d = dL/dmu = -c q;   dL/ds = -sum_n c (e^2 - 1);   through the layers as in `mlp.py`

and along u = (layers' direction, w for s), a dot for the derivative:

    .q = -.mu exp(-2 s) - 2 q w;   .(e^2) = -2 q .mu - 2 e^2 w;   .log pi = sum(q .mu + (e^2 - 1) w)
    .c = c .log pi where the ratio is differentiated (`lvc`), else 0
    .d = -c .q - .c q = c .mu exp(-2 s) - 2 w d + .log pi d
    .(dL/ds) = -sum_n (c .(e^2) + .c (e^2 - 1)) = -2 sum_n (d .mu - w c e^2) - sum_n c .log pi (e^2 - 1)
    d<g, u>/dh_0 = .d_0 M_0' + d_0 U_0'

where .log pi stands for .c / c. The code keeps -c, which is named c there.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gmps_robot.learning import mlp
from gmps_robot.learning.batch import Batch
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
    names, layers = mlp.head_layers(fast, inputs.shape[-1])
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


class _Gradient(torch.autograd.Function):
    """Inputs (T, N, I), actions (T, N, A), ..., log_std (T, A), layers -> gradients of log_std and of the layers."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, actions: Tensor, behaviour: Tensor, advantage: Tensor, ratio: Ratio,
        log_std: Tensor, *layers: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """The gradient, task by task; for one task actions are (A, N), behaviour and advantage (N,), s (A, 1)."""
        gradients, by_std, kept = mlp.gradient_room(layers), torch.empty_like(log_std), []
        scale, minus_c = torch.exp(-log_std).unsqueeze(2), torch.empty_like(advantage)
        share, offset = -advantage / advantage.shape[1], -(behaviour + log_std.sum(1, keepdim=True))
        data = (mlp.matrices(layers), mlp.with_one(inputs), actions.mT.contiguous(), offset, share, scale)
        into = zip(by_std, minus_c, mlp.per_task(gradients), strict=True)
        for (own, x, action, o, a, per_std), (by_s, c, by_layers) in zip(zip(*data, strict=True), into, strict=True):
            hidden, mean = mlp.forward(x, own, mlp.unit_room(layers, len(a)))
            error = (action - mean).mul_(per_std)
            square = error * error
            torch.mul(a, _weight(torch.add(o, square.sum(0), alpha=-0.5), ratio), out=c)
            torch.mv(square, c, out=by_s)
            q = error.mul_(per_std)
            deltas = mlp.backward(hidden, c * q, own, by_layers, mlp.unit_room(layers, len(a)))
            kept.append((own, hidden, deltas, c, q, square))
        ctx.kept, ctx.ratio, ctx.precision, ctx.squares = kept, ratio, -scale * scale, by_std.clone()
        return by_std - minus_c.sum(1, keepdim=True), *mlp.parts(gradients, layers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, w: Tensor, *along: Tensor) -> tuple[Tensor | None, ...]:
        """The product with the Hessian, task by task."""
        gradients, turned, by_inputs = mlp.gradient_room(along), torch.empty_like(w), []
        room, spare = (mlp.unit_room(along, len(ctx.kept[0][1][0])) for _ in range(2))
        data = (ctx.kept, mlp.matrices(along, 0.0), w.unsqueeze(2), ctx.precision)
        into = zip(turned, mlp.per_task(gradients), strict=True)
        for (kept, u, w_s, precision), (turn, by_layers) in zip(zip(*data, strict=True), into, strict=True):
            own, hidden, deltas, c, q, square = kept
            moved, mean = mlp.forward_along(hidden, own, u, room)
            delta = deltas[-1].t()
            torch.sum(delta * mean, 1, out=turn)
            last = (mean * c).mul_(precision).addcmul_(delta, w_s, value=-2.0)
            if ctx.ratio == "lvc":
                excess = square - 1.0
                log_pi = (q * mean + excess * w_s).sum(0)
                turn.sub_(0.5 * torch.mv(excess, c * log_pi))
                last += log_pi * delta
            d = mlp.backward_along(hidden, moved, deltas, last, own, u, by_layers, spare)
            if ctx.needs_input_grad[0]:
                by_inputs.append(mlp.times(d, own.back[0]) + mlp.times(deltas[0], u.back[0]))
        inputs = torch.stack(by_inputs)[..., : along[0].shape[1]] if by_inputs else None
        by_std = -2.0 * (turned + w * ctx.squares)
        return inputs, None, None, None, None, by_std, *mlp.parts(gradients, along)


def _weight(log_ratio: Tensor, ratio: Ratio) -> Tensor:
    """r as it stands in the gradient (N,)."""
    if ratio == "none":
        return torch.ones_like(log_ratio)
    raw = log_ratio.exp()
    if ratio == "lvc":
        return torch.where(raw <= RATIO_CAP, raw, 0.0)  # beyond the cap L no longer changes with pi
    return raw.clamp(0.5, 2.0) if ratio == "clip" else raw.clamp(max=RATIO_CAP)
