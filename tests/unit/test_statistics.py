"""Intervals and aggregates against published and hand-worked values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gmps_robot.errors import ConfigError
from gmps_robot.learning.statistics import (
    iqm,
    mean,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
    success_rate,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_equals_newcombes_table(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson_interval(successes, trials)
    assert interval.value == successes / trials
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_wilson_interval_is_symmetric_and_ends_at_one_when_all_succeed() -> None:
    all_good, all_bad = wilson_interval(100, 100), wilson_interval(0, 100)
    assert all_good.high == 1.0
    assert all_good.low == pytest.approx(1.0 - all_bad.high)
    assert success_rate([True] * 100) == all_good


def test_wilson_interval_covers_the_true_rate_as_often_as_it_says() -> None:
    trials, rate = 100, 0.95
    chance = stats.binom.pmf(np.arange(trials + 1), trials, rate)
    covered = [wilson_interval(k, trials).low <= rate <= wilson_interval(k, trials).high for k in range(trials + 1)]
    assert 0.93 < chance[covered].sum() < 0.985


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_named(successes: int, trials: int) -> None:
    with pytest.raises(ConfigError, match=f"{successes} successes in {trials} trials"):
        wilson_interval(successes, trials)


def test_iqm_is_the_mean_of_the_middle_half_and_agrees_with_scipy() -> None:
    assert iqm([[0.0, 10.0], [2.0, 4.0]]) == 3.0  # 2 and 4 remain
    scores = np.random.default_rng(0).normal(size=(5, 7))
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))
    spoiled = scores.copy()
    spoiled[0, 0] = 1e6
    assert abs(iqm(spoiled) - iqm(scores)) < 0.2 < abs(mean(spoiled) - mean(scores))


def test_bootstrap_resamples_runs_within_tasks_only() -> None:
    tasks_differ_runs_do_not = np.tile(np.arange(6.0), (4, 1))
    interval = stratified_bootstrap(tasks_differ_runs_do_not, np.random.default_rng(0))
    assert interval.low == interval.value == interval.high


def test_bootstrap_of_the_mean_is_as_wide_as_the_normal_interval() -> None:
    scores = np.random.default_rng(1).normal(size=(50, 4))
    interval = stratified_bootstrap(scores, np.random.default_rng(2), aggregate=mean)
    expected = 2 * 1.96 * np.sqrt((scores.var(axis=0) / 50).sum()) / 4
    assert interval.high - interval.low == pytest.approx(expected, rel=0.1)
    assert interval.low < interval.value < interval.high
    assert stratified_bootstrap(scores, np.random.default_rng(2), aggregate=mean) == interval


def test_performance_profile_counts_scores_strictly_above_each_threshold() -> None:
    profile = performance_profile([[0.1, 0.5], [0.5, 0.9]], [0.0, 0.1, 0.5, 0.9])
    assert profile.tolist() == [1.0, 0.75, 0.25, 0.0]


def test_probability_of_improvement_counts_ties_as_half() -> None:
    assert probability_of_improvement([[1.0], [2.0]], [[1.0], [0.0]]) == (0.5 + 1 + 1 + 1) / 4
    with pytest.raises(ConfigError, match="same tasks"):
        probability_of_improvement([[1.0]], [[1.0, 2.0]])


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConfigError, match="not finite"):
        iqm([1.0, float("nan")])
