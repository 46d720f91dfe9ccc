"""Many copies of one scene on `mujoco.batch.Batch`, driven by tip targets. No limits, no tasks, no images.

`VecSim` puts the vectorised limits in front of it, `Twin` the guard; physics and inverse kinematics are the same.
"""

from __future__ import annotations

import mujoco as mj
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from gmps_robot.control.kinematics import forward, ik_step, joints_at
from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.errors import ConfigError, SimulationError
from gmps_robot.families.family import Family
from gmps_robot.rig import Latencies, ServoFit
from gmps_robot.types import FloatArray
from sim.contact import SENSOR, add_contact_sensor, sensed_wrench
from sim.delays import Delays
from sim.sawyer import TIP_SITE, finger_position
from sim.scenes import OBJECT_JOINT, scene_spec
from sim.servos import NOMINAL_SERVO, fit_servos

_STAGE = int(mj.mjtStage.mjSTAGE_POS)
PUNCTUAL = Latencies()
START_GRIPPER = -0.5  # half open
WorldIds = NDArray[np.int64]


def start_scene(family: Family) -> tuple[mj.MjModel, FloatArray]:
    """Return the compiled scene of `family`, key frame 0 its start, and the joints (7,) [rad] of that start.

    Raises:
        TaskError: there is no scene for the family.
    """
    spec = scene_spec(family.name)
    joints = joints_at(family.start_tip)
    finger = finger_position(np.full(1, START_GRIPPER))[0]
    arm = [*joints, finger, finger]
    spec.add_key(name="start", qpos=[*arm, *family.start_object, 1, 0, 0, 0], ctrl=arm)
    add_contact_sensor(spec)
    return spec.compile(), joints


class Worlds:
    """State of `n` worlds: commanded joints and tip targets, physics, and what is measured.

    Attributes:
        model: the compiled scene all worlds share.
        start_joints: (7,) of the family's start [rad].
        tip_target: (n, 3) commanded tip position [m].
        joint_target: (n, 7) commanded joints [rad].
        steps: (n,) control steps since the world's reset.
        delays: what is late in the only world; None where nothing is.
        wrench: (n, 6) force [N] and torque about the tip [N m] on the gripper, mean of the last control period; one
            physics step alone would report the spikes of stick and slip. Zero in worlds that do not feel.
    """

    def __init__(
        self, family: Family, n: int, threads: int = 1, *, feels: bool = False, servo: ServoFit = NOMINAL_SERVO,
        latency: Latencies = PUNCTUAL,
    ) -> None:
        """Build the scene of `family` in `n` worlds, stepped on `threads` threads.

        Args:
            family: gives scene, start pose and rate.
            n: number of worlds.
            threads: for physics.
            feels: keep `wrench`.
            servo: of the joints.
            latency: keep `delays`, in one world that feels; zero: there are none.

        Raises:
            ConfigError: `n` or `threads` is below 1, the control period is no multiple of the physics step, or there
                are delays and not one world that feels.
            TaskError: there is no scene for the family.
        """
        if n < 1 or threads < 1:
            raise ConfigError(f"worlds = {n}, threads = {threads}: both must be at least 1")
        if latency.any and (n > 1 or not feels):
            raise ConfigError(f"{n} worlds cannot be late: delays are kept for one world that feels")
        self.n, self.dt = n, 1.0 / family.control_hz
        self.model, self.start_joints = start_scene(family)
        fit_servos(self.model, servo)
        self.delays = Delays(self.model, latency) if latency.any else None
        timestep = self.model.opt.timestep
        self._substeps = round(self.dt / timestep)
        if abs(self._substeps * timestep - self.dt) > 1e-9:
            raise ConfigError(f"control_hz = {family.control_hz}: 1/hz must be a multiple of {timestep} s")
        self.batch = Batch(self.model, n, threads, persistent=False)
        self._qpos, self._qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self._ctrl, self._sites = self.batch.bind("ctrl"), self.batch.bind("site_xpos")
        self._tip_site = self.model.site(TIP_SITE).id
        address = int(self.model.joint(OBJECT_JOINT).qposadr[0])
        self._object = slice(address, address + 7)
        self.tip_target, self.joint_target = np.zeros((n, 3)), np.zeros((n, JOINTS))
        self.steps = np.zeros(n, dtype=np.int64)
        self.wrench, self._feels = np.zeros((n, 6)), feels
        self._sensor = self.batch.bind("sensordata")[:, int(self.model.sensor(SENSOR).adr[0]) :][:, :9]

    def bind(self, name: str) -> FloatArray:
        """Return a live (n, ...) view of an MjData field, current after each `reset` and `advance`."""
        field: FloatArray = self.batch.bind(name)
        return field

    def reset(self, object_offset: FloatArray, worlds: WorldIds) -> None:
        """Put `worlds` (k,) at the start pose, each object moved by `object_offset` (k, 2) [m] on the table."""
        self.batch.reset(ids=worlds, keyframe=0, stage=int(mj.mjtStage.mjSTAGE_NONE))
        self._qpos[worlds, self._object.start : self._object.start + 2] += object_offset
        self.joint_target[worlds] = self.start_joints
        self.tip_target[worlds] = forward(self.start_joints[None]).position
        self.steps[worlds], self.wrench[worlds] = 0, 0.0
        self.batch.forward(ids=worlds, stage=_STAGE)
        if self.delays is not None:
            self.delays.reset(self._now(), self._ctrl[0])

    def advance(self, tip_target: FloatArray, gripper: FloatArray) -> None:
        """Drive the arms to `tip_target` (n, 3) [m], grippers to `gripper` (n,) in [-1, 1], for one control period.

        Raises:
            SimulationError: the physics of some worlds diverged; the others are fine, and those can be reset.
        """
        self.drive(ik_step(self.joint_target, tip_target), tip_target, gripper)

    def drive(self, joint_target: FloatArray, tip_target: FloatArray, gripper: FloatArray) -> None:
        """As `advance`, where the joints (n, 7) [rad] that go with the tip targets are known already."""
        self.joint_target[:], self.tip_target[:] = joint_target, tip_target
        command = np.concatenate([joint_target, np.repeat(finger_position(gripper)[:, None], 2, axis=1)], axis=1)
        if self.delays is None:
            self._ctrl[:] = command
        else:
            self.delays.command(command[0])
        if self._feels:
            self._step_and_feel()
        else:
            self.batch.step(nstep=self._substeps, stage=_STAGE)
        self.steps += 1
        diverged = np.flatnonzero(~np.isfinite(self._qpos).all(axis=1))
        if len(diverged):
            raise SimulationError(
                f"the physics of {len(diverged)} of {self.n} worlds diverged (first: world {diverged[0]}, control step "
                f"{self.steps[diverged[0]]}); reset these worlds", diverged.tolist(),
            )

    def _step_and_feel(self) -> None:
        """The same physics to the last bit, step by step."""
        total = np.zeros((self.n, 6))
        for _ in range(self._substeps):
            if self.delays is not None:
                self._ctrl[0] = self.delays.arrived()
            self.batch.step(nstep=1, stage=int(mj.mjtStage.mjSTAGE_NONE))
            total += sensed_wrench(self._sensor, self.tip)
            if self.delays is not None:
                self.delays.note(self._now())
        self.wrench = total / self._substeps
        self.batch.forward(ids=np.arange(self.n), stage=_STAGE)

    def _now(self) -> FloatArray:
        """State of the first world: qpos, qvel, wrench."""
        return np.concatenate([self._qpos[0], self._qvel[0], self.wrench[0]])

    @property
    def time(self) -> FloatArray:
        """(n,) time since each world's reset [s]."""
        return np.asarray(self.steps * self.dt, dtype=np.float64)

    @property
    def tip(self) -> FloatArray:
        """(n, 3) true tip position [m]."""
        return np.array(self._sites[:, self._tip_site])

    @property
    def object_pose(self) -> FloatArray:
        """(n, 7) object position [m] and quaternion x y z w."""
        pose = self._qpos[:, self._object]
        return np.concatenate([pose[:, :3], pose[:, 4:], pose[:, 3:4]], axis=1)

    @property
    def joints(self) -> FloatArray:
        """(n, 7) measured joints [rad]."""
        return np.array(self._qpos[:, :JOINTS])

    @property
    def joint_velocities(self) -> FloatArray:
        """(n, 7) [rad/s]."""
        return np.array(self._qvel[:, :JOINTS])

    @property
    def fingers(self) -> FloatArray:
        """(n, 2) finger slides [m]."""
        return np.array(self._qpos[:, JOINTS : JOINTS + 2])
