"""Rigid motions as matrices (..., 4, 4). `T_a_b` takes points of frame b to frame a: it is the pose of b in a."""

from __future__ import annotations

import numpy as np

from gmps_robot.rig import FramePose
from gmps_robot.types import FloatArray

Pose = FloatArray


def pose(rotation: FloatArray, translation: FloatArray) -> Pose:
    """Return the pose (..., 4, 4) of `rotation` (..., 3, 3) and `translation` (..., 3)."""
    translation = np.asarray(translation, dtype=np.float64)
    result = np.zeros((*translation.shape[:-1], 4, 4))
    result[..., :3, :3], result[..., :3, 3], result[..., 3, 3] = rotation, translation, 1.0
    return result


def inverse(motion: Pose) -> Pose:
    """Return the inverse of poses (..., 4, 4)."""
    turned = np.swapaxes(motion[..., :3, :3], -1, -2)
    return pose(turned, -(turned @ motion[..., :3, 3, None])[..., 0])


def transform(motion: Pose, points: FloatArray) -> FloatArray:
    """Return `points` (n, 3) taken through one pose, or through each of (m, 4, 4): (m, n, 3)."""
    return np.asarray(points @ np.swapaxes(motion[..., :3, :3], -1, -2) + motion[..., None, :3, 3])


def skew(vector: FloatArray) -> FloatArray:
    """Return the matrices (..., 3, 3) of the cross product with `vector` (..., 3)."""
    result = np.zeros((*vector.shape[:-1], 3, 3))
    result[..., 0, 1], result[..., 0, 2] = -vector[..., 2], vector[..., 1]
    result[..., 1, 0], result[..., 1, 2] = vector[..., 2], -vector[..., 0]
    result[..., 2, 0], result[..., 2, 1] = -vector[..., 1], vector[..., 0]
    return result


def from_rotation_vector(vector: FloatArray) -> FloatArray:
    """Return rotations (..., 3, 3) by |`vector`| [rad] about `vector` (..., 3), after Rodrigues."""
    vector = np.asarray(vector, dtype=np.float64)
    squared = (vector * vector).sum(-1)[..., None, None]
    angle = np.sqrt(squared)
    cross = skew(vector)
    sine = np.sinc(angle / np.pi)  # sin(a) / a, also at 0
    half = np.sinc(angle / (2.0 * np.pi))  # (1 - cos a) / a^2 = sinc(a / 2)^2 / 2
    return np.asarray(np.eye(3) + sine * cross + 0.5 * half * half * (cross @ cross))


def rotation_vector(rotation: FloatArray) -> FloatArray:
    """Return the rotation vector (..., 3) [rad] of rotations (..., 3, 3); its length is at most pi."""
    quaternion = to_quaternion(rotation)
    axis, w = quaternion[..., :3], quaternion[..., 3]
    sine = np.linalg.norm(axis, axis=-1)
    angle = 2.0 * np.arctan2(sine, w)
    scale = np.where(sine < 1e-12, 2.0, angle / np.maximum(sine, 1e-300))
    return np.asarray(axis * scale[..., None])


def to_quaternion(rotation: FloatArray) -> FloatArray:
    """Return quaternions x y z w (..., 4), w >= 0, of rotations (..., 3, 3), by Bar-Itzhack's symmetric matrix."""
    r = np.asarray(rotation, dtype=np.float64)
    k = np.empty((*r.shape[:-2], 4, 4))
    k[..., :3, :3] = r + np.swapaxes(r, -1, -2)
    trace = np.trace(r, axis1=-2, axis2=-1)
    for axis in range(3):
        k[..., axis, axis] -= trace
        j, i = (axis + 1) % 3, (axis + 2) % 3
        k[..., axis, 3] = k[..., 3, axis] = r[..., i, j] - r[..., j, i]
    k[..., 3, 3] = trace
    vector = np.linalg.eigh(k)[1][..., -1]
    return np.asarray(np.where(vector[..., 3:] < 0.0, -vector, vector))


def angle_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the angles (...) [rad] between rotations `a` and `b` (..., 3, 3)."""
    return np.asarray(np.linalg.norm(rotation_vector(np.swapaxes(a, -1, -2) @ b), axis=-1))


def matrix(frame: FramePose) -> Pose:
    """Return a frame's pose as a matrix (4, 4)."""
    return pose(frame.rotation, np.array(frame.position))


def frame_pose(motion: Pose) -> FramePose:
    """Return a matrix (4, 4) as position and quaternion."""
    x, y, z, w = (float(v) for v in to_quaternion(motion[:3, :3]))
    px, py, pz = (float(v) for v in motion[:3, 3])
    return FramePose((px, py, pz), (x, y, z, w))
