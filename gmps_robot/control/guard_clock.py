"""The guard's time: whether a call may move the arm by one period, and whether calls come in time at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from gmps_robot.control.guard_checks import ROUNDING
from gmps_robot.control.guard_state import GuardState
from gmps_robot.types import SafetyEnvelope

Tick = Literal["move", "wait", "brake"]

EARLY = 0.25  # a call may come this share of a period before its time
LATE = 0.5  # lateness up to this share of a period is caught up, so that jitter costs no distance
OVERRUN = 2.0  # a period longer than this many is counted: 20 ms on a robot
OVERRUN_WINDOW = 1.0  # [s]


def tick_of(
    envelope: SafetyEnvelope, state: GuardState, now: float, reasons: list[str]
) -> tuple[GuardState, Tick]:
    """Judge the clock: whether this call may move the target by one period, wait for its time, or only brake."""
    if state.resynced:
        state = replace(state, resynced=False)
    if not np.isfinite(now) or (state.time is not None and now < state.time - ROUNDING):
        reasons.append(f"clock: now {now} s after {state.time} s")
        time = state.time if not np.isfinite(now) else now
        return replace(state, command=None, time=time, due=(time or 0.0) + state.period, overruns=()), "brake"
    if state.time is None:
        return replace(state, time=now, due=now + state.period), "move"
    if now < state.due - EARLY * state.period - ROUNDING:
        reasons.append(f"early: {state.due - now:.4f} s before its time")
        return state, "wait"
    since = now - state.time
    if since > OVERRUN * state.period + ROUNDING:
        state = replace(state, overruns=(*state.overruns, now))
    if state.overruns:
        state = replace(state, overruns=tuple(t for t in state.overruns if t > now - OVERRUN_WINDOW))
    if since > envelope.action_timeout:
        # No tick for so long that the arm has reached its target: motion starts again from rest.
        state = replace(state, velocity=np.zeros(3), acceleration=np.zeros(3), command=None)
    late = now - state.due
    due = state.due + state.period if late <= LATE * state.period else now + state.period
    tick: Tick = "move"
    if len(state.overruns) > envelope.overruns:
        reasons.append(f"overrun: {len(state.overruns)} control periods of twice their length within a second")
        state, tick = replace(state, command=None), "brake"
    return replace(state, time=now, due=due), tick
