"""A pinhole camera: pose in the base frame and intrinsics, in the conventions of OpenCV.

The optical frame has x right, y down, z forward. A pixel centre has integer coordinates, so a centred principal point
is ((width - 1) / 2, (height - 1) / 2). Distortion is not modelled: real images are undistorted first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gmps_robot.errors import ConfigError
from gmps_robot.rig import NOMINAL, RigCalibration
from gmps_robot.types import FloatArray

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """Where a camera is, how it projects, and the size of its images."""

    position: Vector3  # of the optical centre in the base frame [m]
    rotation: tuple[Vector3, Vector3, Vector3]  # optical frame to base, row by row
    fx: float  # [pixel]
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: a size or focal length is not positive, or `rotation` is not a rotation.
        """
        if self.width < 1 or self.height < 1 or self.fx <= 0 or self.fy <= 0:
            raise ConfigError(
                f"camera: size {self.width}x{self.height} and focal lengths {self.fx}, {self.fy} must be positive"
            )
        matrix = self.rotation_matrix
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6) or np.linalg.det(matrix) < 0:
            raise ConfigError(f"camera: rotation {self.rotation} is not a rotation matrix")

    @property
    def position_array(self) -> FloatArray:
        """(3,) [m]."""
        return np.array(self.position, dtype=np.float64)

    @property
    def rotation_matrix(self) -> FloatArray:
        """(3, 3), optical frame to base."""
        return np.array(self.rotation, dtype=np.float64)

    def at(self, position: FloatArray, rotation: FloatArray) -> Camera:
        """Return the same camera at `position` (3,) with `rotation` (3, 3) optical frame to base."""
        return replace(self, position=_triple(position), rotation=_rows(rotation))

    def scaled(self, width: int, height: int) -> Camera:
        """Return the camera that sees the same in an image of `width` x `height` pixels."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, fx=self.fx * sx, fy=self.fy * sy, cx=(self.cx + 0.5) * sx - 0.5, cy=(self.cy + 0.5) * sy - 0.5,
            width=width, height=height,
        )

    def project(self, points: FloatArray) -> FloatArray:
        """Return pixel coordinates u, v (..., 2) of `points` (..., 3) [m] in the base frame."""
        local = (points - self.position_array) @ self.rotation_matrix
        return np.stack(
            [self.cx + self.fx * local[..., 0] / local[..., 2], self.cy + self.fy * local[..., 1] / local[..., 2]],
            axis=-1,
        )


def look_at(position: Vector3, target: Vector3, fovy: float, width: int, height: int) -> Camera:
    """Return a level camera at `position` whose optical axis meets `target` [m].

    `fovy` is the vertical field of view [degrees]; pixels are square and the principal point is the image centre.
    """
    forward = np.array(target, dtype=np.float64) - np.array(position)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    focal = 0.5 * height / np.tan(np.deg2rad(fovy) / 2)
    return Camera(position, _rows(rotation), focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def _triple(vector: FloatArray) -> Vector3:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _rows(matrix: FloatArray) -> tuple[Vector3, Vector3, Vector3]:
    return _triple(matrix[0]), _triple(matrix[1]), _triple(matrix[2])


POLICY_CAMERA = look_at(position=(1.05, 0.0, 0.55), target=(0.62, 0.0, 0.0), fovy=48.0, width=64, height=48)


def rig_camera(rig: RigCalibration, width: int = POLICY_CAMERA.width, height: int = POLICY_CAMERA.height) -> Camera:
    """Return the camera of `rig` as the policy sees through it: undistorted, cropped, `width` x `height` pixels."""
    if rig.rig_id == NOMINAL and (width, height) == (POLICY_CAMERA.width, POLICY_CAMERA.height):
        return POLICY_CAMERA  # what rounding to a file and back would change a last bit of
    lens, pose = rig.camera.policy(width, height), rig.camera_to_base
    return Camera(pose.position, _rows(pose.rotation), lens.fx, lens.fy, lens.cx, lens.cy, width, height)
