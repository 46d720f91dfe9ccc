"""The last thing before every arm: a pure state machine that turns a request into a motion that is always allowed.

No clock, no input or output, nothing remembered outside `GuardState`. What it promises, whatever it is given:

- the commanded tip stays in the box of the source that asks, inside the hard box; from outside it only moves inwards;
- speed, acceleration and jerk stay within the envelope (`stop_deceleration` while stopping), joints within theirs, and
  every part of the arm above the table and in its box;
- silence, old input, a clock that jumps and commands that are not numbers end in a held arm, contact in a way back;
- a FAULT stays until a person resets it, and the robot's own stop until it is armed again.

Read `guard_state` (modes, what people do), then `guard_clock`, `guard_watch`, `guard_force`, `limits` (the tip) and
`guard_joints`. All stamps and `now` are on one clock, that of the driver.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmps_robot.control.guard_checks import command_problem, stale
from gmps_robot.control.guard_clock import tick_of
from gmps_robot.control.guard_force import follow, is_pressed, remember
from gmps_robot.control.guard_joints import Joints, forbidden, held_back, joints_after, joints_now, slow_down
from gmps_robot.control.guard_state import GuardMode, GuardState, at_measured, latch, strayed
from gmps_robot.control.guard_watch import mirror, watch
from gmps_robot.control.kinematics import rotation_from_quaternion
from gmps_robot.control.limits import (
    LimitFlags,
    advance,
    differ,
    ease,
    limit_velocity,
    limits_of,
    shorten,
    stopping,
)
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, FloatArray, SafetyEnvelope, SourceLimits

UNREACHED = 0.01  # commanded joints this far from the commanded tip cannot reach it [m]
STUCK = 0.002  # a way back on which the limits leave no more than this is given up [m/s]
COAST = 0.033  # what a servo runs on before it stands, as time at its speed [s]
FREED = 0.008  # so far back from a contact it is no longer felt [m]
CAUTION = (0.75, 0.5, 0.25, 0.0)  # shares between the wanted step and braking that are tried near a limit


def guard(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, command: ArmCommand | None, now: float
) -> tuple[GuardState, AppliedCommand]:
    """Advance by one control period and return what may really be commanded.

    Args:
        envelope: the limits of rig and family.
        state: what the previous call returned, or `starting_at`.
        measured: latest measured arm state.
        command: a new request, or None for silence. A request stays in force until it lapses.
        now: the driver's clock [s].

    What to command is in the new state: `joints`, or `joint_velocity` for this period. Never raises for bad input: it
    holds, and `reasons` of the result say why, each as `name: values`.
    """
    reasons: list[str] = []
    state, tick = tick_of(envelope, state, now, reasons)
    state = _receive(envelope, state, command if tick != "brake" else None, now, reasons)
    state = mirror(state, measured, reasons)
    state = watch(envelope, state, measured, now, reasons)
    if tick == "brake" or state.blind:
        state = replace(state, retreat=())
    if tick != "wait" and state.armed:
        state = _move(envelope, state, measured, reasons)
        state = state if state.at_rest else replace(state, moved=state.time or 0.0)
    stamp = round(now * 1e9) if np.isfinite(now) else measured.stamp_ns
    seq = state.command.seq if state.command is not None else -1
    applied = AppliedCommand(
        stamp, seq, state.velocity.copy(), state.gripper, state.tip_target.copy(), tuple(dict.fromkeys(reasons))
    )
    return state, applied


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
            refusal = stale(envelope, command, now) or _replayed(state, command)
            reasons.extend([refusal] if refusal else [])
            kept = (state.command, state.last) if refusal else (command, command)
            state = replace(state, bad_commands=0, command=kept[0], last=kept[1])
    lapsed = state.command is not None and stale(envelope, state.command, now)
    if lapsed:
        reasons.append(lapsed)
        state = replace(state, command=None)
    return state


def _replayed(state: GuardState, command: ArmCommand) -> str:
    """Why a request is not newer than the last one of its source; empty when it is. A sender may start anew at 1."""
    last = state.last
    if last is None or last.source != command.source or command.seq > last.seq:
        return ""
    in_force = state.command is not None
    return f"seq: {command.seq} is not after {last.seq}" if in_force or command.stamp_ns <= last.stamp_ns else ""


def _move(envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    """Carry out one period of the request in force, of the way back from a contact, or of stopping."""
    command = state.command
    if state.retreat:
        return _retreat(envelope, state, measured, reasons)
    if command is None:
        return _stop(envelope, state, measured, reasons)
    wanted = np.asarray(command.velocity, dtype=np.float64)
    if state.mode == "FAULT":
        wanted = _way_inside(envelope, state, command, measured)
    stopping = state.mode == "FAULT" or (state.stopping and not state.at_rest)
    if stopping and not wanted.any():  # who asks for rest does not make a stop softer that has begun
        return _stop(envelope, state, measured, reasons)
    if command.source != state.source and not state.at_rest:
        reasons.append(f"source: {state.source} stops before {command.source} begins")
        return replace(_brake(envelope, state), mode=state.mode)
    if state.at_rest and (far := strayed(state, measured)):
        reasons.append(f"resync: the arm is {far} from its command, motion starts where it is")
        state = replace(at_measured(state, measured), command=command)
    mode: GuardMode = "FAULT" if state.mode == "FAULT" else "MOVING"
    gripper, path = float(np.clip(command.gripper, -1.0, 1.0)), remember(state.path, state.tip_target)
    state = replace(
        state, mode=mode, source=command.source, gripper=gripper, path=path, stopping=False, attitude=_attitude(command)
    )
    return _advance(envelope, state, wanted, reasons)


def _advance(envelope: SafetyEnvelope, state: GuardState, wanted: FloatArray, reasons: list[str]) -> GuardState:
    """Move by one period as near to velocity `wanted` (3,) as every limit lets it."""
    limits, now = limits_of(envelope, state.source), state.known or joints_now(envelope, state.joints)
    velocity, flags = _tip_velocity(envelope, state, wanted, limits)
    after = _joints(envelope, state, now, velocity, limits)
    share, near = slow_down(envelope, now, after)
    if share < 1.0:
        reasons.append(f"{near}: near its limit, slowed to {share:.2f}")
        slower = shorten(wanted[None], min(limits.speed, envelope.speed_hard))[0] * share
        velocity, flags = _tip_velocity(envelope, state, slower, limits)
        after = _joints(envelope, state, now, velocity, limits)
    why = forbidden(envelope, now, after, float(np.linalg.norm(velocity)), state.period)
    reasons.extend(_explain(flags, wanted, velocity, limits))
    if why:
        reasons.append(f"{why}: at its limit, held back")
        velocity, after = _careful(envelope, state, now, velocity, limits)
    return _at(state, now, after, velocity, limits, (velocity - state.velocity) / state.period)


def _careful(
    envelope: SafetyEnvelope, state: GuardState, now: Joints, velocity: FloatArray, limits: SourceLimits
) -> tuple[FloatArray, Joints]:
    """The largest step between braking and `velocity` (3,) that is not forbidden; at rest none, if need be."""
    braking, state = _braking(envelope, state, limits), _not_turning(state, now)
    for share in CAUTION:
        tried = braking + share * (velocity - braking)
        after = _joints(envelope, state, now, tried, limits)
        if not forbidden(envelope, now, after, float(np.linalg.norm(tried)), state.period):
            return tried, after
    return (tried, now) if state.at_rest else (tried, held_back(envelope, now, after, state.period))


def _stop(envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    """One period of HOLD or FAULT: the ramp to rest, from where the arm is and not from where it was sent."""
    mode: GuardMode = "FAULT" if state.mode == "FAULT" else "HOLD"
    if state.at_rest:
        mode = "ARMED" if mode == "HOLD" and not reasons else mode
        return replace(state, mode=mode, joint_velocity=np.zeros(7), acceleration=np.zeros(3))
    if not state.stopping and not state.blind:
        state = _stopping_here(envelope, state, measured)
    return replace(_brake(envelope, state), mode=mode, stopping=True)


def _stopping_here(envelope: SafetyEnvelope, state: GuardState, measured: ArmState) -> GuardState:
    """Begin the ramp to rest from where the arm is.

    It lags behind its command by its servos; what is still to come of that is motion nobody wants now. The ramp ends
    `COAST` ahead of the arm: told to stop any shorter, a position servo swings back.
    """
    speed = float(np.linalg.norm(measured.tip_velocity))
    velocity = shorten(state.velocity[None], speed)[0]
    drop = envelope.stop_deceleration * state.period
    periods = int(np.linalg.norm(velocity) / drop)
    ramp = state.period * (periods * float(np.linalg.norm(velocity)) - drop * periods * (periods + 1) / 2.0)
    coast = max(0.0, COAST - ramp / max(speed, 1e-9))
    ahead = measured.joints + coast * measured.joint_velocities
    return replace(at_measured(state, replace(measured, joints=ahead)), velocity=velocity)


def _brake(envelope: SafetyEnvelope, state: GuardState) -> GuardState:
    """One period of the ramp to rest, within the walls of the source that was moving."""
    limits, now = limits_of(envelope, state.source), state.known or joints_now(envelope, state.joints)
    velocity, state = _braking(envelope, state, limits), _not_turning(state, now)
    after = held_back(envelope, now, _joints(envelope, state, now, velocity, limits), state.period)
    return _at(state, now, after, velocity, limits, np.zeros(3))


def _retreat(envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    """One period of the way back from a contact, after the arm has come to rest."""
    if not state.at_rest and state.source != "reset":
        return _stop(envelope, state, measured, reasons)
    wanted, retreat = follow(
        state.retreat, state.tip_target, envelope.reset.speed, envelope.acceleration, state.period
    )
    away = float(np.linalg.norm(measured.tip_position - state.contact))  # the command is ahead of the arm
    pressed = away > FREED and is_pressed(state.force, state.torque, envelope)  # by something behind the arm
    if not retreat or pressed:
        return _stop(envelope, replace(state, retreat=()), measured, reasons)
    moved = _advance(envelope, replace(state, retreat=retreat, source="reset", stopping=False), wanted, reasons)
    blocked = max(np.linalg.norm(state.velocity), np.linalg.norm(moved.velocity)) < STUCK  # twice: it may turn round
    return replace(moved, retreat=()) if blocked else moved


def _tip_velocity(
    envelope: SafetyEnvelope, state: GuardState, wanted: FloatArray, limits: SourceLimits
) -> tuple[FloatArray, LimitFlags]:
    """The tip velocity (3,) that speed, jerk, acceleration and walls leave of `wanted` (3,), and which of them did."""
    previous, asked = state.velocity[None], wanted[None]
    eased = ease(asked, previous, state.acceleration[None], limits, envelope, state.period)
    velocity, flags = limit_velocity(eased, previous, state.tip_target[None], limits, envelope, state.period)
    slow = shorten(asked, min(limits.speed, envelope.speed_hard))
    changing = flags.acceleration | (differ(eased, asked) & differ(eased, slow))
    return velocity[0], LimitFlags(differ(slow, asked), flags.box, changing)


def _braking(envelope: SafetyEnvelope, state: GuardState, limits: SourceLimits) -> FloatArray:
    """The tip velocity (3,) of the next period of a stop."""
    previous, target = state.velocity[None], state.tip_target[None]
    velocity, _ = limit_velocity(np.zeros((1, 3)), previous, target, limits, stopping(envelope), state.period)
    return np.asarray(velocity[0])


def _joints(
    envelope: SafetyEnvelope, state: GuardState, now: Joints, velocity: FloatArray, limits: SourceLimits
) -> Joints:
    target = advance(state.tip_target[None], velocity[None], limits, state.period)[0]
    return joints_after(envelope, now, target, state.period, state.attitude)


def _attitude(command: ArmCommand) -> FloatArray | None:
    """What the tool is to turn to (3, 3); only the slow motions between tasks may turn it."""
    if command.attitude is None or command.source != "reset":
        return None
    x, y, z, w = command.attitude
    return rotation_from_quaternion((w, x, y, z))


def _not_turning(state: GuardState, now: Joints) -> GuardState:
    """Where an attitude was asked for, stopping keeps the one there is."""
    return state if state.attitude is None else replace(state, attitude=now.pose.rotation[0])


def _at(
    state: GuardState, now: Joints, after: Joints, velocity: FloatArray, limits: SourceLimits, acceleration: FloatArray
) -> GuardState:
    """Return `state` one period of `velocity` (3,) later, with joints `after`."""
    target = advance(state.tip_target[None], velocity[None], limits, state.period)[0]
    if float(np.linalg.norm(after.pose.position[0] - target)) > UNREACHED:
        target, velocity = after.pose.position[0].copy(), np.zeros(3)  # the joints cannot follow: no further ahead
    turned = (after.angles - now.angles) / state.period
    return replace(
        state, velocity=velocity, acceleration=acceleration, tip_target=target, joints=after.angles, known=after,
        joint_velocity=turned,
    )


def _way_inside(
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
