"""How long a session is, and the returns of its episodes so far. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from gmps_robot.panel.bridge import PanelState

EVALUATION = 5  # what a session does unless it is told otherwise


@dataclass(frozen=True)
class Plan:
    """Episodes per update, and episodes before and again after."""

    episodes: int
    evaluation: int


@dataclass(frozen=True)
class Points:
    """What the chart draws: (return, success) per episode of each stage, and where the stages will end."""

    before: tuple[tuple[float, bool], ...]
    adapt: tuple[tuple[float, bool], ...]
    after: tuple[tuple[float, bool], ...]
    evaluation_episodes: int
    episodes: int
    updates: int


def planned(state: PanelState) -> Plan:
    """How long the session is, as far as it shows: a session tells only of its running stage."""
    s = state.session
    if s.phase == "idle":
        return Plan(state.planned_episodes, EVALUATION)
    if s.stage == "before":
        return Plan(state.planned_episodes, s.episodes)
    evaluation = len(s.before_successes)
    return Plan(s.episodes if s.stage == "adapt" else len(s.successes) // max(1, s.updates), evaluation)


def points(state: PanelState) -> Points:
    """Take out of `state` what the chart needs."""
    s, plan = state.session, planned(state)
    return Points(
        tuple(zip(s.before_returns, s.before_successes, strict=False)),
        tuple(zip(s.returns, s.successes, strict=False)),
        tuple(zip(s.after_returns, s.after_successes, strict=False)),
        plan.evaluation, plan.episodes, s.updates,
    )
