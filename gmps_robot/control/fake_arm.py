"""FakeArm: an ideal arm without physics, for tests and rehearsals, behind the same guard as the twin and the robot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gmps_robot.control.guard import GuardState, guard, reset_fault, starting_at, stop
from gmps_robot.control.homing import home_velocity, is_home
from gmps_robot.control.kinematics import forward, ik_step, joints_at
from gmps_robot.errors import SimulationError
from gmps_robot.families.family import Family
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, FloatArray, SafetyEnvelope

_HOMING_LIMIT = 30.0  # no way home inside a rig's box takes longer [s]
_OPENING = 0.08  # between the pads of a fully open gripper [m]


class FakeArm:
    """Joints follow their commands exactly and at once. `clock` gives seconds; `sleep` lets them pass.

    The measured state can be spoilt on purpose: `state_delay` [s] makes it old, `push` (3,) [m] displaces the tip.
    """

    def __init__(self, family: Family, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Put the arm at the family's start."""
        self._family, self._clock, self._sleep = family, clock, sleep
        self._period = 1.0 / family.control_hz
        self._joints = joints_at(family.start_tip)
        self._velocities = np.zeros(7)
        self._state = starting_at(self._tip(), self._period)
        self._seq = 0
        self.state_delay = 0.0
        self.push = np.zeros(3)

    @property
    def limits(self) -> SafetyEnvelope:
        """The envelope this arm obeys."""
        return self._family.envelope

    @property
    def guard_state(self) -> GuardState:
        """What the guard remembers: mode, fault and its reason."""
        return self._state

    def observe(self) -> ArmState:
        """Return the state now."""
        return ArmState(
            stamp_ns=round((self._clock() - self.state_delay) * 1e9),
            joints=self._joints.copy(),
            joint_velocities=self._velocities.copy(),
            tip_position=self._tip() + self.push,
            tip_quaternion=_quaternion(forward(self._joints[None]).rotation[0]),
            tip_velocity=self._state.velocity.copy(),
            wrench=np.zeros(6),
            gripper=_OPENING * (self._state.gripper + 1.0) / 2.0,
        )

    def apply(self, command: ArmCommand | None, now: float) -> AppliedCommand:
        """Pass `command` through the guard and move by one control period."""
        self._state, applied = guard(self.limits, self._state, self.observe(), command, now)
        joints = ik_step(self._joints[None], applied.tip_target[None])[0]
        self._velocities = (joints - self._joints) / self._period
        self._joints = joints
        return applied

    def home(self) -> None:
        """Bring the tip to the start: up, over, down; returns at rest there, or when a FAULT forbids it.

        Raises:
            SimulationError: the arm does not arrive.
        """
        home = np.array(self._family.start_tip)
        for _ in range(round(_HOMING_LIMIT / self._period)):
            state = self._state
            if is_home(state.tip_target, state.velocity, home) or (state.mode == "FAULT" and state.at_rest):
                return
            self._seq += 1
            velocity = home_velocity(state.tip_target, state.velocity, home, self.limits, self._period)
            now = self._clock()
            self.apply(ArmCommand(round(now * 1e9), self._seq, "reset", velocity, state.gripper), now)
            self._sleep(self._period)
        raise SimulationError(f"the arm did not reach {home} m within {_HOMING_LIMIT:.0f} s of homing")

    def stop(self, reason: str) -> None:
        """Hold and latch."""
        self._state = stop(self._state, reason)

    def reset_fault(self) -> None:
        """Leave a latched FAULT."""
        self._state = reset_fault(self._state)

    def _tip(self) -> FloatArray:
        return np.array(forward(self._joints[None]).position[0])


def _quaternion(rotation: FloatArray) -> FloatArray:
    """Rotation matrix (3, 3) -> quaternion x y z w, by the eigenvector of Bar-Itzhack's matrix."""
    r = rotation
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
        ]
    )
    vector = np.linalg.eigh(k / 3.0)[1][:, -1]
    return np.asarray(vector if vector[3] >= 0.0 else -vector)
