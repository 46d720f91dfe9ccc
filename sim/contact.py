"""What the gripper feels."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.types import FloatArray

GRIPPER_BODIES = ("hand", "left_finger", "right_finger")
SENSOR = "felt"
_NET_FORCE = 3  # `reduce` of a contact sensor: one wrench of all contacts, in the world frame


def add_contact_sensor(spec: mj.MjSpec) -> None:
    """Let `spec` measure, in each physics step, what acts on the hand and what it carries (force, torque, where)."""
    wanted = (mj.mjtConDataField.mjCONDATA_FORCE, mj.mjtConDataField.mjCONDATA_TORQUE, mj.mjtConDataField.mjCONDATA_POS)
    sensor = spec.add_sensor(
        name=SENSOR, type=mj.mjtSensor.mjSENS_CONTACT, objtype=mj.mjtObj.mjOBJ_XBODY, objname=GRIPPER_BODIES[0]
    )
    sensor.intprm[:3] = (sum(1 << int(field) for field in wanted), _NET_FORCE, 1)


def sensed_wrench(sensor: FloatArray, tip: FloatArray) -> FloatArray:
    """Return force [N] and torque about `tip` (n, 3) [N m], (n, 6), of the contact sensor's readings (n, 9)."""
    force, torque, place = -sensor[:, :3], -sensor[:, 3:6], sensor[:, 6:9]
    return np.concatenate([force, torque + np.cross(place - tip, force)], axis=1)


def gripper_wrench(model: mj.MjModel, data: mj.MjData, tip: FloatArray) -> FloatArray:
    """Return force [N] and torque about `tip` (3,) [N m] of all contacts on hand and fingers, (6,) in the base frame.

    `data` must be current (`mj_forward`). Contacts between parts of the gripper cancel.
    """
    bodies = {model.body(name).id for name in GRIPPER_BODIES}
    wrench, local = np.zeros(6), np.zeros(6)
    for index in range(data.ncon):
        contact = data.contact[index]
        for geom, sign in ((contact.geom1, -1.0), (contact.geom2, 1.0)):
            if int(model.geom_bodyid[geom]) in bodies:
                mj.mj_contactForce(model, data, index, local)
                frame = contact.frame.reshape(3, 3).T
                force = sign * (frame @ local[:3])
                wrench[:3] += force
                wrench[3:] += sign * (frame @ local[3:]) + np.cross(contact.pos - tip, force)
    return wrench


def contact_torque(model: mj.MjModel, data: mj.MjData, pushed: int, push: FloatArray) -> FloatArray:
    """Return what all contacts, and `push` (3,) [N] at the centre of mass of body `pushed`, do to each joint, (nv,).

    `data` must be current (`mj_forward`). Friction and ends of the joints are left out: they are inside the arm.
    """
    torque, at_contact = np.zeros(model.nv), data.efc_type >= int(mj.mjtConstraint.mjCNSTR_CONTACT_FRICTIONLESS)
    mj.mj_mulJacTVec(model, data, torque, np.where(at_contact, data.efc_force, 0.0))
    mj.mj_applyFT(model, data, push, np.zeros(3), data.xipos[pushed], pushed, torque)
    return torque
