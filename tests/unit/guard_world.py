"""A clock, an arm that follows its command at once, and the guard between them: what the guard's tests play with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import numpy as np

from gmps_robot.control import guard as guard_module
from gmps_robot.control.guard_state import GuardState, arm, starting_at
from gmps_robot.control.kinematics import forward, ik_step, joints_at
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, SafetyEnvelope, SourceLimits
from tests.unit.guard_mutations import loosened

PERIOD = 0.05
MUTANT = os.environ.get("GUARD_MUTANT", "")  # the limit that `scripts/guard_mutants.py` has loosened
BOX = ((0.36, -0.22, 0.02), (0.84, 0.22, 0.035))
HARD = ((0.34, -0.24, 0.015), (0.86, 0.24, 0.30))
ENVELOPE = SafetyEnvelope(
    *HARD, SourceLimits(0.20, *BOX), SourceLimits(0.20, *HARD), SourceLimits(0.15, *HARD)
)
START_JOINTS = joints_at((0.40, 0.0, 0.025))
START = forward(START_JOINTS[None]).position[0]


def arm_state(joints: np.ndarray, now: float) -> ArmState:
    """An arm at rest at `joints` (7,), measured at `now` [s]."""
    upright, tip = np.array([0.0, 0.0, 0.0, 1.0]), forward(joints[None]).position[0]
    return ArmState(
        round(now * 1e9), joints.copy(), np.zeros(7), tip, upright, np.zeros(3), np.zeros(6), 0.0,
        residual_torque=np.zeros(7),
    )  # fmt: skip


def armed_at(joints: np.ndarray, period: float = PERIOD) -> GuardState:
    """The guard of an arm at rest at `joints` (7,), armed."""
    return arm(starting_at(joints, period), arm_state(joints, 0.0))


def pushed(joints: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The joints (7,) after somebody pushed the tip by `offset` (3,) [m]."""
    if not offset.any():
        return joints
    target, moved = forward(joints[None]).position + offset, joints[None]
    for _ in range(40):
        moved = ik_step(moved, target)
    return moved[0]


def request(velocity: object, seq: int, now: float, source: str = "policy", gripper: object = 0.0) -> ArmCommand:
    """A command stamped `now` [s]; deliberately takes anything as velocity, gripper and source."""
    return ArmCommand(round(now * 1e9), seq, source, velocity, gripper)  # type: ignore[arg-type]


def in_force(envelope: SafetyEnvelope) -> SafetyEnvelope:
    """The envelope that the guard under test is given: the one asked for, or that with one limit loosened."""
    return loosened(envelope, MUTANT) if MUTANT else envelope


def guard(
    envelope: SafetyEnvelope, state: GuardState, measured: ArmState, command: ArmCommand | None, now: float
) -> tuple[GuardState, AppliedCommand]:
    """The guard under test."""
    return guard_module.guard(in_force(envelope), state, measured, command, now)


@dataclass
class World:
    """Calls the guard once per period; `pushed` [m] displaces the measured tip from the commanded one."""

    state: GuardState = field(default_factory=lambda: armed_at(START_JOINTS))
    now: float = 100.0
    seq: int = 0
    envelope: SafetyEnvelope = ENVELOPE
    pushed: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @property
    def period(self) -> float:
        """Control period [s]."""
        return self.state.period

    def send(
        self, velocity: object, source: str = "policy", /, measured: ArmState | None = None, **changes: object
    ) -> AppliedCommand:
        """Send one good (or, through `changes`, bad) command at the present time and advance the clock."""
        self.seq += 1
        command = replace(request(velocity, self.seq, self.now, source), **changes)  # type: ignore[arg-type]
        return self.tick(command, measured)

    def tick(self, command: ArmCommand | None = None, measured: ArmState | None = None) -> AppliedCommand:
        """One call of the guard with `command`, then one period passes."""
        seen = self.seen() if measured is None else measured
        self.state, applied = guard(self.envelope, self.state, seen, command, self.now)
        self.now += self.period
        return applied

    def seen(self, **changes: object) -> ArmState:
        """What the arm measures now, with `changes`."""
        return replace(arm_state(pushed(self.state.joints, self.pushed), self.now), **changes)  # type: ignore[arg-type]

    def names(self, applied: AppliedCommand) -> set[str]:
        """The short names of the reasons."""
        return {reason.split(":")[0] for reason in applied.reasons}
