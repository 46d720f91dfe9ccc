"""Statistics over the episodes that a filter lets through, from both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.statistics import MEASURES, statistics
from tests.data.episodes import TASKS, add_episode

SECOND = 1_000_000_000


@pytest.fixture
def catalog(url: str, tmp_path: Path) -> Iterator[Catalog]:
    """Its clock stands 100 s after the episodes began."""
    with Catalog(tmp_path, url, now_ns=lambda: 101 * SECOND) as opened:
        yield opened


def fill(catalog: Catalog) -> list[str]:
    """Five of ada's of 2 s, 4 s, ... at 0.1 m/s, 0.2 m/s, ...; one of a policy without figures."""
    made = [
        add_episode(
            catalog, TASKS[k % 2], steps=40 * (k + 1), started_ns=SECOND,
            quality={"speed": 0.1 * (k + 1), "jerk": 5.0, "flags": ["jerky"] if k < 2 else []},
        )
        for k in range(5)
    ]
    made.append(add_episode(catalog, TASKS[0], source="policy", operator="", steps=20, started_ns=SECOND))
    for episode, success in zip(made, (1, 1, 0, 1), strict=False):
        catalog.label(episode, "success", success, "ada")
    catalog.label(made[2], "success", 1, "bob")  # it was judged again
    catalog.label(made[0], "flag", 0.0, "ada", text="jerky")  # and a flag was taken back
    catalog.label(made[1], "reward", 1.0, "ada", step_from=0, step_to=1)
    catalog.label(made[1], "stage", 1.0, "ada", step_from=79, step_to=80, at_ns=SECOND + 5 * SECOND)
    return made


def test_they_count_what_passes_and_what_stands(catalog: Catalog) -> None:
    fill(catalog)
    found = statistics(catalog, EpisodeFilter())
    assert found.all.episodes == 6
    assert found.all.seconds == pytest.approx(2.0 + 4.0 + 6.0 + 8.0 + 10.0 + 1.0)
    assert (found.all.successes, found.all.failures) == (4, 0)
    by_source = {group.name: (group.episodes, group.successes) for group in found.groups["source"]}
    assert by_source == {"demo": (5, 4), "policy": (1, 0)}
    assert [group.name for group in found.groups["task"]] == [TASKS[0].task_id, TASKS[1].task_id]
    assert found.flags == {"jerky": 1}
    assert found.judged == {"10 s": 1, "1 min": 0, "10 min": 6, "1 h": 0, "1 day": 0, "later": 0}
    assert found.moments == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1)


def test_a_filter_narrows_every_figure(catalog: Catalog) -> None:
    fill(catalog)
    found = statistics(catalog, EpisodeFilter(task=TASKS[1].task_id, source="demo"))
    assert [(group.name, group.episodes) for group in found.groups["operator"]] == [("ada", 2)]
    assert found.means["seconds"] == pytest.approx(6.0)
    assert found.means["speed"] == pytest.approx(0.3)
    assert sum(found.judged.values()) == 4


def test_a_histogram_holds_every_episode_with_a_figure_once(catalog: Catalog) -> None:
    fill(catalog)
    found = statistics(catalog, EpisodeFilter())
    assert {what: sum(found.measures[what].counts) for what in MEASURES} == {"seconds": 6, "speed": 5, "jerk": 5}
    seconds = found.measures["seconds"]
    assert seconds.start <= 1.0
    assert seconds.start + seconds.width * len(seconds.counts) > 10.0
    assert [k for k, count in enumerate(seconds.counts) if count] == [
        round((length - seconds.start) // seconds.width) for length in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    ]
    assert len(found.measures["jerk"].counts) <= 2  # all the same


def test_nothing_is_a_statistic_too(catalog: Catalog) -> None:
    found = statistics(catalog, EpisodeFilter(operator="nobody"))
    assert (found.all.episodes, found.all.seconds, found.flags, found.groups["task"]) == (0, 0, {}, ())
    assert found.means == dict.fromkeys(MEASURES)
