"""FakeArm: an ideal arm without physics, for tests and rehearsals, behind the same guard as the twin and the robot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gmps_robot.control.guard_state import GuardState, arm, starting_at
from gmps_robot.control.kinematics import Pose, forward, ik_step, joints_at
from gmps_robot.control.simulated_arm import SimulatedArm
from gmps_robot.families.family import Family
from gmps_robot.types import ArmState, FloatArray

_OPENING = 0.08  # between the pads of a fully open gripper [m]
_PUSHING_STEPS = 5  # of inverse kinematics


class FakeArm(SimulatedArm):
    """Joints follow their commands exactly and at once. `clock` gives seconds; `sleep` lets them pass.

    The measured state can be spoilt on purpose: `state_delay` [s] makes it old, `push` (3,) [m] displaces the tip.
    """

    def __init__(
        self, family: Family, clock: Callable[[], float], sleep: Callable[[float], None], period: float | None = None
    ) -> None:
        """Put the arm at the family's start, armed; `period` [s] is that of the family's policy unless given."""
        start = starting_at(joints_at(family.start_tip), period or 1.0 / family.control_hz)
        super().__init__(family, start, clock, sleep)
        self._joints, self._velocities = start.joints, np.zeros(7)
        self.state_delay = 0.0
        self.push = np.zeros(3)
        self._guard = arm(self._guard, self.observe())

    def _measured(self, _now: float) -> ArmState:
        joints, pose = self._displaced()
        return ArmState(
            stamp_ns=round((self._clock() - self.state_delay) * 1e9),
            joints=joints,
            joint_velocities=self._velocities.copy(),
            tip_position=pose.position[0],
            tip_quaternion=_quaternion(pose.rotation[0]),
            tip_velocity=self._guard.velocity.copy(),
            wrench=np.zeros(6),
            gripper=_OPENING * (self._guard.gripper + 1.0) / 2.0,
            status=self.status,
        )

    def _carry_out(self, state: GuardState, _now: float) -> None:
        self._velocities = np.zeros(7) if state.resynced else (state.joints - self._joints) / self.period
        self._joints = state.joints

    def _displaced(self) -> tuple[FloatArray, Pose]:
        joints = self._joints
        if self.push.any():
            target = forward(joints[None]).position + self.push
            for _ in range(_PUSHING_STEPS):
                joints = ik_step(joints[None], target)[0]
        return joints.copy(), forward(joints[None])


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
