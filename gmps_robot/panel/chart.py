"""Return per episode as an ECharts option: before, adaptation and after side by side, successes marked by shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gmps_robot.panel.bridge import PanelState
from gmps_robot.panel.view import planned

INK, GRID = "#a8b3c1", "#2a313b"
SUCCESS, FAIL = "#3ecf7a", "#ff7b72"
CROSS = "path://M0,2 L2,0 L6,4 L10,0 L12,2 L8,6 L12,10 L10,12 L6,8 L2,12 L0,10 L4,6 Z"
STAGES = (("before", "Before", "#93a1b3"), ("adapt", "Adaptation", "#6cb2ff"), ("after", "After", "#c9a2ff"))


@dataclass(frozen=True)
class Points:
    """What the chart draws: (return, success) per episode of each stage, and where the stages will end."""

    before: tuple[tuple[float, bool], ...]
    adapt: tuple[tuple[float, bool], ...]
    after: tuple[tuple[float, bool], ...]
    evaluation_episodes: int
    episodes: int
    updates: int


def points(state: PanelState) -> Points:
    """Take out of `state` what the chart needs, so that it is redrawn only when that changes."""
    s, plan = state.session, planned(state)
    return Points(
        tuple(zip(s.before_returns, s.before_successes, strict=False)),
        tuple(zip(s.returns, s.successes, strict=False)),
        tuple(zip(s.after_returns, s.after_successes, strict=False)),
        plan.evaluation, plan.episodes, s.updates,
    )


def options(points: Points) -> dict[str, Any]:
    """Return the ECharts option. The axis has room for the whole session from the beginning."""
    evaluation, adapt = points.evaluation_episodes, points.episodes * points.updates
    counts = {"before": evaluation, "adapt": adapt, "after": evaluation}
    starts = {"before": 0, "adapt": evaluation, "after": evaluation + adapt}
    series = [
        _series(stage, word, colour, starts[stage], counts[stage], getattr(points, stage))
        for stage, word, colour in STAGES
    ]
    updates = [{"xAxis": evaluation + points.episodes * (i + 1) - 0.5} for i in range(points.updates)]
    series[1]["markLine"] = {
        "silent": True, "symbol": "none", "data": updates, "lineStyle": {"color": "#f5b83d", "type": "dashed"},
        "label": {"formatter": "update", "color": "#f5b83d", "fontSize": 12, "position": "end", "rotate": 0},
    }
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif"},
        "grid": {"left": 44, "right": 14, "top": 30, "bottom": 30},
        "xAxis": _episode_axis(counts),
        "yAxis": _return_axis(points),
        "tooltip": {"trigger": "item", "formatter": "{b}"},
        "series": series,
    }


def _episode_axis(counts: dict[str, int]) -> dict[str, Any]:
    """Episodes are numbered from 1 in each stage; a long stage shows only some of its numbers."""
    names = [_shown_number(i + 1, count) for count in counts.values() for i in range(count)]
    return {
        "type": "value", "min": -0.5, "max": len(names) - 0.5, "splitLine": {"show": False},
        "interval": 0.5,  # ticks start at the edge; every second one is an episode
        "axisLine": {"onZero": False, "lineStyle": {"color": GRID}}, "axisTick": {"show": False},
        # A key that begins with a colon is JavaScript; the names are digits of ours.
        "axisLabel": {"color": INK, "fontSize": 12, "margin": 12, ":formatter": f"v => ({names!r})[v] ?? ''"},
    }


def _shown_number(number: int, count: int) -> str:
    every = max(1, round(count / 20) * 5) if count > 10 else 1
    return str(number) if number % every == 0 or number == 1 else ""


def _return_axis(points: Points) -> dict[str, Any]:
    values = [value for stage in (points.before, points.adapt, points.after) for value, _ in stage]
    unit = all(0.0 <= value <= 1.0 for value in values)  # labels and stars: a fixed scale is easier to read
    return {
        "type": "value", "axisLabel": {"color": INK, "fontSize": 12, "showMaxLabel": not unit},
        "splitLine": {"lineStyle": {"color": GRID}},
        "axisLine": {"show": False}, "axisTick": {"show": False}, "splitNumber": 3,
        **({"min": 0, "max": 1.15, "interval": 0.5} if unit else {"scale": True}),
    }


def _series(
    stage: str, word: str, colour: str, start: int, count: int, done: tuple[tuple[float, bool], ...]
) -> dict[str, Any]:
    data = [_point(word, start + i, i + 1, value, success) for i, (value, success) in enumerate(done)]
    area = [{"xAxis": start - 0.5, "name": word}, {"xAxis": start + count - 0.5}]
    shade = 0.0 if stage == "adapt" else 0.05
    return {
        "type": "line", "name": word, "data": data, "lineStyle": {"color": colour, "width": 1.5, "opacity": 0.55},
        "markArea": {
            "silent": True, "data": [area], "itemStyle": {"color": f"rgba(255,255,255,{shade})"},
            "label": {"color": colour, "position": "top", "distance": 6, "fontSize": 12},
        },
    }


def _point(word: str, x: int, episode: int, value: float, success: bool) -> dict[str, Any]:
    outcome = "success" if success else "fail"
    return {
        "value": [x, round(value, 4)],
        "name": f"{word}, episode {episode}: {outcome}, return {value:.2f}",
        "symbol": "circle" if success else CROSS,
        "symbolSize": 11,
        "itemStyle": {"color": SUCCESS if success else FAIL},
    }
