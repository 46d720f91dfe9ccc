"""The FC layers of one head, forward and backward, written out: what the inner and the outer gradient are made of.

Per task, because the layers and rows of one task stay in a core's cache where a batch of tasks does not. With h_0 the
inputs, a_i = h_i W_i + b_i and h_(i+1) = relu(a_i), mask m_(i+1):

    d_(i-1) = (d_i W_i') m_i;   dL/dW_i = h_i' d_i;   dL/db_i = sum_n d_i

and along a direction (U_i, v_i) of the layers, a dot for the derivative (Pearlmutter, 1994):

    .a_i = .h_i W_i + h_i U_i + v_i;   .h_(i+1) = .a_i m_(i+1);   .h_0 = 0
    .d_(i-1) = (.d_i W_i' + d_i U_i') m_i;   .(dL/dW_i) = h_i' .d_i + .h_i' d_i;   .(dL/db_i) = sum_n .d_i
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Layers = Sequence[Tensor]  # W_0 (I, O), b_0 (O,), W_1, b_1, ...


class Mlp(torch.autograd.Function):
    """inputs (T, N, I), W_0 (T, I, O), b_0 (T, O), ... -> outputs (T, N, A); differentiable once."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *layers: Tensor) -> Tensor:
        """Every task through its own layers."""
        tasks = per_task(layers)
        passes = [forward(x, own) for x, own in zip(inputs, tasks, strict=True)]
        ctx.save_for_backward(*layers)
        ctx.hidden = [hidden for hidden, _ in passes]
        return torch.stack([out for _, out in passes])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, last: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, when asked for, and of the layers."""
        gradients = like(ctx.saved_tensors)
        tasks = per_task(ctx.saved_tensors)
        first = []
        for hidden, d, own, into in zip(ctx.hidden, last, tasks, per_task(gradients), strict=True):
            deltas = backward(hidden, d, own, into)
            if ctx.needs_input_grad[0]:
                first.append(torch.mm(deltas[0], own[0].t()))
        return (torch.stack(first) if first else None), *gradients


def per_task(layers: Layers) -> list[tuple[Tensor, ...]]:
    """(T, ...) layers as one tuple of views per task."""
    return list(zip(*(p.unbind(0) for p in layers), strict=True))


def like(layers: Layers) -> list[Tensor]:
    """Room for one gradient per layer."""
    return [torch.empty(p.shape, dtype=p.dtype, device=p.device) for p in layers]


def forward(x: Tensor, layers: Layers) -> tuple[list[Tensor], Tensor]:
    """Layer inputs h_0, h_1, ... and the output (N, A)."""
    hidden = [x]
    last = len(layers) - 2
    for i in range(0, last, 2):
        hidden.append(torch.mm(hidden[-1], layers[i]).add_(layers[i + 1]).relu_())
    return hidden, torch.mm(hidden[-1], layers[last]).add_(layers[last + 1])


def backward(hidden: list[Tensor], last: Tensor, layers: Layers, into: Layers) -> list[Tensor]:
    """Write the gradients of the layers into `into`, given dL/doutput; return d_0, d_1, ..."""
    deltas = [last]
    for i in reversed(range(len(hidden))):
        _write(hidden[i], deltas[0], into[2 * i], into[2 * i + 1])
        if i:
            deltas.insert(0, torch.mm(deltas[0], layers[2 * i].t()).mul_(hidden[i].sign()))
    return deltas


def forward_along(hidden: list[Tensor], layers: Layers, along: Layers) -> tuple[list[Tensor], Tensor]:
    """.h_1, .h_2, ... and the derivative of the output."""
    moved: list[Tensor] = []
    for i, h in enumerate(hidden):
        a = torch.mm(h, along[2 * i]).add_(along[2 * i + 1])
        if i:
            a.addmm_(moved[-1], layers[2 * i])
        moved.append(a.mul_(hidden[i + 1].sign()) if i + 1 < len(hidden) else a)
    return moved[:-1], moved[-1]


def backward_along(
    hidden: list[Tensor], moved: list[Tensor], deltas: list[Tensor], last: Tensor, layers: Layers, along: Layers,
    into: Layers,
) -> Tensor:  # fmt: skip
    """Write the derivatives of the layers' gradients into `into`, given that of dL/doutput; return .d_0."""
    d = last
    for i in reversed(range(len(hidden))):
        _write(hidden[i], d, into[2 * i], into[2 * i + 1])
        if i:
            into[2 * i].addmm_(moved[i - 1].t(), deltas[i])
            d = torch.mm(d, layers[2 * i].t()).addmm_(deltas[i], along[2 * i].t()).mul_(hidden[i].sign())
    return d


def _write(h: Tensor, d: Tensor, weight: Tensor, bias: Tensor) -> None:
    torch.sum(d, 0, out=bias)
    if d.shape[1] < h.shape[1]:  # the narrow operand first: twice as fast for few outputs
        weight.copy_(torch.mm(d.t(), h).t())
    else:
        torch.mm(h.t(), d, out=weight)
