"""The picture of an adaptation: where the object went before and after, what each episode returned, what it brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gmps_robot.control.report import AdaptReport
from gmps_robot.types import FloatArray

COLORS = {"before": "#8a8f98", "adapt": "#d8c38a", "after": "#1f6fb2"}
SUCCESS, FAILURE = "#2e8b57", "#c0503c"
CENTIMETRES = 100.0


def draw_summary(report: AdaptReport, path: Path) -> None:
    """Write the picture of `report` as PNG (or whatever the ending of `path` says)."""
    # Figure without pyplot: no global state, so it is safe in a node's worker thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    top, returns, success = figure.subplots(1, 3, width_ratios=[1.5, 1.8, 0.8])
    _draw_paths(top, report)
    _draw_returns(returns, report)
    _draw_success(success, report)
    decision = {"accepted": "accepted", "rolled_back": "rolled back"}.get(report.status.decision, report.status.phase)
    figure.suptitle(f"Adaptation to {report.task.task_id}: {decision}", fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw_paths(axes: Any, report: AdaptReport) -> None:
    """Top view as a person behind the robot sees it: y to the left, x away."""
    for stage, label in (("adapt", "exploring"), ("before", "before"), ("after", "after")):
        for k, path in enumerate(report.paths.get(stage, ())):  # type: ignore[call-overload]
            width, alpha = (0.8, 0.7) if stage == "adapt" else (1.8, 0.9)
            x, y = _view(path)
            axes.plot(x, y, color=COLORS[stage], lw=width, alpha=alpha, label=label if k == 0 else None)
            axes.plot(x[-1:], y[-1:], "o", color=COLORS[stage], ms=3 if stage == "adapt" else 5)
    if report.goal is not None:
        from matplotlib.patches import Circle

        x, y = _view(report.goal[None])
        axes.add_patch(
            Circle((x[0], y[0]), CENTIMETRES * report.success_radius, color=SUCCESS, alpha=0.18, label="goal")
        )
        axes.plot(x, y, "+", color=SUCCESS, ms=12)
    axes.set(xlabel="y [cm]", ylabel="x [cm]", title="where the object went, seen from above")
    bottom, top = axes.get_ylim()
    reach = max(abs(y) for y in (*axes.get_xlim(), 0.6 * (top - bottom)))
    axes.set(xlim=(reach, -reach), ylim=(bottom, top), aspect="equal")
    axes.legend(fontsize=8, loc="upper right")


def _draw_returns(axes: Any, report: AdaptReport) -> None:
    status = report.status
    episodes = np.arange(1, len(status.returns) + 1)
    colors = [SUCCESS if solved else FAILURE for solved in status.successes]
    axes.vlines(episodes, 0.0, status.returns, color=colors, lw=2)
    axes.scatter(episodes, status.returns, c=colors, zorder=3)
    per_update = len(episodes) / status.update if status.update else 0.0
    for update in range(1, status.update):
        axes.axvline(update * per_update + 0.5, color="#777777", ls="--", lw=1)
    axes.axhline(0.0, color="#bbbbbb", lw=0.8)
    axes.set(xlabel="episode", ylabel="return", title="what the policy learned from (green: success)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(episodes):
        axes.set_xlim(0.3, len(episodes) + 0.7)


def _draw_success(axes: Any, report: AdaptReport) -> None:
    status = report.status
    for place, (name, told) in enumerate((("before", status.before_successes), ("after", status.after_successes))):
        if told:
            share = sum(told) / len(told)
            axes.bar(place, share, color=COLORS[name], width=0.6)
            axes.text(place, share + 0.02, f"{sum(told)}/{len(told)}", ha="center")
        else:
            axes.text(place, 0.02, "not\nevaluated", ha="center", fontsize=8)
    axes.set(xticks=(0, 1), xticklabels=("before", "after"), ylim=(0, 1.15), xlim=(-0.6, 1.6), title="success")


def _view(path: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Horizontal and vertical of the top view [cm] of positions (n, 2) [m]."""
    return CENTIMETRES * path[:, 1], CENTIMETRES * path[:, 0]
