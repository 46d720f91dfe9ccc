"""The last thing before every arm: a pure state machine that turns a request into a motion that is always allowed.

No clock, no input or output, nothing remembered outside `GuardState`. What it promises, whatever it is given:

- the commanded tip stays in the box of the source that asks, inside the hard box; from outside it only moves inwards;
- speed and acceleration stay within the envelope (`stop_deceleration` while stopping);
- silence, old input, a clock that jumps and commands that are not numbers end in a held arm;
- a FAULT stays until a person resets it.

Modes and the acts that change them are in `guard_state`. All stamps and `now` are on one clock, that of the driver.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np

from gmps_robot.control.guard_checks import command_problem, is_outside, state_problem
from gmps_robot.control.guard_state import GuardMode, GuardState, at_measured, latch
from gmps_robot.control.kinematics import ik_step
from gmps_robot.control.limits import LimitFlags, advance, limit_velocity
from gmps_robot.types import (
    AppliedCommand,
    ArmCommand,
    ArmState,
    CommandSource,
    FloatArray,
    SafetyEnvelope,
    SourceLimits,
)

Tick = Literal["move", "wait", "brake"]

RESYNC_DISTANCE = 0.01  # an arm at rest this far from its command was moved by something else [m]
STATE_LOST = 0.5  # a robot that reports nothing for this long is a FAULT [s]
EARLY = 0.25  # a call may come this share of a period before its time
LATE = 0.5  # lateness up to this share of a period is caught up, so that jitter costs no distance
_ROUNDING = 1e-6  # [s]


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
    state = _mirror(state, measured, reasons)
    state = _watch(envelope, state, measured, now, reasons)
    if tick != "wait" and state.armed:
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
                state = latch(state, "commands", f"commands: {bad} bad in a row, the last {problem}")
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


def _mirror(state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    """Follow what the robot says about itself. Whatever ends its fitness ends the arming too."""
    status, armed = measured.status, state.armed
    why = f": {status.detail}" if status.detail else ""
    if status.stopped and state.mode != "ESTOP":
        reason = f"estop: the robot's own stop is in force{why}"
        state = replace(state, mode="ESTOP", fault="robot", fault_reason=reason)
    elif armed and not status.connected:
        state = latch(state, "state", f"state: the link to the robot is lost{why}")
    elif status.error:
        state = latch(state, "robot", f"robot: the robot reports a fault{why}")
    elif armed and status.collision:
        state = latch(state, "collision", f"collision: the robot has felt a collision{why}")
    elif armed and not status.verified:
        state = latch(state, "robot", f"robot: not the arm that the model describes{why}")
    fit = status.connected and status.enabled and status.verified and state.mode != "ESTOP"
    if not fit and armed:
        state = replace(at_measured(state, measured), armed=False)
    if not state.armed:
        reasons.extend(["arm: not armed, commands do not move it"] if state.command is not None else [])
        state = replace(state, command=None)
    if not state.armed and state.mode not in ("FAULT", "ESTOP"):
        mode: GuardMode = "DISCONNECTED" if not status.connected else "IDLE" if status.enabled else "DISABLED"
        state = replace(state, mode=mode)
    elif state.mode in ("FAULT", "ESTOP"):
        reasons.append(state.fault_reason)
    return state


def _watch(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, now: float, reasons: list[str]
) -> GuardState:
    """Judge the measured state of an armed arm: what is stale takes the motion away, what is wrong latches."""
    if not state.armed:
        return state
    problem = state_problem(measured, now, envelope.state_timeout + _ROUNDING)
    if problem:
        reasons.append(problem)
        state = replace(state, command=None)
        if not now - measured.stamp_ns * 1e-9 <= STATE_LOST:
            state = latch(state, "state", problem)
    elif is_outside(measured.tip_position, envelope).any():
        where = ", ".join(f"{x:.3f}" for x in measured.tip_position)
        state = latch(state, "outside", f"outside: measured tip ({where}) m has left the box")
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
        state = replace(at_measured(state, measured), command=command)
    limits = _limits(envelope, command.source)
    velocity, flags = limit_velocity(
        wanted[None], state.velocity[None], state.tip_target[None], limits, envelope, state.period
    )
    reasons.extend(_explain(flags, wanted, velocity[0], limits))
    target = advance(state.tip_target[None], velocity, limits, state.period)
    mode: GuardMode = "FAULT" if state.mode == "FAULT" else "MOVING"
    return replace(
        state, mode=mode, velocity=velocity[0], tip_target=target[0], joints=ik_step(state.joints[None], target)[0],
        gripper=float(np.clip(command.gripper, -1.0, 1.0)),
    )


def _brake(envelope: SafetyEnvelope, state: GuardState, mode: GuardMode, reasons: list[str]) -> GuardState:
    """One period of the ramp to rest, within the walls of the source that was moving."""
    limits, stopping = _limits(envelope, state.source), _stopping(envelope)
    velocity, _ = limit_velocity(
        np.zeros((1, 3)), state.velocity[None], state.tip_target[None], limits, stopping, state.period
    )
    target = advance(state.tip_target[None], velocity, limits, state.period)
    if state.mode == "FAULT":
        mode = "FAULT"
    elif mode == "HOLD" and state.at_rest and not reasons:
        mode = "ARMED"
    joints = ik_step(state.joints[None], target)[0]
    return replace(state, mode=mode, velocity=velocity[0], tip_target=target[0], joints=joints)


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
