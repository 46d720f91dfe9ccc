"""How late one signal is after another, by trimmed least squares, with a bootstrap interval.

For every candidate delay the later signal is explained, linearly, by the earlier one that much before; the delay that
leaves the least is the answer. A tenth of the samples, those it explains worst, do not count: dropped frames, misread
stamps. Blocks of half a second are drawn anew for the interval, because neighbouring residuals are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gmps_robot.errors import CalibrationError
from gmps_robot.types import FloatArray

KEPT = 0.9  # share of the samples that count
COARSE, FINE = 0.010, 0.001  # steps of the search [s]
AROUND = 0.015  # of the best that the bootstrap searches [s]
BLOCK = 0.5  # [s]
DRAWS = 200
EXPLAINED = 0.5  # of the later signal's variance, below which the two have nothing to do with each other
FEWEST = 60  # samples

Regressors = Callable[[float], FloatArray]


@dataclass(frozen=True)
class Channel:
    """One component of the later signal: `values` (n,) at its times, explained by `regressors` (n, k) of a delay."""

    values: FloatArray
    regressors: Regressors


@dataclass(frozen=True)
class Delay:
    """A delay with its 95 % interval [s], and the share of the variance that it leaves unexplained."""

    value: float
    low: float
    high: float
    unexplained: float

    @property
    def half_width(self) -> float:
        """Of the interval, on its longer side [s]."""
        return max(self.high - self.value, self.value - self.low)


def find_delay(
    times: FloatArray, channels: Sequence[Channel], rng: np.random.Generator, *, shortest: float = -0.1,
    longest: float = 0.4,
) -> Delay:
    """Return how much later the channels are than what explains them.

    Args:
        times: (n,) of the later signal [s].
        channels: its components, of which each is explained on its own, with one delay for all.
        rng: draws the bootstrap.
        shortest: of the candidates [s]; negative: the "later" signal may be the earlier one.
        longest: of the candidates [s].

    Raises:
        CalibrationError: too few samples, nothing moved, no delay explains the signal, or the best is at the end of the
            range.
    """
    if len(times) < FEWEST:
        raise CalibrationError(f"only {len(times)} samples of motion; at least {FEWEST} are needed: move for longer")
    moved = [channel for channel in channels if np.std(channel.values) > 1e-12]
    if not moved:
        raise CalibrationError("nothing moved: is the arm armed, and the right camera connected?")
    coarse = np.arange(shortest, longest + COARSE / 2, COARSE)
    costs = np.array([_left(moved, delay) for delay in coarse])
    best = int(np.argmin(costs))
    if costs[best] > EXPLAINED:
        raise CalibrationError(
            f"no delay explains more than {100 * (1 - costs[best]):.0f} % of the motion: are both of the same arm?"
        )
    if best in (0, len(coarse) - 1):
        raise CalibrationError(
            f"no delay within {1e3 * shortest:.0f} to {1e3 * longest:.0f} ms explains the motion: do both stamp with "
            "one clock?"
        )
    around = coarse[best] + np.arange(-AROUND, AROUND + FINE / 2, FINE)
    costs = np.array([_left(moved, delay) for delay in around])
    value = _lowest(around, costs[None])[0]
    drawn = _lowest(around, _bootstrap(times, moved, value, around, rng))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Delay(float(value), float(min(low, value)), float(max(high, value)), _left(moved, float(value)))


def _left(channels: Sequence[Channel], delay: float) -> float:
    """Mean share of the variance left by `delay` over the channels, without the worst samples."""
    shares = []
    for channel in channels:
        error, kept = _trimmed(channel, delay)
        shares.append(float((error[kept] ** 2).mean() / np.var(channel.values[kept])))
    return float(np.mean(shares))


def _trimmed(channel: Channel, delay: float) -> tuple[FloatArray, FloatArray]:
    """Errors (n,) of the fit, and which samples (n,) counted."""
    design, wanted = channel.regressors(delay), channel.values
    kept = np.ones(len(wanted), dtype=bool)
    for _ in range(2):
        found = np.linalg.lstsq(design[kept], wanted[kept], rcond=None)[0]
        error = wanted - design @ found
        kept = np.abs(error) <= np.quantile(np.abs(error), KEPT)
    return error, kept


def _bootstrap(
    times: FloatArray, channels: Sequence[Channel], value: float, around: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """What is left (draws, delays) of samples that are drawn anew, block by block."""
    block = ((times - times[0]) / BLOCK).astype(int)
    count = int(block[-1]) + 1
    weights = rng.multinomial(count, np.full(count, 1.0 / count), DRAWS).astype(np.float64)
    total = np.zeros((DRAWS, len(around)))
    for channel in channels:
        kept = _trimmed(channel, value)[1]
        grams = np.stack([_grams(channel, delay, kept, block, count) for delay in around], axis=1)
        drawn = np.einsum("db,bnij->dnij", weights, grams)
        design, cross, square = drawn[..., :-1, :-1], drawn[..., :-1, -1:], drawn[..., -1, -1]
        ridge = 1e-12 * np.trace(design, axis1=-2, axis2=-1)[..., None, None] * np.eye(design.shape[-1])
        explained = (cross * np.linalg.solve(design + ridge, cross)).sum((-2, -1))
        total += (square - explained) / np.var(channel.values[kept])
    return total


def _grams(channel: Channel, delay: float, kept: FloatArray, block: FloatArray, count: int) -> FloatArray:
    """Products (blocks, k + 1, k + 1) of regressors and values among each other, summed over each block."""
    rows = np.concatenate([channel.regressors(delay), channel.values[:, None]], axis=1) * kept[:, None]
    member = (block[None] == np.arange(count)[:, None]).astype(np.float64)
    return np.asarray(np.einsum("bn,ni,nj->bij", member, rows, rows, optimize=True))


def _lowest(delays: FloatArray, costs: FloatArray) -> FloatArray:
    """Where the parabola through each row's minimum of `costs` (m, delays) and its neighbours is lowest (m,)."""
    least = np.clip(costs.argmin(1), 1, len(delays) - 2)
    rows = np.arange(len(costs))
    left, middle, right = (costs[rows, least + shift] for shift in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    shift = np.clip(0.5 * (left - right) / np.where(bend > 0.0, bend, np.inf), -1.0, 1.0)
    return np.asarray(delays[least] + shift * (delays[1] - delays[0]))
