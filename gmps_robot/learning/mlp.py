"""The FC layers of a head, forward and backward, written out: what the inner and the outer gradient are made of.

Per task, because the rows of one task stay near a core where those of a batch do not. A constant unit rides along in
every layer, so that a layer is one matrix M_i = [W_i 0; b_i 1] and its bias no pass of its own. With h_0 = (inputs, 1),
a_i = h_i M_i and h_(i+1) = relu(a_i), mask m_(i+1):

    d_(i-1) = (d_i M_i') m_i;   dL/dM_i = h_i' d_i

and along a direction U_i of the layers, a dot for the derivative (Pearlmutter, 1994):

    .a_i = .h_i M_i + h_i U_i;   .h_(i+1) = .a_i m_(i+1);   .h_0 = 0
    .d_(i-1) = (.d_i M_i' + d_i U_i') m_i;   .(dL/dM_i) = h_i' .d_i + .h_i' d_i

Rows of h_i and d_i are padded to whole cache lines; outputs and their derivatives are (A, N), few long rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gmps_robot.policy import Params

Layers = Sequence[Tensor]  # W_0 (T, I, O), b_0 (T, O), W_1, b_1, ...
LINE = 16  # numbers in a cache line
_RELU_BACKWARD = torch.ops.aten.threshold_backward.grad_input


class Matrices(NamedTuple):
    """The layers of one task, both ways round: products are fastest with neither factor transposed."""

    ahead: Layers  # M_i (I + 1, O')
    back: Layers  # M_i' (O, I')


def head_layers(fast: Params, inputs: int) -> tuple[list[str], list[Tensor]]:
    """Names and tensors of the layers, for inputs without the latent centre: constant, it is part of the first bias."""
    depth = sum(1 for name in fast if name.endswith(".weight"))
    names = [f"fc{i}.{part}" for i in range(depth) for part in ("weight", "bias")]
    rows = fast["fc0.weight"][:, -fast["latent"].shape[-1] :]
    bias = fast["fc0.bias"] + (fast["latent"].unsqueeze(1) @ rows).squeeze(1)
    return names, [fast["fc0.weight"][:, :inputs], bias, *(fast[name] for name in names[2:])]


def with_one(inputs: Tensor) -> Tensor:
    """h_0 of every task (T, N, I'): inputs (T, N, I), the constant unit, zeros."""
    size = inputs.shape[-1]
    x = inputs.new_zeros(*inputs.shape[:-1], _padded(size))
    x[..., :size] = inputs
    x[..., size] = 1.0
    return x


def matrices(layers: Layers, unit: float = 1.0) -> list[Matrices]:
    """The matrices of every task; with 0 for `unit` those of a direction, along which the constant does not move.

    A layer that is the same for all tasks, as `expand` makes it, is laid out once.
    """
    ahead, back = [], []
    for (weight, bias), (inputs, outputs) in zip(_pairs(layers), _shapes(layers), strict=True):
        tasks, rows, columns = weight.shape
        different = 1 if weight.stride(0) == bias.stride(0) == 0 else tasks
        m = weight.new_zeros(different, inputs, outputs)
        m[:, :rows, :columns] = weight[:different]
        m[:, rows, :columns] = bias[:different]
        m[:, rows, columns:] = unit
        ahead.append(m[:, : rows + 1].expand(tasks, -1, -1).unbind(0))
        # One after the other: a batch of transposed copies takes three times as long.
        back.append([t.contiguous() for t in m.mT[:, :columns].unbind(0)] * (tasks // different))
    by_task = zip(zip(*ahead, strict=True), zip(*back, strict=True), strict=True)
    return [Matrices(*both) for both in by_task]


def gradient_room(layers: Layers) -> list[Tensor]:
    """Room for the gradient of every M_i' (T, O', I'), contiguous along the longer side: a faster product."""
    tasks, empty = layers[0].shape[0], layers[0].new_empty
    return [
        empty(tasks, outputs, inputs) if inputs > outputs else empty(tasks, inputs, outputs).mT
        for inputs, outputs in _shapes(layers)
    ]


def unit_room(layers: Layers, count: int) -> list[Tensor]:
    """Room for h_1, h_2, ... of one task (count, I'), or for d_0, d_1, ...: memory used again is near the core."""
    return [layers[0].new_empty(count, outputs) for _, outputs in _shapes(layers)[:-1]]


def per_task(tensors: Layers) -> list[tuple[Tensor, ...]]:
    """Tensors (T, ...) as one tuple of views per task."""
    return list(zip(*(t.unbind(0) for t in tensors), strict=True))


def parts(gradients: Layers, layers: Layers) -> list[Tensor]:
    """Gradients of M_i' (T, O', I') as those of W_i and b_i."""
    found = []
    for gradient, (weight, _) in zip(gradients, _pairs(layers), strict=True):
        inputs, outputs = weight.shape[1:]
        found += [gradient[:, :outputs, :inputs].mT, gradient[:, :outputs, inputs]]
    return found


def forward(x: Tensor, own: Matrices, room: Layers) -> tuple[list[Tensor], Tensor]:
    """h_0, h_1, ... (in `room`) and the output (A, N)."""
    hidden = [x]
    for m, h in zip(own.ahead[:-1], room, strict=True):
        hidden.append(times(hidden[-1], m, out=h).relu_())
    return hidden, torch.mm(own.back[-1], hidden[-1].t())


def backward(hidden: list[Tensor], last: Tensor, own: Matrices, into: Layers, room: Layers) -> list[Tensor]:
    """Write the gradients of the layers into `into`, given dL/doutput (A, N); return d_0, d_1, ... with `last`."""
    d = last.t()
    for i in reversed(range(len(hidden))):
        torch.mm(d.t(), hidden[i], out=into[i])
        if i:
            d = _masked(times(d, own.back[i], out=room[i - 1]), hidden[i])
    return [*room, last.t()]


def forward_along(hidden: list[Tensor], own: Matrices, along: Matrices, room: Layers) -> tuple[list[Tensor], Tensor]:
    """.h_1, .h_2, ... (in `room`) and the derivative of the output (A, N)."""
    for i, a in enumerate(room):
        times(hidden[i], along.ahead[i], out=a)
        if i:
            _add_times(a, room[i - 1], own.ahead[i])
        _masked(a, hidden[i + 1])
    out = torch.mm(along.back[-1], hidden[-1].t())
    return list(room), out.addmm_(own.back[-1], room[-1].t()) if room else out


def backward_along(
    hidden: list[Tensor], moved: list[Tensor], deltas: list[Tensor], last: Tensor, own: Matrices, along: Matrices,
    into: Layers, room: Layers,
) -> Tensor:  # fmt: skip
    """Write the derivatives of the layers' gradients into `into`, given that of dL/doutput (A, N); return .d_0."""
    d = last.t()
    for i in reversed(range(len(hidden))):
        torch.mm(d.t(), hidden[i], out=into[i])
        if i:
            into[i].addmm_(deltas[i].t(), moved[i - 1])
            d = _add_times(times(d, own.back[i], out=room[i - 1]), deltas[i], along.back[i])
            _masked(d, hidden[i])
    return d


def times(rows: Tensor, m: Tensor, out: Tensor | None = None) -> Tensor:
    """rows (N, I') times m (I, O), without the padding of the rows."""
    return torch.mm(rows[:, : m.shape[0]], m, out=out)


def _add_times(into: Tensor, rows: Tensor, m: Tensor) -> Tensor:
    return into.addmm_(rows[:, : m.shape[0]], m)


def _masked(d: Tensor, h: Tensor) -> Tensor:
    """d where h > 0, else 0: in place and in one pass."""
    masked: Tensor = _RELU_BACKWARD(d, h, 0.0, grad_input=d)
    return masked


def _padded(size: int) -> int:
    return -(-(size + 1) // LINE) * LINE


def _shapes(layers: Layers) -> list[tuple[int, int]]:
    """(I', O') of every layer."""
    sizes = [_padded(weight.shape[1]) for weight in layers[::2]]
    return list(zip(sizes, [*sizes[1:], layers[-1].shape[1]], strict=True))


def _pairs(layers: Layers) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(layers[::2], layers[1::2], strict=True)
