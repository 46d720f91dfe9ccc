"""What the gripper feels."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.types import FloatArray

GRIPPER_BODIES = ("hand", "left_finger", "right_finger")


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
