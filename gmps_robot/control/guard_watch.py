"""What the robot reports: its own state, whether that is fresh, and whether the arm is where and what it should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmps_robot.control.guard_checks import ROUNDING, is_outside, state_problem
from gmps_robot.control.guard_force import JOINT_NAMES, feel, feel_torque, force_problem, torque_problem, way_back
from gmps_robot.control.guard_state import FaultKind, GuardMode, GuardState, at_measured, latch
from gmps_robot.types import ArmState, ArmStatus, SafetyEnvelope

DRIVEN = 0.3  # at rest for longer, an arm was not driven into what it feels [s]
JOINT_BEHIND = 0.25  # a moving arm with a joint this far from its command is held by something [rad]
OVERSPEED = 1.2  # a moving arm this many times faster than the hard cap does not follow its command


def mirror(state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    """Follow what the robot says about itself. Whatever ends its fitness ends the arming too."""
    status, armed = measured.status, state.armed
    trouble = _trouble(status, armed)
    if status.stopped and state.mode != "ESTOP":
        reason = f"estop: {_why(status, 'the robot is stopped')}"
        state = replace(state, mode="ESTOP", fault="robot", fault_reason=reason, retreat=())
    elif trouble is not None:
        state = latch(state, *trouble)
    fit = status.connected and status.enabled and status.verified and state.mode != "ESTOP"
    if armed and not fit:
        state = replace(at_measured(state, measured), armed=False)
    if state.mode in ("FAULT", "ESTOP"):
        reasons.append(state.fault_reason)
    elif not state.armed:
        mode: GuardMode = "DISCONNECTED" if not status.connected else "IDLE" if status.enabled else "DISABLED"
        reasons.extend([f"arm: {mode}, enable it first"] if state.command is not None else [])
        state = replace(state, mode=mode)
    return state if state.armed else replace(state, command=None)


def watch(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, now: float, reasons: list[str]
) -> GuardState:
    """Judge the measured state of an armed arm: what is stale takes the motion away, what is wrong latches."""
    problem = state_problem(measured, now, envelope.state_timeout + ROUNDING)
    state = replace(state, blind=bool(problem))
    if not problem:
        force = feel(state.force, measured.wrench, state.period, envelope.force_filter)
        torque = feel_torque(state.torque, measured.residual_torque, state.period, envelope.force_filter)
        state = replace(state, force=force, torque=torque)
    if not state.armed:
        return state
    if problem:
        reasons.append(problem)
        state = replace(state, command=None)
        if not now - measured.stamp_ns * 1e-9 <= envelope.state_lost:
            state = latch(state, "state", problem)
    else:
        state = _judge(envelope, state, measured, reasons)
    if state.mode == "FAULT":
        reasons.append(state.fault_reason)
    return state


def _judge(envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reasons: list[str]) -> GuardState:
    contact = force_problem(state.force, envelope) or torque_problem(state.torque, envelope)
    if contact and (state.mode != "FAULT" or state.fault == "outside"):
        return _contact(envelope, state, measured, contact)
    if state.force.level > envelope.force_warning:
        reasons.append(f"force: {state.force.level:.0f} N, warning at {envelope.force_warning:.0f}")
    returning = state.fault == "outside" and not state.stopping and not state.at_rest
    if is_outside(measured.tip_position, envelope).any():
        where = ", ".join(f"{x:.3f}" for x in measured.tip_position)
        what_to_do = "bring it back by hand or by teleoperation"
        state = latch(state, "outside", f"outside: measured tip ({where}) m has left the box; {what_to_do}")
    return _follows(envelope, state, measured) if state.mode == "MOVING" or returning else state


def _contact(envelope: SafetyEnvelope, state: GuardState, measured: ArmState, reason: str) -> GuardState:
    """FAULT, and the way back of an arm that was driven into something: one at rest was touched, and stays."""
    driven = (state.time or 0.0) - state.moved <= DRIVEN
    retreat, path = way_back(state.path, measured.tip_position, envelope.back_off) if driven else ((), state.path)
    # Whoever moved the arm into it, homing too, comes to rest before the way back begins: that one is "reset".
    state = replace(latch(state, "force", reason), source="teleop", stopping=False)
    return replace(state, retreat=retreat, path=path, contact=measured.tip_position)


def _follows(envelope: SafetyEnvelope, state: GuardState, measured: ArmState) -> GuardState:
    """FAULT where a moving arm does not go where, and as fast as, it is sent."""
    speed = float(np.linalg.norm(measured.tip_velocity))
    if speed > OVERSPEED * envelope.speed_hard:
        return latch(state, "tracking", f"speed: the tip moves at {speed:.2f} m/s, cap {envelope.speed_hard:.2f}")
    if state.at_rest:
        return state
    behind = float(np.linalg.norm(measured.tip_position - state.tip_target))
    if behind > envelope.tracking_tolerance:
        return latch(state, "tracking", f"tracking: the tip is {behind:.3f} m from where it was sent; what holds it?")
    apart = np.abs(measured.joints - state.joints)
    joint = int(np.argmax(apart))
    if apart[joint] > JOINT_BEHIND:
        where = f"{JOINT_NAMES[joint]} is {apart[joint]:.2f} rad from where it was sent"
        return latch(state, "tracking", f"tracking: {where}; what holds it?")
    return state


def _trouble(status: ArmStatus, armed: bool) -> tuple[FaultKind, str] | None:
    if armed and not status.connected:
        return "state", f"state: {_why(status, 'the link to the robot is lost')}"
    if status.error:
        return "robot", f"robot: {_why(status, 'it reports a fault of its own')}"
    if armed and status.collision:
        return "collision", f"collision: {_why(status, 'the robot has felt one')}"
    if armed and not status.verified:
        return "robot", f"robot: {_why(status, 'kinematics or joint limits are not those of the model')}"
    return None


def _why(status: ArmStatus, words: str) -> str:
    return f"{words} ({status.detail})" if status.detail else words
