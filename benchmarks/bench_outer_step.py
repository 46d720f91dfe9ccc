"""CPU time of one Alg. 2 outer step: 20 tasks x 1000 transitions, 2 x 100 MLP, inner step, imitation on 1000 samples.

    python benchmarks/bench_outer_step.py [--rounds 7] [--json FILE]

Compares how many tasks share one graph (1 is a Python loop over tasks, 20 is one graph) through `meta_loss` as training
calls it, whose gradients are written out, with automatic differentiation of both orders and with `torch.func.vmap`
over tasks, interleaved in one process of one thread; the unit is process CPU time, each step calibrated for itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from calibrate import gflops
from torch import Tensor
from torch.func import grad, vmap

from gmps_robot.learning.advantages import advantages
from gmps_robot.learning.batch import Batch
from gmps_robot.learning.inner import AdaptSettings
from gmps_robot.learning.outer import OuterSettings, Theta, meta_loss
from gmps_robot.policy import PolicySpec, expand, head, init_fast, log_prob

TASKS, EPISODES, STEPS, DEMOS = 20, 20, 50, 1000
BAR_MS, BAR_GFLOPS = 130.0, 90.0
LOOP = "1 tasks per graph, automatic"  # the plain way: 130 to 156 CPU-ms where the bar was set, at 80 to 100 GFLOP/s
SPEC = PolicySpec("state", latent_size=4)
ADAPTING = AdaptSettings("both", "gradient", "stopgrad", "time_mean")
SETTINGS = OuterSettings(contextual_weight=0.0)


def case() -> tuple[dict[str, Tensor], dict[str, Tensor], Batch, Tensor, Tensor]:
    """Parameters, step sizes, pre-update episodes, demonstrations."""
    generator = torch.Generator().manual_seed(0)
    fast = {k: v.requires_grad_() for k, v in init_fast(SPEC, generator, -0.7).items()}
    alpha = {k: torch.full_like(v, 0.1).requires_grad_() for k, v in fast.items()}
    shape = (TASKS, EPISODES, STEPS)
    features = torch.randn(*shape, 6, generator=generator)
    actions = torch.randn(*shape, 3, generator=generator)
    latents = torch.zeros(TASKS, EPISODES, 4)
    with torch.no_grad():
        mean, log_std = head(expand(fast, TASKS), features.flatten(1, 2))
        behaviour = log_prob(mean, log_std, actions.flatten(1, 2)).view(shape)
    batch = Batch(features, actions, behaviour, torch.randn(shape, generator=generator), latents, features)
    demos = torch.randn(TASKS, DEMOS, 6, generator=generator)
    return fast, alpha, batch, demos, torch.rand(TASKS, DEMOS, 3, generator=generator)


def part(batch: Batch, rows: slice) -> Batch:
    """The tasks `rows` of a batch."""
    return Batch(*(getattr(batch, n)[rows] for n in batch.__dataclass_fields__))


def in_chunks(chunk: int) -> Callable[[], list[Tensor]]:
    """The step with `chunk` tasks per graph, as `learning/outer.py` does it."""
    fast, alpha, batch, demos, labels = case()
    theta = Theta(SPEC, {}, fast, alpha, torch.zeros(TASKS, SPEC.latent_size))
    leaves = [*fast.values(), *alpha.values()]
    nothing = torch.zeros(chunk, DEMOS, SPEC.latent_size)

    def step() -> list[Tensor]:
        """One outer step; the gradients of theta."""
        for leaf in leaves:
            leaf.grad = None
        for tasks in torch.arange(TASKS).split(chunk):
            rows = slice(int(tasks[0]), int(tasks[-1]) + 1)
            drawn = (demos[rows], labels[rows], None)
            loss, _ = meta_loss(theta, tasks, part(batch, rows), drawn, ADAPTING, SETTINGS, nothing)
            (loss.sum() / TASKS).backward()
        return [fast[k].grad for k in fast if fast[k].grad is not None]

    return step


def automatic(chunk: int) -> Callable[[], list[Tensor]]:
    """The same with automatic differentiation of the inner and the outer loss."""
    fast, alpha, batch, demos, labels = case()
    leaves = [*fast.values(), *alpha.values()]
    advantage = advantages(batch.rewards, batch.observations, baseline="time_mean", gamma=1.0).flatten(1)

    def step() -> list[Tensor]:
        """One outer step; the gradients of theta."""
        for leaf in leaves:
            leaf.grad = None
        for start in range(0, TASKS, chunk):
            rows = slice(start, start + chunk)
            own = part(batch, rows)
            phi, sizes = expand(fast, chunk), expand(alpha, chunk)
            logp = log_prob(*head(phi, own.flat_features(), own.flat_latents()), own.actions.flatten(1, 2))
            ratio = (logp - own.log_probs.flatten(1)).detach().exp()
            names = [k for k in phi if k != "log_std"]
            inner = -(ratio * logp * advantage[rows]).mean(1).sum()
            gradients = torch.autograd.grad(inner, [phi[k] for k in names], create_graph=True)
            phi |= {k: phi[k] - sizes[k] * g for k, g in zip(names, gradients, strict=True)}
            mean, _ = head(phi, demos[rows])
            (((mean - labels[rows]) ** 2).mean((1, 2)).sum() / TASKS).backward()
        return [fast[k].grad for k in fast if fast[k].grad is not None]

    return step


def vmapped() -> Callable[[], list[Tensor]]:
    """The step as one `vmap` over tasks of the per-task gradient."""
    fast, alpha, batch, demos, labels = case()
    advantage = advantages(batch.rewards, batch.observations, baseline="time_mean", gamma=1.0).flatten(1)
    features, actions = batch.features.flatten(1, 2), batch.actions.flatten(1, 2)
    behaviour = batch.log_probs.flatten(1)

    def inner(params: dict[str, Tensor], x: Tensor, a: Tensor, logb: Tensor, adv: Tensor) -> Tensor:
        mean, log_std = head({k: v[None] for k, v in params.items()}, x[None])
        logp = log_prob(mean[0], log_std[0], a)
        return -((logp - logb).detach().exp() * logp * adv).mean()

    def outer(params, steps, x, a, logb, adv, s, y):  # type: ignore[no-untyped-def]
        gradient = grad(inner)(params, x, a, logb, adv)
        phi = {k: (params[k] - steps[k] * gradient[k]) if k != "log_std" else params[k] for k in params}
        mean, _ = head({k: v[None] for k, v in phi.items()}, s[None])
        return ((mean[0] - y) ** 2).mean()

    per_task = vmap(grad(outer, argnums=(0, 1)), in_dims=(None, None, 0, 0, 0, 0, 0, 0))

    def step() -> list[Tensor]:
        """One outer step; the gradients of theta."""
        detached = {k: v.detach() for k, v in fast.items()}
        sizes = {k: v.detach() for k, v in alpha.items()}
        gradients, _ = per_task(detached, sizes, features, actions, behaviour, advantage, demos, labels)
        return [gradients[k].mean(0) for k in fast if k != "log_std"]

    return step


def timed(step: Callable[[], list[Tensor]]) -> tuple[float, float]:
    """CPU time of one step [ms], and what the core does just before and after it [GFLOP/s]."""
    before = gflops(repeats=3, seconds=0.02)
    started = time.process_time()
    step()
    took = 1e3 * (time.process_time() - started)
    return took, 0.5 * (before + gflops(repeats=3, seconds=0.02))


def summary(measured: list[tuple[float, float]]) -> dict[str, float]:
    """Minimum and median of the time, of the calibration, and of the time by proportion on a core of 90 GFLOP/s."""
    scaled = [took * rate / BAR_GFLOPS for took, rate in measured]
    columns = {"cpu_ms": [m[0] for m in measured], "gflops": [m[1] for m in measured], "at_90_gflops": scaled}
    return {
        f"{name}_{word}": round(how(values), 1)
        for name, values in columns.items()
        for word, how in (("min", min), ("median", statistics.median))
    }


def main() -> None:
    """Measure every formulation, interleaved; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ways = {f"{c} tasks per graph": in_chunks(c) for c in (1, 2, 5, 10, 20)}
    ways |= {f"{c} tasks per graph, automatic": automatic(c) for c in (1, 5, 10)} | {"vmap over tasks": vmapped()}
    for step in ways.values():
        step()
    gc.freeze()  # as `gmps meta-train` does
    rounds = [{name: timed(step) for name, step in ways.items()} for _ in range(options.rounds)]
    table = {name: summary([each[name] for each in rounds]) for name in ways}
    fastest = min(table, key=lambda name: table[name]["at_90_gflops_median"])
    ratio = table[fastest]["cpu_ms_median"] / table[LOOP]["cpu_ms_median"]
    result = {"ways": table, "fastest": fastest, "to_the_loop": round(ratio, 2), "bar_ms": BAR_MS,
              "load": round(os.getloadavg()[0], 1)}  # fmt: skip
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
