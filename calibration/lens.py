"""How a camera images points: pinhole and the five terms k1 k2 p1 p2 k3 that OpenCV and `plumb_bob` share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray

TERMS = 5
PARAMETERS = 4 + TERMS  # fx fy cx cy k1 k2 p1 p2 k3


class Projection(NamedTuple):
    """Pixels of n points, and how they change."""

    pixels: FloatArray  # (n, 2)
    by_point: FloatArray  # (n, 2, 3) per metre of the point
    by_camera: FloatArray  # (n, 2, 9) per unit of fx fy cx cy k1 k2 p1 p2 k3


def parameters(camera: SensorCalibration) -> FloatArray:
    """Return fx fy cx cy k1 k2 p1 p2 k3 (9,)."""
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion])


def sensor(values: FloatArray, width: int, height: int) -> SensorCalibration:
    """Return the camera of parameters (9,); the policy's crop is the whole image until somebody chooses another."""
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = (float(v) for v in values)
    return SensorCalibration(width, height, fx, fy, cx, cy, (k1, k2, p1, p2, k3), (0, 0, width, height))


def project(points: FloatArray, camera: SensorCalibration) -> FloatArray:
    """Return pixels (..., 2) of `points` (..., 3) [m] in the optical frame; pixel centres are integers."""
    points = np.asarray(points, dtype=np.float64)
    return projection(points.reshape(-1, 3), parameters(camera)).pixels.reshape(*points.shape[:-1], 2)


def projection(points: FloatArray, values: FloatArray) -> Projection:
    """Project `points` (n, 3) [m] by camera parameters `values` (9,), with derivatives."""
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = values
    x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3)  # of `radial` by r2
    xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
    yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
    cross = 2.0 * x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y
    xd_x = radial + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x
    yd_y = radial + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x
    inverse_z = 1.0 / points[:, 2]
    by_point, by_camera = np.empty((len(points), 2, 3)), np.zeros((len(points), 2, PARAMETERS))
    for row, focal, by_x, by_y in ((0, fx, xd_x, cross), (1, fy, cross, yd_y)):
        by_point[:, row, 0], by_point[:, row, 1] = focal * by_x * inverse_z, focal * by_y * inverse_z
        by_point[:, row, 2] = -focal * (by_x * x + by_y * y) * inverse_z
    by_camera[:, 0, 0], by_camera[:, 1, 1], by_camera[:, 0, 2], by_camera[:, 1, 3] = xd, yd, 1.0, 1.0
    for row, focal, along, first, second in (
        (0, fx, x, 2.0 * x * y, r2 + 2.0 * x * x), (1, fy, y, r2 + 2.0 * y * y, 2.0 * x * y)
    ):  # fmt: skip
        by_camera[:, row, 4], by_camera[:, row, 5] = focal * along * r2, focal * along * r2 * r2
        by_camera[:, row, 6], by_camera[:, row, 7] = focal * first, focal * second
        by_camera[:, row, 8] = focal * along * r2**3
    return Projection(np.stack([fx * xd + cx, fy * yd + cy], axis=1), by_point, by_camera)
