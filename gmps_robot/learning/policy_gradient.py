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
    .(dL/dmu) = -c .q - .c q;   .(dL/ds) = -sum_n (c .(e^2) + .c (e^2 - 1));   d<g, u>/dh_0 = .d_0 M_0' + d_0 U_0'
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
        share = advantage / advantage.shape[1]
        data = (mlp.matrices(layers), mlp.with_one(inputs), actions.mT.contiguous(), behaviour, share)
        into = zip(log_std.unsqueeze(2), by_std, mlp.per_task(gradients), strict=True)
        for (own, x, action, log_b, a), (s, by_s, by_layers) in zip(zip(*data, strict=True), into, strict=True):
            hidden, mean = mlp.forward(x, own, mlp.unit_room(layers, len(a)))
            scale = torch.exp(-s)
            error = (action - mean) * scale
            square = error * error
            c = a * _weight((-s - 0.5 * square).sum(0) - log_b, ratio)
            q, excess = error * scale, square - 1.0
            torch.mv(excess, -c, out=by_s)
            deltas = mlp.backward(hidden, -c * q, own, by_layers, mlp.unit_room(layers, len(a)))
            kept.append((own, hidden, deltas, scale, c, q, excess))
        ctx.kept, ctx.ratio = kept, ratio
        return by_std, *mlp.parts(gradients, layers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, w: Tensor, *along: Tensor) -> tuple[Tensor | None, ...]:
        """The product with the Hessian, task by task."""
        gradients, by_std, by_inputs = mlp.gradient_room(along), torch.empty_like(w), []
        room, spare = (mlp.unit_room(along, len(ctx.kept[0][1][0])) for _ in range(2))
        into = zip(mlp.matrices(along, 0.0), w.unsqueeze(2), by_std, mlp.per_task(gradients), strict=True)
        for kept, (u, w_s, by_s, by_layers) in zip(ctx.kept, into, strict=True):
            own, hidden, deltas, scale, c, q, excess = kept
            moved, mean = mlp.forward_along(hidden, own, u, room)
            log_pi = q * mean + excess * w_s
            turned = c * (log_pi + w_s) * 2.0
            last = c * (mean * (scale * scale) + q * (2.0 * w_s))
            if ctx.ratio == "lvc":
                moved_c = c * log_pi.sum(0)
                turned, last = turned - moved_c * excess, last - moved_c * q
            torch.sum(turned, 1, out=by_s)
            d = mlp.backward_along(hidden, moved, deltas, last, own, u, by_layers, spare)
            if ctx.needs_input_grad[0]:
                by_inputs.append(torch.mm(d, own.back[0]).addmm_(deltas[0], u.back[0]))
        inputs = torch.stack(by_inputs)[..., : along[0].shape[1]] if by_inputs else None
        return inputs, None, None, None, None, by_std, *mlp.parts(gradients, along)


def _weight(log_ratio: Tensor, ratio: Ratio) -> Tensor:
    """r as it stands in the gradient (N,)."""
    if ratio == "none":
        return torch.ones_like(log_ratio)
    raw = log_ratio.exp()
    if ratio == "lvc":
        return torch.where(raw <= RATIO_CAP, raw, 0.0)  # beyond the cap L no longer changes with pi
    return raw.clamp(0.5, 2.0) if ratio == "clip" else raw.clamp(max=RATIO_CAP)
