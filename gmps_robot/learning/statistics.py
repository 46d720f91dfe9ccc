"""Intervals and aggregates for results of few runs and many tasks.

Sources: Wilson (1927) for success rates, with the worked values of Newcombe (1998); Agarwal et al. (2021), "Deep
reinforcement learning at the edge of the statistical precipice", for the interquartile mean, the stratified bootstrap
and performance profiles. Scores have shape (runs, tasks): a run is a training seed, a task a stratum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmps_robot.errors import ConfigError
from gmps_robot.types import FloatArray

Aggregate = Callable[[FloatArray], float]


@dataclass(frozen=True)
class Interval:
    """A point estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Score interval of a success rate; keeps its coverage for few trials and for rates near 0 and 1.

    Raises:
        ConfigError: no trials, more successes than trials, or a confidence outside (0, 1).
    """
    if trials <= 0 or not 0 <= successes <= trials:
        raise ConfigError(
            f"wilson_interval: {successes} successes in {trials} trials; need 0 <= successes <= trials and trials > 0"
        )
    z = _quantile(confidence)
    rate = successes / trials
    spread = 1.0 + z**2 / trials
    centre = (rate + z**2 / (2 * trials)) / spread
    half = z / spread * float(np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2)))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(rate, low, high)


def success_rate(successes: ArrayLike, confidence: float = 0.95) -> Interval:
    """Wilson interval of an array of booleans, one per episode."""
    flags = np.asarray(successes, dtype=bool)
    return wilson_interval(int(flags.sum()), flags.size, confidence)


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half of all scores, whatever run or task they come from.

    As in the source, a quarter of the scores, rounded down, is dropped at either end.
    """
    ordered = np.sort(_scores(scores).ravel())
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def mean(scores: ArrayLike) -> float:
    """Mean over all runs and tasks."""
    return float(_scores(scores).mean())


def stratified_bootstrap(
    scores: ArrayLike,
    rng: np.random.Generator,
    aggregate: Aggregate = iqm,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of `aggregate` over scores (runs, tasks).

    Runs are drawn with replacement within each task, so that every task stays equally present.
    """
    table = _scores(scores)
    if table.ndim != 2:
        raise ConfigError(f"stratified_bootstrap: scores of shape {table.shape}; expected (runs, tasks)")
    runs, tasks = table.shape
    columns = np.arange(tasks)
    draws = np.array([aggregate(table[rng.integers(runs, size=(runs, tasks)), columns]) for _ in range(resamples)])
    tail = 50.0 * (1.0 - _valid_confidence(confidence))
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Interval(float(aggregate(table)), float(low), float(high))


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> FloatArray:
    """Share of runs x tasks that score above each threshold: (n_thresholds,), falling from 1 to 0."""
    flat = np.sort(_scores(scores).ravel())
    above: NDArray[np.int64] = flat.size - np.searchsorted(flat, np.asarray(thresholds, dtype=np.float64), side="right")
    return np.asarray(above / flat.size)


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Chance that a random run of ours beats a random run of theirs, averaged over tasks; a tie counts one half.

    `ours` (n, tasks) and `theirs` (m, tasks).
    """
    a, b = _scores(ours), _scores(theirs)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ConfigError(f"probability_of_improvement: scores {a.shape} and {b.shape}; expected (runs, same tasks)")
    difference = a[:, None, :] - b[None, :, :]
    return float((0.5 * (1.0 + np.sign(difference))).mean())


def _scores(scores: ArrayLike) -> FloatArray:
    table = np.asarray(scores, dtype=np.float64)
    if table.size == 0 or not np.isfinite(table).all():
        raise ConfigError(f"scores of shape {table.shape} are empty or not finite")
    return table


def _valid_confidence(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence = {confidence}; expected a number between 0 and 1, such as 0.95")
    return confidence


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + _valid_confidence(confidence) / 2)
