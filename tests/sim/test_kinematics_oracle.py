"""Our forward kinematics against MuJoCo's."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.control.kinematics import forward, joint_limits
from sim.sawyer import TIP_SITE
from sim.scenes import scene_spec


def test_pose_and_jacobian_agree_with_mujoco() -> None:
    model = scene_spec("push").compile()
    data = mj.MjData(model)
    low, high = joint_limits()
    joints = np.random.default_rng(0).uniform(low, high, (20, 7))
    pose = forward(joints)
    for k, q in enumerate(joints):
        data.qpos[:7] = q
        mj.mj_forward(model, data)
        site = data.site(TIP_SITE)
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        mj.mj_jacSite(model, data, linear, angular, model.site(TIP_SITE).id)
        np.testing.assert_allclose(pose.position[k], site.xpos, atol=1e-12)
        np.testing.assert_allclose(pose.rotation[k], site.xmat.reshape(3, 3), atol=1e-12)
        np.testing.assert_allclose(pose.jacobian[k], np.vstack([linear, angular])[:, :7], atol=1e-12)
