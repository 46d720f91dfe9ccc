"""The inverse kinematics track what a policy may ask for, and refuse what the arm cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.control.kinematics import forward, ik_step, joint_limits, joints_at, neutral_joints
from gmps_robot.errors import ConfigError
from gmps_robot.families import family

NEUTRAL = neutral_joints()


def test_jacobian_is_the_derivative_of_the_tip() -> None:
    joints = NEUTRAL + np.random.default_rng(0).normal(size=(5, 7)) * 0.3
    jacobian, h = forward(joints).jacobian, 1e-6
    for k in range(7):
        step = np.eye(7)[k] * h
        slope = (forward(joints + step).position - forward(joints - step).position) / (2 * h)
        np.testing.assert_allclose(jacobian[:, :3, k], slope, atol=1e-8)


def test_tip_follows_a_target_at_full_speed_with_the_tool_upright() -> None:
    start = np.array(family("push").start_tip)
    joints, upright = joints_at(family("push").start_tip)[None], forward(NEUTRAL[None]).rotation[0]
    target = start[None].copy()
    for direction in ([1, 0, 0], [0.7, 0.7, 0], [0, -1, 0], [-0.6, 0, 0.8]):
        for _ in range(15):
            target += 0.01 * np.array(direction)
            joints = ik_step(joints, target)
            pose = forward(joints)
            assert np.linalg.norm(pose.position - target) < 2e-3
            assert np.arccos(np.clip((np.trace(pose.rotation[0].T @ upright) - 1) / 2, -1, 1)) < np.deg2rad(3)


def test_commanded_joints_never_pass_their_limits() -> None:
    low, high = joint_limits()
    joints = NEUTRAL[None].repeat(4, axis=0)
    for target in np.random.default_rng(1).uniform(-2, 2, size=(50, 4, 3)):
        joints = ik_step(joints, target)
        assert (joints > low).all()
        assert (joints < high).all()


def test_one_arm_moves_the_same_alone_and_among_others() -> None:
    rng = np.random.default_rng(2)
    joints = NEUTRAL + rng.normal(size=(33, 7)) * 0.2
    targets = forward(joints).position + rng.normal(size=(33, 3)) * 0.01
    together = ik_step(joints, targets)
    for k in (0, 7, 32):
        assert (ik_step(joints[k : k + 1], targets[k : k + 1])[0] == together[k]).all()


def test_a_place_out_of_reach_is_named() -> None:
    with pytest.raises(ConfigError, match=r"does not reach the tip position \(3\.0, 0\.0, 0\.1\)"):
        joints_at((3.0, 0.0, 0.1))
