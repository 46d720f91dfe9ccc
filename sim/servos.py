"""The rig's joint servos in the twin: factors of the nominal ones, as `gmps calibrate identify` finds them."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.rig import ServoFit

NOMINAL_SERVO = ServoFit()


def fit_servos(model: mj.MjModel, servo: ServoFit) -> None:
    """Scale stiffness, damping and friction of the arm's joints in a freshly compiled `model`, in place."""
    if servo == NOMINAL_SERVO:
        return
    arm = slice(0, JOINTS)  # first in every scene, joints and actuators alike
    model.actuator_gainprm[arm, 0] *= servo.stiffness
    model.actuator_biasprm[arm, 1] *= servo.stiffness
    model.actuator_biasprm[arm, 2] *= servo.damping
    model.dof_frictionloss[arm] *= np.array(servo.friction)
