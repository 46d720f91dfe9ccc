"""Forward kinematics, Jacobian and one damped-least-squares step of the Sawyer, batched over arms.

The same functions drive the batch simulator, the twin and the real arm. They integrate *commanded* joints, never
measured ones: the command is then a pure function of the actions, whatever the servos do. Damped least squares after
Wampler (1986), with the posture as a secondary goal in the null space.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from gmps_robot.control.limits import shorten
from gmps_robot.control.sawyer_model import JOINTS, sawyer_model
from gmps_robot.errors import ConfigError
from gmps_robot.types import FloatArray

DAMPING = 0.05
POSITION_DAMPING_SHARE = 0.02  # the tip's position is damped less than its attitude: it must track
POSTURE_GAIN = 0.02  # pull towards the neutral joints per `POLICY_PERIOD`, inside the null space
POLICY_PERIOD = 0.05  # [s]
JOINT_MARGIN = 0.02  # commanded joints keep this far from their limits [rad]
# Joint 6 against the table's neutral pose: the pads then stand side by side, a pusher 4.5 cm wide when half open.
TOOL_TURN = -np.pi / 2
_PLACING_STEPS = 200
_PLACING_TOLERANCE = 1e-4  # [m]


class Chain(NamedTuple):
    """Constant transforms of the chain, one row per joint."""

    positions: FloatArray  # (7, 3) link frame in its parent [m]
    rotations: FloatArray  # (7, 3, 3)
    tip: FloatArray  # (3,) grip point in the last link [m]
    tip_rotation: FloatArray  # (3, 3) grip frame in the last link
    low: FloatArray  # (7,) joint limits [rad]
    high: FloatArray  # (7,)
    neutral: FloatArray  # (7,)


class Pose(NamedTuple):
    """Where the tips are and how the joints move them."""

    position: FloatArray  # (n, 3) [m]
    rotation: FloatArray  # (n, 3, 3) tip to base
    jacobian: FloatArray  # (n, 6, 7) tip velocity [m/s] and angular velocity [rad/s] per joint velocity
    link_positions: FloatArray  # (7, n, 3) link frames [m]
    link_rotations: tuple[FloatArray, ...]  # 7 of (n, 3, 3)


def forward(joints: FloatArray) -> Pose:
    """Return tip pose and geometric Jacobian of `joints` (n, 7) [rad]."""
    chain = _chain()
    cosines, sines = np.cos(joints)[..., None], np.sin(joints)[..., None]  # (n, 7, 1)
    n = len(joints)
    origins, axes = np.empty((JOINTS, n, 3)), np.empty((JOINTS, n, 3))
    rotations = []
    position, rotation = np.zeros((n, 3)), np.broadcast_to(np.eye(3), (n, 3, 3))
    for k in range(JOINTS):
        position = position + rotation @ chain.positions[k]
        fixed = rotation @ chain.rotations[k]
        x, y, z = fixed[:, :, 0], fixed[:, :, 1], fixed[:, :, 2]
        c, s = cosines[:, k], sines[:, k]
        rotation = np.empty((n, 3, 3))
        rotation[:, :, 0], rotation[:, :, 1], rotation[:, :, 2] = x * c + y * s, y * c - x * s, z
        origins[k], axes[k] = position, z
        rotations.append(rotation)
    tip = position + rotation @ chain.tip
    jacobian = np.empty((n, 6, JOINTS))
    jacobian[:, :3] = _cross(axes, tip - origins).transpose(1, 2, 0)
    jacobian[:, 3:] = axes.transpose(1, 2, 0)
    return Pose(tip, rotation @ chain.tip_rotation, jacobian, origins, tuple(rotations))


def ik_step(joints: FloatArray, tip_target: FloatArray) -> FloatArray:
    """Move commanded `joints` (n, 7) one damped-least-squares step towards `tip_target` (n, 3) [m].

    The tool keeps the attitude of the neutral pose. One step leaves about 2 mm of a 3.5 cm jump; at 20 Hz the target
    moves 1 cm, so the residual stays below the servo's own lag.
    """
    pose = forward(joints)
    return _damped_step(joints, pose, tip_target - pose.position, _turn_error(pose.rotation), POSTURE_GAIN)


def paced_ik_step(
    joints: FloatArray, pose: Pose, tip_target: FloatArray, period: float, speed: float, angular_speed: float,
    attitude: FloatArray | None = None,
) -> FloatArray:
    """As `ik_step` from joints of known `pose`, for one `period` [s] at no more than `speed` [m/s] and [rad/s].

    Where neither speed is reached, at the policy's period, it is `ik_step` to the last bit. `attitude` (3, 3) is what
    the tool turns to instead of the one of the neutral pose.
    """
    move = shorten(tip_target - pose.position, speed * period)
    turn = shorten(_turn_error(pose.rotation, attitude), angular_speed * period)
    return _damped_step(joints, pose, move, turn, POSTURE_GAIN * (period / POLICY_PERIOD))


def _damped_step(
    joints: FloatArray, pose: Pose, move: FloatArray, turn: FloatArray, posture_gain: float
) -> FloatArray:
    """One step for tip errors `move` (n, 3) [m] and `turn` (n, 3) [rad]."""
    chain, jacobian = _chain(), pose.jacobian
    error = np.empty((len(joints), 6))
    error[:, :3], error[:, 3:] = move, turn
    posture = posture_gain * (chain.neutral - joints)
    residual = error[:, :, None] - jacobian @ posture[:, :, None]
    gram = jacobian @ jacobian.transpose(0, 2, 1) + _damping_matrix()
    step = posture + (jacobian.transpose(0, 2, 1) @ np.linalg.solve(gram, residual))[:, :, 0]
    return np.clip(joints + step, chain.low + JOINT_MARGIN, chain.high - JOINT_MARGIN)


def _turn_error(rotation: FloatArray, attitude: FloatArray | None = None) -> FloatArray:
    """Rotation vector (n, 3) [rad] from tool attitudes (n, 3, 3) to `attitude` or the one kept, for small angles."""
    turn = (tool_attitude() if attitude is None else attitude) @ rotation.transpose(0, 2, 1)
    error = np.empty((len(rotation), 3))
    error[:, 0] = 0.5 * (turn[:, 2, 1] - turn[:, 1, 2])
    error[:, 1] = 0.5 * (turn[:, 0, 2] - turn[:, 2, 0])
    error[:, 2] = 0.5 * (turn[:, 1, 0] - turn[:, 0, 1])
    return error


def tool_turn(rotation: FloatArray) -> float:
    """Angle [rad] between a tool attitude (3, 3) and the one that is kept."""
    turn = tool_attitude().T @ rotation
    return float(np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0)))


def joints_at(tip: tuple[float, float, float]) -> FloatArray:
    """Return joints (7,) [rad] that hold the tool at `tip` [m] in the base frame.

    Raises:
        ConfigError: the arm does not reach `tip` with the tool in its attitude.
    """
    target = np.array(tip, dtype=np.float64)[None]
    joints = _chain().neutral[None].copy()
    for _ in range(_PLACING_STEPS):
        joints = ik_step(joints, target)
    miss = float(np.linalg.norm(forward(joints).position - target))
    if not miss < _PLACING_TOLERANCE:
        raise ConfigError(f"the arm does not reach the tip position {tip} m: it stops {miss:.3f} m short of it")
    return np.asarray(joints[0])


def neutral_joints() -> FloatArray:
    """Return the posture (7,) [rad] the arm is drawn to, whose tool attitude is kept."""
    return _chain().neutral


def joint_limits() -> tuple[FloatArray, FloatArray]:
    """Return lowest and highest joint positions, (7,) each [rad]."""
    return _chain().low, _chain().high


def rotation_from_quaternion(quaternion: tuple[float, ...]) -> FloatArray:
    """Return the rotation matrix (3, 3) of a quaternion w x y z of any length."""
    w, x, y, z = np.array(quaternion, dtype=np.float64) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@cache
def _chain() -> Chain:
    model = sawyer_model()
    hand = rotation_from_quaternion(model.hand_quaternion)
    limits = np.array([link.joint_range for link in model.links])
    chain = Chain(
        positions=np.array([link.position for link in model.links], dtype=np.float64),
        rotations=np.stack([rotation_from_quaternion(link.quaternion) for link in model.links]),
        tip=np.array(model.hand_position) + hand @ np.array(model.gripper.tip),
        tip_rotation=hand,
        low=limits[:, 0].copy(),
        high=limits[:, 1].copy(),
        neutral=np.array(model.neutral_joints) + TOOL_TURN * np.eye(JOINTS)[-1],
    )
    for array in chain:
        array.setflags(write=False)
    return chain


@cache
def tool_attitude() -> FloatArray:
    """Return the attitude (3, 3) of the tool that every task keeps, tool to base."""
    return np.array(forward(_chain().neutral[None]).rotation[0])


@cache
def _damping_matrix() -> FloatArray:
    return DAMPING**2 * np.diag([POSITION_DAMPING_SHARE] * 3 + [1.0] * 3)


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product over the last axis (np.cross costs three times as much on small arrays)."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    product = np.empty(a.shape)
    product[..., 0], product[..., 1], product[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return product
