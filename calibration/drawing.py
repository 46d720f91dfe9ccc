"""Pictures of a board by exact projection: each part of a pixel is one ray through the lens model onto the sheet.

No OpenGL is needed, the lens may be distorted, and the truth is known to rounding: what the tests calibrate.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from calibration.board import BoardSpec
from calibration.lens import project
from calibration.poses import Pose, transform
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray, ImageArray

PIXELS_PER_SQUARE = 96  # of the sheet's own picture
PARTS = 3  # a pixel is the mean of PARTS x PARTS rays
PAPER, INK, BACKGROUND = 235.0, 25.0, 110.0  # grey values


class BoardPainter:
    """Draws one board as one camera sees it."""

    def __init__(self, board: BoardSpec, camera: SensorCalibration) -> None:
        self._board, self._camera = board, camera
        margin = PIXELS_PER_SQUARE // 2
        sheet = board.picture(PIXELS_PER_SQUARE, margin).astype(np.float32) / 255.0
        self._sheet = (INK + (PAPER - INK) * sheet).astype(np.float32)
        self._margin = margin
        self._rays = rays(camera)

    def image(self, board_in_camera: Pose, rng: np.random.Generator | None = None, noise: float = 2.0) -> ImageArray:
        """Return (height, width, 3) with the board at pose `board_in_camera` (4, 4).

        Args:
            board_in_camera: pose of the board in the optical frame.
            rng: draws the noise; without it there is none.
            noise: deviation of the grey values.
        """
        camera = self._camera
        grey = np.full((camera.height, camera.width), BACKGROUND, dtype=np.float32)
        left, top, right, bottom = self._window(board_in_camera)
        if left < right and top < bottom:
            rays = self._rays[top * PARTS : bottom * PARTS, left * PARTS : right * PARTS]
            fine = self._sheet_seen_along(rays, board_in_camera)
            grey[top:bottom, left:right] = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        if rng is not None:
            grey += rng.normal(0.0, noise, grey.shape).astype(np.float32)
        seen = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        return np.repeat(seen[..., None], 3, axis=2)

    def _window(self, board_in_camera: Pose) -> tuple[int, int, int, int]:
        """The part of the image that can show the sheet."""
        edge = self._board.square / 2.0
        xs, ys = np.linspace(-edge, self._board.width + edge, 12), np.linspace(-edge, self._board.height + edge, 12)
        grid = np.stack([*np.meshgrid(xs, ys), np.zeros((12, 12))], axis=-1).reshape(-1, 3)
        local = transform(board_in_camera, grid)
        local = local[local[:, 2] > 0.01]
        if not len(local):
            return 0, 0, 0, 0
        pixels = project(local, self._camera)
        low, high = np.floor(pixels.min(0)).astype(int) - 3, np.ceil(pixels.max(0)).astype(int) + 4
        width, height = self._camera.width, self._camera.height
        return (int(np.clip(low[0], 0, width)), int(np.clip(low[1], 0, height)),
                int(np.clip(high[0], 0, width)), int(np.clip(high[1], 0, height)))

    def _sheet_seen_along(self, rays: FloatArray, board_in_camera: Pose) -> FloatArray:
        """Grey values where `rays` (h, w, 2) meet the sheet's plane, by the plane's homography."""
        plane = np.linalg.inv(board_in_camera[:3, [0, 1, 3]]).astype(np.float32)
        u, v = rays[..., 0], rays[..., 1]
        x, y, depth = (row[0] * u + row[1] * v + row[2] for row in plane)
        scale = PIXELS_PER_SQUARE / self._board.square
        with np.errstate(divide="ignore", invalid="ignore"):
            column = (x / depth * scale + (self._margin - 0.5)).astype(np.float32)
            row = (y / depth * scale + (self._margin - 0.5)).astype(np.float32)
        behind = ~(depth > 0.0)
        column[behind], row[behind] = -1e4, -1e4
        constant = cv2.BORDER_CONSTANT
        seen = cv2.remap(self._sheet, column, row, cv2.INTER_LINEAR, borderMode=constant, borderValue=BACKGROUND)
        return np.asarray(seen)


@lru_cache(maxsize=4)
def rays(camera: SensorCalibration) -> FloatArray:
    """Directions x / z, y / z (PARTS height, PARTS width, 2) of the parts of each pixel, the lens undone.

    Undone at the pixels' centres; between two of them a lens is straight to 1e-4 pixel.
    """
    pixels = np.stack(np.meshgrid(np.arange(-1.0, camera.width + 1), np.arange(-1.0, camera.height + 1)), axis=-1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 40, 1e-9)
    undone = cv2.undistortPointsIter(
        pixels.reshape(-1, 1, 2), camera.pinhole.matrix, np.array(camera.distortion), np.eye(3), np.eye(3), criteria
    )
    coarse = undone.reshape(camera.height + 2, camera.width + 2, 2)
    size = ((camera.width + 2) * PARTS, (camera.height + 2) * PARTS)
    fine = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[PARTS:-PARTS, PARTS:-PARTS]
    return np.ascontiguousarray(fine, dtype=np.float32)
