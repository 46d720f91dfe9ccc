"""The lens model is OpenCV's, its derivatives are right, and rotations survive the way to vectors and back."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.lens import parameters, project, projection, sensor
from calibration.poses import from_rotation_vector, inverse, pose, rotation_vector, to_quaternion, transform

LENS = sensor(np.array([579.0, 583.0, 322.0, 235.0, -0.28, 0.09, 1e-3, -5e-4, 0.02]), 640, 480)


def points(count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.uniform(-0.25, 0.25, count), rng.uniform(-0.2, 0.2, count), rng.uniform(0.4, 0.9, count)], 1)


def test_pixels_are_those_of_opencv() -> None:
    theirs, _ = cv2.projectPoints(points(), np.zeros(3), np.zeros(3), LENS.pinhole.matrix, np.array(LENS.distortion))
    np.testing.assert_allclose(project(points(), LENS), theirs[:, 0], atol=1e-9)


def test_derivatives_are_those_of_small_changes() -> None:
    at, values = points(), parameters(LENS)
    told = projection(at, values)
    for axis in range(3):
        step = 1e-6 * np.eye(3)[axis]
        change = (projection(at + step, values).pixels - projection(at - step, values).pixels) / 2e-6
        np.testing.assert_allclose(told.by_point[:, :, axis], change, rtol=1e-5, atol=1e-4)
    for k in range(9):
        step = 1e-5 * np.eye(9)[k]
        change = (projection(at, values + step).pixels - projection(at, values - step).pixels) / 2e-5
        np.testing.assert_allclose(told.by_camera[:, :, k], change, rtol=1e-5, atol=1e-6)


def test_rotations_survive_vectors_and_quaternions() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(0.0, 1.0, (50, 3))
    vectors *= (rng.uniform(0.0, np.pi - 1e-3, 50) / np.linalg.norm(vectors, axis=1))[:, None]
    turns = from_rotation_vector(np.concatenate([vectors, [[0.0, 0.0, 0.0], [1e-9, 0.0, 0.0]]]))
    np.testing.assert_allclose(rotation_vector(turns)[:50], vectors, atol=1e-9)
    np.testing.assert_allclose(rotation_vector(turns)[50:], [[0.0, 0.0, 0.0], [1e-9, 0.0, 0.0]], atol=1e-15)
    x, y, z, w = to_quaternion(from_rotation_vector(np.array([0.0, 0.0, np.pi / 2])))
    np.testing.assert_allclose([x, y, z, w], [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)


def test_a_motion_and_its_inverse_leave_points_where_they_were() -> None:
    motion = pose(from_rotation_vector(np.array([0.3, -0.2, 0.9])), np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(transform(inverse(motion), transform(motion, points())), points(), atol=1e-12)
