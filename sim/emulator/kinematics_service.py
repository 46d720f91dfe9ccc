"""The robot's own forward and inverse kinematics, as its services answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco as mj
import numpy as np

from gmps_robot.control.kinematics import forward, joint_limits, neutral_joints, rotation_from_quaternion
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.types import FloatArray

TIPS = ("right_hand", "right_gripper_tip")
OK, FAILED, NO_ENDPOINT = 1, -1, -3
_STEPS, _DAMPING = 100, 0.02
_NEAR = 1e-4  # [m], [rad]


def answer(request: Mapping[str, Any], joints: FloatArray) -> dict[str, Any]:
    """Answer {"op": "fk" | "ik", "id": ...}; `joints` (7,) [rad] is where the arm is, the seed where none is given."""
    if request["op"] == "fk":
        poses = [_fk(request["joints"], tip) if tip in TIPS else None for tip in request["tips"]]
        return {"op": "answer", "id": request["id"], "poses": poses}
    solved = []
    for pose, tip, seed in zip(request["poses"], request["tips"], request["seeds"], strict=True):
        solved.append(_ik(np.array(pose), tip, np.array(seed) if seed else joints) if tip in TIPS else None)
    results = [NO_ENDPOINT if s is None else OK if s else FAILED for s in solved]
    return {"op": "answer", "id": request["id"], "joints": [s or [] for s in solved], "results": results}


def _fk(joints: list[float], tip: str) -> list[float]:
    """Pose of `tip`: position [m], quaternion x y z w."""
    pose = forward(np.array(joints)[None])
    quaternion = np.empty(4)
    mj.mju_mat2Quat(quaternion, pose.rotation[0].ravel())
    return [*(pose.position[0] - pose.rotation[0] @ _beyond(tip)).tolist(), *quaternion[[1, 2, 3, 0]].tolist()]


def _ik(target: FloatArray, tip: str, seed: FloatArray) -> list[float]:
    """Joints (7,) that bring `tip` to `target` (7,) from `seed` (7,), or none: damped least squares."""
    rotation = rotation_from_quaternion(tuple(target[[6, 3, 4, 5]]))
    position = target[:3] + rotation @ _beyond(tip)
    low, high = joint_limits()
    for start in (seed, neutral_joints()):
        joints = np.array(start)
        for _ in range(_STEPS):
            pose = forward(joints[None])
            turn = rotation @ pose.rotation[0].T
            error = np.concatenate([position - pose.position[0], _rotation_vector(turn)])
            if np.abs(error).max() < _NEAR:
                return [float(x) for x in joints]
            jacobian = pose.jacobian[0]
            gram = jacobian @ jacobian.T + _DAMPING**2 * np.eye(6)
            joints = np.clip(joints + jacobian.T @ np.linalg.solve(gram, error), low, high)
    return []


def _beyond(tip: str) -> FloatArray:
    """How far the grip point lies beyond `tip`, in the hand's frame (3,) [m]."""
    return np.array(sawyer_model().gripper.tip) if tip == TIPS[0] else np.zeros(3)


def _rotation_vector(rotation: FloatArray) -> FloatArray:
    quaternion, vector = np.empty(4), np.empty(3)
    mj.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation).ravel())
    mj.mju_quat2Vel(vector, quaternion, 1.0)
    return vector

