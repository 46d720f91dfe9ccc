"""What came of each goal, for a terminal and for a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gmps_robot.control.session_status import SessionStatus


@dataclass(frozen=True)
class GoalOutcome:
    """One goal from its start to its result. `before` and `after` are shares of the evaluation episodes."""

    task: int
    task_id: str
    context: tuple[float, ...]
    completed: bool
    accepted: bool
    before: float
    after: float
    successes: tuple[bool, ...]  # of the episodes that were learned from
    seconds: float
    output: str
    message: str

    def to_dict(self) -> dict[str, object]:
        """Plain JSON types."""
        return asdict(self)


def news(before: SessionStatus, now: SessionStatus) -> list[str]:
    """What has happened between two statuses of a session, one line each; steps are no news."""
    same = before.task_id == now.task_id
    lines = []
    for stage, name in (("before", "before_"), ("adapt", ""), ("after", "after_")):
        returns, successes = getattr(now, f"{name}returns"), getattr(now, f"{name}successes")
        told = len(getattr(before, f"{name}returns")) if same else 0
        for i in range(told, len(returns)):
            of = before.episodes if same and before.stage == stage else now.episodes
            verdict = "success" if successes[i] else "no success"
            lines.append(f"{stage:6} episode {i % of + 1} of {of}: {verdict}, return {returns[i]:.2f}")
    if (now.stage, now.update) != (before.stage, before.update) or not same:
        words = {"before": "testing the policy as it is", "adapt": "exploring", "after": "testing the adapted policy"}
        lines.append(f"{now.task_id}: {words[now.stage]}; {now.message}")
    elif now.paused and not before.paused:
        lines.append(now.message)
    return lines


def summary(outcome: GoalOutcome) -> list[str]:
    """The end of one goal, for a person."""
    learned = f"{sum(outcome.successes)} of {len(outcome.successes)}"
    lines = [
        f"{outcome.task_id}: success {outcome.before:.0%} before, {outcome.after:.0%} after "
        f"{len(outcome.successes)} episodes ({learned} of them successful), {outcome.seconds:.0f} s",
        f"{outcome.task_id}: {outcome.message}",
    ]
    files = sorted(str(path) for path in Path(outcome.output).rglob("*") if path.suffix in (".png", ".mp4"))
    return lines + [f"{outcome.task_id}: saved {name}" for name in files or [outcome.output]]


def table(outcomes: Sequence[GoalOutcome]) -> list[str]:
    """One line per goal and the means, when there are several."""
    if len(outcomes) < 2:
        return []
    lines = [f"{'goal':24} {'before':>7} {'after':>7} {'decision':>12}"]
    for outcome in outcomes:
        decision = ("accepted" if outcome.accepted else "rolled back") if outcome.completed else "not completed"
        lines.append(f"{outcome.task_id:24} {outcome.before:7.0%} {outcome.after:7.0%} {decision:>12}")
    done = [outcome for outcome in outcomes if outcome.completed]
    if done:
        before, after = (sum(getattr(o, name) for o in done) / len(done) for name in ("before", "after"))
        lines.append(f"{'mean of ' + str(len(done)):24} {before:7.0%} {after:7.0%}")
    return lines
