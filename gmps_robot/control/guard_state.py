"""What the guard remembers, and the acts of people that change it: arm, stop, reset. All pure.

Modes, from what the robot says about itself to what it is asked to do:

- DISCONNECTED, DISABLED: no link, motors off. IDLE: motors on, but nobody has armed the arm: no command moves it.
- ARMED: fit, nothing asked. MOVING. HOLD: something took the motion away; a good command ends it.
- FAULT: latched, held until a person resets it. ESTOP: the robot's own stop was seen; it ends in two acts, a reset
  once the robot is released, and arming again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from gmps_robot.control.guard_checks import as_numbers, numbers_problem
from gmps_robot.control.guard_force import Force, Path, Torque, tare, tare_torque
from gmps_robot.control.guard_joints import Joints
from gmps_robot.control.kinematics import forward
from gmps_robot.errors import ArmError, ObservationError
from gmps_robot.types import ArmCommand, ArmState, CommandSource, FloatArray

GuardMode = Literal["DISCONNECTED", "DISABLED", "IDLE", "ARMED", "MOVING", "HOLD", "FAULT", "ESTOP"]
FaultKind = Literal["", "stop", "commands", "state", "outside", "tracking", "force", "robot", "collision"]
WITH_CONTACT = ("outside", "force", "collision")  # what comes with a contact, and does not end the way back from it

RESYNC_DISTANCE = 0.01  # an arm at rest this far from its command was moved by something else [m]
RESYNC_JOINT = 0.06  # and so was one with a joint this far; servos under load stay within two thirds of it [rad]
REST = 1e-6  # what is commanded slower than this is rest: limits leave a rounding behind [m/s]


@dataclass(frozen=True)
class GuardState:
    """Everything the guard remembers. Make the first one with `starting_at`."""

    joints: FloatArray  # (7,) commanded [rad]
    tip_target: FloatArray  # (3,) commanded tip [m]
    period: float  # control period of the driver [s]
    mode: GuardMode = "DISABLED"
    armed: bool = False  # a person has armed the arm since it last lost its fitness
    velocity: FloatArray = field(default_factory=lambda: np.zeros(3))  # (3,) commanded [m/s]
    acceleration: FloatArray = field(default_factory=lambda: np.zeros(3))  # (3,) of the last period of motion [m/s^2]
    joint_velocity: FloatArray = field(default_factory=lambda: np.zeros(7))  # (7,) commanded in this period [rad/s]
    known: Joints | None = None  # what follows from `joints`, None where that has to be computed
    gripper: float = 0.0
    source: CommandSource = "policy"  # whose limits the motion obeys
    attitude: FloatArray | None = None  # (3, 3) what the tool turns to; None: the attitude that every task keeps
    command: ArmCommand | None = None  # the request in force, until it lapses
    last: ArmCommand | None = None  # the last request taken, also when it is no longer in force
    bad_commands: int = 0  # consecutive
    fault: FaultKind = ""
    fault_reason: str = ""
    time: float | None = None  # of the last tick [s]
    due: float = 0.0  # when the next tick is due [s]
    overruns: tuple[float, ...] = ()  # times of late ticks within the last second [s]
    force: Force = field(default_factory=Force)
    torque: Torque = field(default_factory=Torque)
    path: Path = ()  # where the commanded tip came from
    retreat: Path = ()  # what is left of the way back from a contact
    contact: FloatArray = field(default_factory=lambda: np.zeros(3))  # (3,) where that way began [m]
    moved: float = -np.inf  # when a motion was commanded last [s]
    blind: bool = False  # the measured state was not usable in this tick
    stopping: bool = False  # the ramp to rest has begun
    resynced: bool = False  # the commanded joints were set to the measured ones in this tick

    @property
    def at_rest(self) -> bool:
        """Whether nothing is commanded to move."""
        return float(np.abs(self.velocity).max()) < REST


def starting_at(joints: FloatArray, period: float, gripper: float = 0.0) -> GuardState:
    """Return the state of an arm at rest at measured `joints` (7,) [rad], called every `period` [s]; not armed.

    Raises:
        ObservationError: `joints` are not seven finite numbers.
    """
    start = np.array(joints, dtype=np.float64)
    if start.shape != (7,) or not np.isfinite(start).all():
        raise ObservationError(f"the guard cannot start at joints {joints!r}: expected 7 finite numbers in radians")
    return GuardState(joints=start, tip_target=_tip(start), period=period, gripper=gripper)


def arm(state: GuardState, measured: ArmState) -> GuardState:
    """Allow commands, from now on and from where the arm is measured.

    Raises:
        ArmError: the robot is not fit to move, or a FAULT or stop has not been reset.
    """
    status = measured.status
    if state.mode in ("FAULT", "ESTOP"):
        raise ArmError(f"the arm is not armed: {state.mode}, {state.fault_reason}; reset it first")
    lacking = [
        words
        for words, missing in (
            ("no link to the robot", not status.connected),
            ("the robot's own stop is in force", status.stopped),
            ("the robot reports a fault", status.error),
            ("motors are off", not status.enabled),
            ("kinematics or joint limits do not agree with the model", not status.verified),
            (numbers_problem(measured), bool(numbers_problem(measured))),
        )
        if missing
    ]
    if lacking:
        raise ArmError(f"the arm is not armed: {', '.join(lacking)}{': ' if status.detail else ''}{status.detail}")
    return replace(
        at_measured(state, measured), mode="ARMED", armed=True, bad_commands=0, path=(),
        force=tare(state.force, measured.wrench), torque=tare_torque(state.torque, measured.residual_torque),
    )


def stop(state: GuardState, reason: str) -> GuardState:
    """Latch FAULT: the next ticks bring the arm to rest and keep it there. The first reason is the one kept.

    What a person stops does not move any more: also the way back from a contact ends here.
    """
    return replace(latch(state, "stop", f"stop: {reason}"), retreat=())


def reset_fault(state: GuardState) -> GuardState:
    """Leave FAULT or ESTOP. A cause that still lasts latches again in the next tick.

    After a FAULT the arm holds until the next command; after ESTOP it has to be armed again.
    """
    if state.mode not in ("FAULT", "ESTOP"):
        return state
    mode: GuardMode = "HOLD" if state.armed else "IDLE"
    return replace(state, mode=mode, fault="", fault_reason="", bad_commands=0, command=None, retreat=())


def latch(state: GuardState, kind: FaultKind, reason: str) -> GuardState:
    """Return `state` in FAULT. The first fault is kept, but any other ends the permission to move back inwards.

    One that has nothing to do with a contact ends the way back from it, too.
    """
    if state.mode == "ESTOP" or (state.mode == "FAULT" and (state.fault != "outside" or kind == "outside")):
        return state if kind in WITH_CONTACT else replace(state, retreat=())
    return replace(state, mode="FAULT", fault=kind, fault_reason=reason, command=None, retreat=())


def at_measured(state: GuardState, measured: ArmState) -> GuardState:
    """Return `state` at rest where the arm is measured, if it is measured at all: the next motion starts there."""
    joints = as_numbers(measured.joints)
    if joints is None or joints.shape != (7,) or not np.isfinite(joints).all():
        joints = state.joints
    return replace(
        state, joints=joints.copy(), tip_target=_tip(joints), velocity=np.zeros(3), acceleration=np.zeros(3),
        joint_velocity=np.zeros(7), known=None, command=None, resynced=True,
    )


def strayed(state: GuardState, measured: ArmState) -> str:
    """How the arm is not where it was sent, in words; empty where it is, or where that is not known."""
    if numbers_problem(measured):
        return ""
    far = float(np.linalg.norm(measured.tip_position - state.tip_target))
    turned = float(np.abs(measured.joints - state.joints).max())
    if far > RESYNC_DISTANCE:
        return f"{far:.3f} m"
    return f"{turned:.2f} rad in a joint" if turned > RESYNC_JOINT else ""


def _tip(joints: FloatArray) -> FloatArray:
    return np.array(forward(joints[None]).position[0])
