"""The arm's body: the twin's scene as one MuJoCo world, stepped in 5 ms, and what the robot measures of it."""

from __future__ import annotations

from typing import Any

import mujoco as mj
import numpy as np

from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.families.family import Family
from gmps_robot.types import FloatArray
from sim.contact import contact_torque, gripper_wrench
from sim.emulator.gripper import STROKE
from sim.emulator.noise import MOVING, Noise
from sim.sawyer import TIP_SITE, finger_position
from sim.scenes import OBJECT_JOINT
from sim.worlds import START_GRIPPER, start_scene

COLLISION_FORCE = 5.0  # of a link or the hand, not of the pads, which are made to touch [N]
SPRING_TIME = 0.02  # series-elastic joints do not see the spikes of stick and slip: a low-pass [s]
_PADS = ("left_finger", "right_finger")


class Body:
    """One world. `data` belongs to this class; `model` changes only where the table is raised."""

    def __init__(self, family: Family, noise: Noise) -> None:
        """Put arm and object at the family's start.

        Raises:
            TaskError: there is no scene for the family.
        """
        self.model, self.start_joints = start_scene(family)
        self.dt = float(self.model.opt.timestep)
        self.data = mj.MjData(self.model)
        self._noise = noise
        self._object = int(self.model.joint(OBJECT_JOINT).qposadr[0])
        self._object_speed = int(self.model.joint(OBJECT_JOINT).dofadr[0])
        self._start_object = np.array([*family.start_object, 1.0, 0.0, 0.0, 0.0])
        self._hand, self._tip = self.model.body("hand").id, self.model.site(TIP_SITE).id
        self._table = self.model.geom("table").id
        self._arm = {i for i in range(self.model.nbody) if self._is_arm(self.model.body(i).name)}
        self._push, self._push_until, self._pushed = np.zeros(3), 0.0, self._hand
        self._wrench, self._torque = np.zeros(6), np.zeros(self.model.nv)
        mj.mj_resetDataKeyframe(self.model, self.data, 0)
        self._refresh()

    def step(self, joint_target: FloatArray, opening: float, now: float) -> None:
        """Advance by `dt`: joint servos at `joint_target` (7,) [rad], fingers at `opening` [m] in [0, STROKE]."""
        data = self.data
        data.ctrl[:JOINTS] = joint_target
        data.ctrl[JOINTS:] = finger_position(np.array([command_of(opening)]))[0]
        push = self._push if now < self._push_until else np.zeros(3)
        data.xfrc_applied[:, :3] = 0.0
        data.xfrc_applied[self._pushed, :3] = push
        mj.mj_step(self.model, data)
        wrench = gripper_wrench(self.model, data, self.tip)
        wrench[:3] += push if self._pushed == self._hand else 0.0
        share = self.dt / (SPRING_TIME + self.dt)
        self._wrench += share * (wrench - self._wrench)
        self._torque += share * (contact_torque(self.model, data, self._pushed, push) - self._torque)
        self._refresh()

    def push(self, force: FloatArray, until: float, body: str = "hand") -> None:
        """Press on the hand, or on the link called `body`, with `force` (3,) [N] until `until` [s]."""
        self._push, self._push_until, self._pushed = np.array(force), until, self.model.body(body).id

    def raise_table(self, height: float) -> None:
        """Put the table's top at `height` [m], and the object on it."""
        change = height - float(self.model.geom_pos[self._table, 2])
        self.model.geom_pos[self._table, 2] = height
        self.data.qpos[self._object + 2] += change
        mj.mj_forward(self.model, self.data)

    def reset_object(self) -> None:
        """Put the object back to its start, at rest; the arm stays where it is."""
        qpos = self._start_object.copy()
        qpos[2] += self.model.geom_pos[self._table, 2]
        self.data.qpos[self._object : self._object + 7] = qpos
        self.data.qvel[self._object_speed : self._object_speed + 6] = 0.0
        self._refresh()

    @property
    def joints(self) -> FloatArray:
        """(7,) true joints [rad]."""
        return np.array(self.data.qpos[:JOINTS])

    @property
    def tip(self) -> FloatArray:
        """(3,) true tip position [m]."""
        return np.array(self.data.site_xpos[self._tip])

    @property
    def tip_velocity(self) -> FloatArray:
        """(3,) true tip velocity [m/s]."""
        return self._twist(mj.mjtObj.mjOBJ_SITE, self._tip)[:3]

    @property
    def opening(self) -> float:
        """How far the gripper is open, as it reports it [m], in [0, STROKE]."""
        low, high = finger_position(np.array([-1.0, 1.0]))
        return float(STROKE * (self.data.qpos[JOINTS : JOINTS + 2].mean() - low) / (high - low))

    @property
    def force(self) -> float:
        """True force on the gripper, low-passed [N]."""
        return float(np.linalg.norm(self._wrench[:3]))

    @property
    def grip(self) -> float:
        """Force of the fingers' drives [N]."""
        return float(np.abs(self.data.actuator_force[JOINTS : JOINTS + 2]).mean())

    @property
    def qpos(self) -> FloatArray:
        """Everything needed to draw the scene."""
        return np.array(self.data.qpos)

    @property
    def table_height(self) -> float:
        """Height of the table's top [m]."""
        return float(self.model.geom_pos[self._table, 2])

    def collides(self) -> bool:
        """Whether a link or the hand presses against the table or the object."""
        local = np.zeros(6)
        for index in range(self.data.ncon):
            bodies = [int(self.model.geom_bodyid[g]) for g in self.data.contact[index].geom]
            if any(body in self._arm for body in bodies):
                mj.mj_contactForce(self.model, self.data, index, local)
                if local[0] > COLLISION_FORCE:
                    return True
        return False

    def measure(self, dt: float) -> dict[str, Any]:
        """Return what the robot reports, with noise, `dt` [s] after the last call; poses and wrench in `base`."""
        data = self.data
        position, velocity = self._noise.joints()
        tip_twist = self._twist(mj.mjtObj.mjOBJ_SITE, self._tip)
        gravity, speed = data.qfrc_gravcomp[:JOINTS], data.qvel[:JOINTS]
        hysteresis = self.model.dof_frictionloss[:JOINTS] * np.tanh(speed / MOVING)
        # The springs sit behind motor and gear: they feel the links, what these press against, and some friction.
        effort = gravity + hysteresis - self._torque[:JOINTS] + self._noise.torque(speed)
        return {
            "position": data.qpos[:JOINTS] + position,
            "velocity": speed + velocity,
            "effort": effort,
            "gravity": gravity,
            "hysteresis": hysteresis,
            "hand_pose": _pose(data.xpos[self._hand], data.xmat[self._hand]),
            "hand_twist": self._twist(mj.mjtObj.mjOBJ_XBODY, self._hand),
            "tip_pose": _pose(data.site_xpos[self._tip], data.site_xmat[self._tip]),
            "tip_twist": tip_twist,
            "wrench": self._wrench + self._noise.wrench(tip_twist[:3], dt),
        }

    def _twist(self, kind: mj.mjtObj, index: int) -> FloatArray:
        """Linear [m/s] and angular [rad/s] velocity (6,) in the base frame."""
        twist = np.zeros(6)
        mj.mj_objectVelocity(self.model, self.data, kind, index, twist, 0)
        return np.concatenate([twist[3:], twist[:3]])

    def _refresh(self) -> None:
        """Bring poses and velocities to the present state; a step leaves them at its beginning."""
        mj.mj_kinematics(self.model, self.data)
        mj.mj_comPos(self.model, self.data)
        mj.mj_comVel(self.model, self.data)

    @staticmethod
    def _is_arm(name: str) -> bool:
        return name == "hand" or (name.startswith("right_") and name not in _PADS)


def command_of(opening: float) -> float:
    """Return the gripper command in [-1, 1] for an opening [m] as the electric gripper counts it."""
    return 2.0 * opening / STROKE - 1.0


def opening_of(command: float) -> float:
    """Return the opening [m] for a gripper command in [-1, 1]."""
    return 0.5 * STROKE * (command + 1.0)


START_OPENING = opening_of(START_GRIPPER)


def _pose(position: FloatArray, matrix: FloatArray) -> FloatArray:
    quaternion = np.empty(4)
    mj.mju_mat2Quat(quaternion, matrix)
    return np.concatenate([position, quaternion[1:], quaternion[:1]])
