"""The last thing before every arm: a pure state machine that turns a request into a motion that is always allowed.

No clock, no input or output, nothing remembered outside `GuardState`. What it promises, whatever it is given:

- the commanded tip stays in the box of the source that asks, inside the hard box; from outside it only moves inwards;
- speed and acceleration stay within the envelope (`stop_deceleration` while stopping);
- silence, old input, a clock that jumps and commands that are not numbers end in a held arm;
- a FAULT stays until a person resets it.

Modes: IDLE (at rest, nothing asked), MOVING, HOLD (something took the motion away: stopping, or held while the cause
lasts; a good command ends it), FAULT (latched). All stamps and `now` are on one clock, that of the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from gmps_robot.control.guard_checks import command_problem, is_outside, state_problem
from gmps_robot.control.limits import LimitFlags, advance, limit_velocity
from gmps_robot.errors import ObservationError
from gmps_robot.types import (
    AppliedCommand,
    ArmCommand,
    ArmState,
    CommandSource,
    FloatArray,
    SafetyEnvelope,
    SourceLimits,
)

GuardMode = Literal["IDLE", "MOVING", "HOLD", "FAULT"]
FaultKind = Literal["", "stop", "commands", "state", "outside"]
Tick = Literal["move", "wait", "brake"]

RESYNC_DISTANCE = 0.01  # an arm at rest this far from its command was moved by something else [m]
STATE_LOST = 0.5  # a robot that reports nothing for this long is a FAULT [s]
EARLY = 0.25  # a call may come this share of a period before its time
LATE = 0.5  # lateness up to this share of a period is caught up, so that jitter costs no distance
_ROUNDING = 1e-6  # [s]


@dataclass(frozen=True)
class GuardState:
    """Everything the guard remembers. Make the first one with `starting_at`."""

    tip_target: FloatArray  # (3,) commanded tip [m]
    period: float  # control period of the driver [s]
    mode: GuardMode = "IDLE"
    velocity: FloatArray = field(default_factory=lambda: np.zeros(3))  # (3,) commanded [m/s]
    gripper: float = 0.0
    source: CommandSource = "policy"  # whose limits the motion obeys
    command: ArmCommand | None = None  # the request in force; it lapses `action_timeout` after its stamp
    bad_commands: int = 0  # consecutive
    fault: FaultKind = ""
    fault_reason: str = ""
    time: float | None = None  # of the last tick [s]
    due: float = 0.0  # when the next tick is due [s]
    resynced: bool = False  # `tip_target` was set to the measured tip in this tick: restart joint commands there too

    @property
    def at_rest(self) -> bool:
        """Whether nothing is commanded to move."""
        return not self.velocity.any()


def starting_at(tip: FloatArray, period: float, gripper: float = 0.0) -> GuardState:
    """Return the state of an arm at rest with its tip (3,) at `tip` [m], called every `period` [s].

    Raises:
        ObservationError: `tip` is not three finite numbers.
    """
    start = np.array(tip, dtype=np.float64)
    if start.shape != (3,) or not np.isfinite(start).all():
        raise ObservationError(f"the guard cannot start at tip {tip!r}: expected 3 finite numbers in metres")
    return GuardState(tip_target=start, period=period, gripper=gripper)


def stop(state: GuardState, reason: str) -> GuardState:
    """Latch FAULT: the next ticks bring the arm to rest and keep it there. The first reason is the one kept."""
    return _latch(state, "stop", f"stop: {reason}")


def reset_fault(state: GuardState) -> GuardState:
    """Leave a FAULT: the arm holds until the next command. A cause that still lasts latches again in the next tick."""
    if state.mode != "FAULT":
        return state
    return replace(state, mode="HOLD", fault="", fault_reason="", bad_commands=0, command=None)


def guard(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, command: ArmCommand | None, now: float
) -> tuple[GuardState, AppliedCommand]:
    """Advance by one control period and return what may really be commanded.

    Args:
        envelope: the limits of rig and family.
        state: what the previous call returned, or `starting_at`.
        measured: latest measured arm state.
        command: a new request, or None for silence. A request stays in force until `action_timeout`.
        now: the driver's clock [s].

    Never raises for bad input: it holds, and `reasons` of the result say why, each as `name: values`.
    """
    reasons: list[str] = []
    state = replace(state, resynced=False)
    state, tick = _tick(envelope, state, now, reasons)
    state = _receive(envelope, state, command if tick != "brake" else None, now, reasons)
    state = _watch(envelope, state, measured, now, reasons)
    if tick != "wait":
        state = _move(envelope, state, measured, reasons)
    stamp = round(now * 1e9) if np.isfinite(now) else measured.stamp_ns
    seq = state.command.seq if state.command is not None else -1
    applied = AppliedCommand(
        stamp, seq, state.velocity.copy(), state.gripper, state.tip_target.copy(), tuple(dict.fromkeys(reasons))
    )
    return state, applied


def _tick(
    envelope: SafetyEnvelope, state: GuardState, now: float, reasons: list[str]
) -> tuple[GuardState, Tick]:
    """Judge the clock: whether this call may move the target by one period, wait for its time, or only brake."""
    if not np.isfinite(now) or (state.time is not None and now < state.time - _ROUNDING):
        reasons.append(f"clock: now {now} s after {state.time} s")
        time = state.time if not np.isfinite(now) else now
        return replace(state, command=None, time=time, due=(time or 0.0) + state.period), "brake"
    if state.time is None:
        return replace(state, time=now, due=now + state.period), "move"
    if now < state.due - EARLY * state.period - _ROUNDING:
        reasons.append(f"early: {state.due - now:.4f} s before its time")
        return state, "wait"
    if now - state.time > envelope.action_timeout:
        # No tick for so long that the arm has reached its target: motion starts again from rest.
        state = replace(state, velocity=np.zeros(3), command=None)
    late = now - state.due
    due = state.due + state.period if late <= LATE * state.period else now + state.period
    return replace(state, time=now, due=due), "move"


def _receive(
    envelope: SafetyEnvelope, state: GuardState, command: ArmCommand | None, now: float, reasons: list[str]
) -> GuardState:
    """Put a good new request in force; count bad ones; let an old one lapse."""
    if command is not None:
        problem = command_problem(command)
        if problem:
            reasons.append(problem)
            bad = state.bad_commands + 1
            state = replace(state, command=None, bad_commands=bad)
            if bad >= envelope.bad_commands_to_fault:
                state = _latch(state, "commands", f"commands: {bad} bad in a row, the last {problem}")
        else:
            state = replace(state, bad_commands=0)
            refusal = _refusal(envelope, state, command, now)
            reasons.extend([refusal] if refusal else [])
            state = state if refusal else replace(state, command=command)
    if state.command is not None:
        age = now - state.command.stamp_ns * 1e-9
        if not age <= envelope.action_timeout + _ROUNDING:
            reasons.append(f"action: {age:.3f} s old, limit {envelope.action_timeout:.3f}")
            state = replace(state, command=None)
    return state


def _refusal(envelope: SafetyEnvelope, state: GuardState, command: ArmCommand, now: float) -> str:
    """Why a well-formed request is not taken; empty when it is."""
    age = now - command.stamp_ns * 1e-9
    if not age <= envelope.action_timeout + _ROUNDING:
        return f"action: {age:.3f} s old, limit {envelope.action_timeout:.3f}"
    if age < -envelope.state_timeout:
        return f"action: stamped {-age:.3f} s ahead of the clock"
    last = state.command
    if last is not None and last.source == command.source and command.seq <= last.seq:
        return f"seq: {command.seq} is not after {last.seq}"
    return ""


def _watch(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, now: float, reasons: list[str]
) -> GuardState:
    """Judge the measured state: what is stale takes the motion away, what is wrong latches."""
    problem = state_problem(measured, now, envelope.state_timeout + _ROUNDING)
    if problem:
        reasons.append(problem)
        state = replace(state, command=None)
        if not now - measured.stamp_ns * 1e-9 <= STATE_LOST:
            state = _latch(state, "state", problem)
    elif is_outside(measured.tip_position, envelope).any():
        where = ", ".join(f"{x:.3f}" for x in measured.tip_position)
        state = _latch(state, "outside", f"outside: measured tip ({where}) m has left the box")
    if state.mode == "FAULT":
        reasons.append(state.fault_reason)
    return state


def _move(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reasons: list[str]
) -> GuardState:
    """Carry out one period of the request in force, or of stopping."""
    command = state.command
    if command is None:
        return _brake(envelope, state, "HOLD", reasons)
    wanted = np.asarray(command.velocity, dtype=np.float64)
    if state.mode == "FAULT":
        wanted = _way_back(envelope, state, command, measured)
        if not wanted.any():
            return _brake(envelope, state, "HOLD", reasons)
    if command.source != state.source and not state.at_rest:
        reasons.append(f"source: {state.source} stops before {command.source} begins")
        return _brake(envelope, state, "MOVING", reasons)
    state = replace(state, source=command.source)
    far = float(np.linalg.norm(measured.tip_position - state.tip_target))
    if state.at_rest and far > RESYNC_DISTANCE:
        reasons.append(f"resync: the arm is {far:.3f} m from its command, motion starts where it is")
        state = replace(state, tip_target=np.array(measured.tip_position, dtype=np.float64), resynced=True)
    limits = _limits(envelope, command.source)
    velocity, flags = limit_velocity(
        wanted[None], state.velocity[None], state.tip_target[None], limits, envelope, state.period
    )
    reasons.extend(_explain(flags, wanted, velocity[0], limits))
    target = advance(state.tip_target[None], velocity, limits, state.period)[0]
    mode: GuardMode = "FAULT" if state.mode == "FAULT" else "MOVING"
    gripper = float(np.clip(command.gripper, -1.0, 1.0))
    return replace(state, mode=mode, velocity=velocity[0], tip_target=target, gripper=gripper)


def _brake(envelope: SafetyEnvelope, state: GuardState, mode: GuardMode, reasons: list[str]) -> GuardState:
    """One period of the ramp to rest, within the walls of the source that was moving."""
    limits, stopping = _limits(envelope, state.source), _stopping(envelope)
    velocity, _ = limit_velocity(
        np.zeros((1, 3)), state.velocity[None], state.tip_target[None], limits, stopping, state.period
    )
    target = advance(state.tip_target[None], velocity, limits, state.period)[0]
    if state.mode == "FAULT":
        mode = "FAULT"
    elif mode == "HOLD" and state.at_rest and not reasons:
        mode = "IDLE"
    return replace(state, mode=mode, velocity=velocity[0], tip_target=target)


def _latch(state: GuardState, kind: FaultKind, reason: str) -> GuardState:
    if state.mode == "FAULT" and (state.fault != "outside" or kind == "outside"):
        return state
    # Anything graver than "outside" also ends the permission to move back inwards.
    return replace(state, mode="FAULT", fault=kind, fault_reason=reason, command=None)


def _way_back(
    envelope: SafetyEnvelope, state: GuardState, command: ArmCommand, measured: ArmState
) -> FloatArray:
    """The part (3,) of a request that brings an arm outside the box back in, all that a FAULT lets through.

    Only for a person or the reset motion: a policy does not move an arm in FAULT.
    """
    if state.fault != "outside" or command.source == "policy":
        return np.zeros(3)
    wanted, tip = np.asarray(command.velocity, dtype=np.float64), measured.tip_position
    below, above = tip < np.array(envelope.box_low), tip > np.array(envelope.box_high)
    return np.where((below & (wanted > 0.0)) | (above & (wanted < 0.0)), wanted, 0.0)


def _explain(flags: LimitFlags, wanted: FloatArray, velocity: FloatArray, limits: SourceLimits) -> list[str]:
    asked, got = float(np.linalg.norm(wanted)), float(np.linalg.norm(velocity))
    names = {
        "speed": f"speed: asked {asked:.3f} m/s, limit {limits.speed:.3f}",
        "box": f"box: asked {asked:.3f} m/s, slowed to {got:.3f} before a wall",
        "acceleration": f"acceleration: asked {asked:.3f} m/s, {got:.3f} in this period",
    }
    return [names[name] for name, on in zip(LimitFlags._fields, flags, strict=True) if on[0]]


@lru_cache(maxsize=64)
def _limits(envelope: SafetyEnvelope, source: CommandSource) -> SourceLimits:
    """The limits of `source`, its box cut to the hard box."""
    own = envelope.source(source)
    low = tuple(np.maximum(own.box_low, envelope.box_low).tolist())
    high = tuple(np.minimum(own.box_high, envelope.box_high).tolist())
    return SourceLimits(own.speed, low, high)


@lru_cache(maxsize=16)
def _stopping(envelope: SafetyEnvelope) -> SafetyEnvelope:
    """The envelope of a stop: harder deceleration, but walls approached as gently as in motion.

    `limit_velocity` derives the braking before a wall from both acceleration and brake zone; the wider zone keeps that
    figure what it is in motion, so that a motion resumed in the middle of a stop still finds every wall brakeable.
    """
    zone = max(envelope.brake_zone, envelope.speed_hard**2 * np.sqrt(3.0) / (2.0 * envelope.acceleration))
    return replace(envelope, acceleration=envelope.stop_deceleration, brake_zone=float(zone))
