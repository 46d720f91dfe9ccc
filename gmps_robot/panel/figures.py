"""Statistics over episodes as the API tells them."""

from __future__ import annotations

from gmps_robot.data.statistics import Group, Statistics
from gmps_robot.panel.schema_archive import GroupRow, HistogramRow, StatisticsAnswer
from gmps_robot.panel.view import wilson


def figures(found: Statistics) -> StatisticsAnswer:
    """Return the answer of /api/statistics."""
    return StatisticsAnswer(
        all=_row(found.all), groups={what: [_row(group) for group in rows] for what, rows in found.groups.items()},
        measures={
            what: HistogramRow(start=bars.start, width=bars.width, counts=list(bars.counts), mean=found.means[what])
            for what, bars in found.measures.items()
        },
        flags=found.flags, judged=found.judged, moments=list(found.moments),
    )  # fmt: skip


def _row(group: Group) -> GroupRow:
    judged = group.successes + group.failures
    low, high = wilson(group.successes, judged)
    return GroupRow(
        name=group.name, episodes=group.episodes, minutes=group.seconds / 60.0, successes=group.successes,
        judged=judged, low=low, high=high,
    )  # fmt: skip
