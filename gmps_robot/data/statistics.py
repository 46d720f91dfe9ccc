"""Figures over many episodes, counted by the database: who and what, how it went, how long, how smooth, judged when.

Quality figures that an episode was recorded without (by an older version) are left out of their histogram.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Float, Subquery, case, cast, func, select

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.models import Episode, Label
from gmps_robot.data.selection import EpisodeFilter, passing, said, stands

Grouping = Literal["source", "task", "operator", "split", "status"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
Measure = Literal["seconds", "speed", "jerk"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
BINS = 12  # of a histogram, about
SHARES = 10  # parts of an episode in which labels of steps are counted
LATER: tuple[tuple[str, float], ...] = (
    ("10 s", 10.0), ("1 min", 60.0), ("10 min", 600.0), ("1 h", 3600.0), ("1 day", 86400.0),
)
"""How long after its end an episode was judged: within so many seconds [s]."""
BEYOND = "later"
JUDGED = ("success", "accepted", "reward", "stage")  # what people say; flags come by themselves


@dataclass(frozen=True)
class Group:
    """The episodes that have one thing in common."""

    name: str
    episodes: int
    seconds: float  # recorded in all [s]
    successes: int
    failures: int  # the rest nobody has judged


@dataclass(frozen=True)
class Histogram:
    """How many episodes lie in [start + k * width, start + (k + 1) * width), SI units."""

    start: float
    width: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """What there is to say of the episodes that pass a filter."""

    all: Group
    groups: dict[Grouping, tuple[Group, ...]]  # most episodes first
    measures: dict[Measure, Histogram]
    means: dict[Measure, float | None]  # [s], [m/s], [m/s^3]; None without a figure
    flags: dict[str, int]  # that stand, most frequent first
    judged: dict[str, int]  # labels of people by how long after the end they were given
    moments: tuple[int, ...]  # labels of steps by the part of the episode that they speak of


def statistics(catalog: Catalog, wanted: EpisodeFilter) -> Statistics:
    """Count the episodes of `catalog` that pass `wanted`."""
    chosen = _chosen(wanted)
    groups = {what: tuple(_groups(catalog, chosen, what)) for what in GROUPINGS}
    everything = groups["status"]
    return Statistics(
        Group(
            "all", sum(g.episodes for g in everything), sum(g.seconds for g in everything),
            sum(g.successes for g in everything), sum(g.failures for g in everything),
        ),
        groups,
        *_measured(catalog, chosen), _flags(catalog, chosen), _judged(catalog, chosen), _moments(catalog, chosen),
    )  # fmt: skip


def _chosen(wanted: EpisodeFilter) -> Subquery:
    """One row per episode that passes, with what is counted of it."""
    succeeded, failed = said("success", Label.value == 1.0), said("success", Label.value == 0.0)
    query = select(
        Episode.id, *(getattr(Episode, what) for what in GROUPINGS), Episode.steps, Episode.started_ns,
        (cast(Episode.steps, Float) / Episode.control_hz).label("seconds"),
        Episode.quality["speed"].as_float().label("speed"), Episode.quality["jerk"].as_float().label("jerk"),
        case((succeeded, 1), else_=0).label("good"), case((succeeded, 0), (failed, 1), else_=0).label("bad"),
    )  # fmt: skip
    return passing(query, wanted).subquery()


def _groups(catalog: Catalog, chosen: Subquery, what: Grouping) -> list[Group]:
    c, count = chosen.c, func.count()
    query = select(c[what], count, func.sum(c.seconds), func.sum(c.good), func.sum(c.bad)).group_by(c[what])
    rows = _rows(catalog, query.order_by(count.desc(), c[what]))
    return [Group(name, int(n), float(seconds), int(good), int(bad)) for name, n, seconds, good, bad in rows]


def _measured(
    catalog: Catalog, chosen: Subquery
) -> tuple[dict[Measure, Histogram], dict[Measure, float | None]]:
    histograms: dict[Measure, Histogram] = {}
    means: dict[Measure, float | None] = {}
    for what in MEASURES:
        value = chosen.c[what]
        ((low, high, mean),) = _rows(catalog, select(func.min(value), func.max(value), func.avg(value)))
        means[what] = None if mean is None else float(mean)
        start, width, bins = (0.0, 1.0, 0) if low is None else _bins(float(low), float(high))
        counts = [0] * bins
        for k, n in _tally(catalog, select(func.floor((value - start) / width)).where(value.is_not(None))).items():
            counts[min(max(int(k), 0), bins - 1)] += n
        histograms[what] = Histogram(start, width, tuple(counts))
    return histograms, means


def _bins(low: float, high: float) -> tuple[float, float, int]:
    """Start, width (1, 2 or 5 times a power of ten) and number of bins that hold [low, high]."""
    wanted = max((high - low) / BINS, 1e-3 * max(abs(high), 1.0))
    power = 10.0 ** math.floor(math.log10(wanted))
    width = next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= wanted * (1.0 - 1e-9))
    first = math.floor(low / width)
    return first * width, width, math.floor(high / width) - first + 1


def _flags(catalog: Catalog, chosen: Subquery) -> dict[str, int]:
    """Flags that nobody has taken back."""
    count = func.count(Label.episode.distinct())
    query = select(Label.text, count).join(chosen, chosen.c.id == Label.episode)
    query = query.where(Label.kind == "flag", Label.value == 1.0, stands()).group_by(Label.text)
    return {str(flag): int(n) for flag, n in _rows(catalog, query.order_by(count.desc(), Label.text))}


def _judged(catalog: Catalog, chosen: Subquery) -> dict[str, int]:
    c = chosen.c
    after = cast(Label.created_ns - c.started_ns, Float) * 1e-9 - c.seconds
    word = case(*((after < limit, name) for name, limit in LATER), else_=BEYOND)
    query = select(word).select_from(Label).join(chosen, c.id == Label.episode)
    found = _tally(catalog, query.where(Label.kind.in_(JUDGED)))
    return {name: found.get(name, 0) for name in (*(name for name, _ in LATER), BEYOND)}


def _moments(catalog: Catalog, chosen: Subquery) -> tuple[int, ...]:
    c = chosen.c
    query = select(Label.step_from * SHARES // c.steps).select_from(Label).join(chosen, c.id == Label.episode)
    found = _tally(catalog, query.where(Label.step_from.is_not(None), c.steps > 0, stands()))
    return tuple(found.get(k, 0) for k in range(SHARES))


def _tally(catalog: Catalog, query: Any) -> dict[Any, int]:
    """How often each value of a query's one column comes."""
    values = query.subquery()
    (value,) = values.c
    return {found: int(n) for found, n in _rows(catalog, select(value, func.count()).group_by(value))}


def _rows(catalog: Catalog, query: Any) -> list[Any]:
    with catalog.transaction() as t:
        return list(t.execute(query))
