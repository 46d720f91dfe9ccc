"""Pictures of a board for the self-test: by exact projection, or rendered in MuJoCo and bent by the lens afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from calibration.board import BoardSpec
from calibration.drawing import BoardPainter, rays
from calibration.poses import Pose, pose
from calibration.synthetic import Painter
from gmps_robot.rig import Pinhole, SensorCalibration
from gmps_robot.types import FloatArray, ImageArray

PIXELS_PER_SQUARE = 160
GREY_NOISE = 2.0
FINER, WIDER = 2, 1.5  # a straight picture that is bent afterwards is finer, and sees more


@contextmanager
def painter(full: bool, board: BoardSpec, lens: SensorCalibration, rng: np.random.Generator) -> Iterator[Painter]:
    """Give a function from the board's pose in the optical frame to a noisy picture; `full`: rendered by OpenGL.

    Raises:
        RenderError: `full`, and this machine has neither EGL nor OSMesa.
    """
    if not full:
        drawn = BoardPainter(board, lens)
        yield lambda there: drawn.image(there, rng, GREY_NOISE)
        return
    rendered = BoardRenderer(board, lens)
    try:
        yield lambda there: noisy(rendered.image(there), rng)
    finally:
        rendered.close()


class BoardRenderer:
    """Renders a board with OpenGL as a camera with this lens sees it."""

    def __init__(self, board: BoardSpec, lens: SensorCalibration) -> None:
        """Open the renderer.

        Raises:
            RenderError: this machine has neither EGL nor OSMesa.
        """
        from sim.render.board import SheetRenderer  # MuJoCo is only needed here

        edge = board.square / 2.0
        self._corner = pose(np.eye(3), np.array([-edge, -edge, 0.0]))
        self._maps, self._size = None, (lens.width, lens.height)
        straight = lens.pinhole
        if any(lens.distortion):
            straight = _wider(lens)
            self._maps = _bending(lens, straight)
        picture = board.picture(PIXELS_PER_SQUARE, PIXELS_PER_SQUARE // 2)
        self._sheet = SheetRenderer(picture, board.width + board.square, board.height + board.square, straight)

    def image(self, board_in_camera: Pose) -> ImageArray:
        """Return (height, width, 3) with the board at this pose (4, 4) in the optical frame."""
        there = board_in_camera @ self._corner
        straight = self._sheet.image(there[:3, :3], there[:3, 3])
        if self._maps is None:
            return straight
        fine = cv2.remap(straight, *self._maps, cv2.INTER_LINEAR)
        return np.asarray(cv2.resize(fine, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._sheet.close()


def noisy(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Return `image` with grey noise, the same in each colour."""
    noise = rng.normal(0.0, GREY_NOISE, image.shape[:2])[..., None]
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _wider(lens: SensorCalibration) -> Pinhole:
    width, height = round(lens.width * FINER * WIDER), round(lens.height * FINER * WIDER)
    fx, fy = lens.fx * FINER, lens.fy * FINER
    return Pinhole(width, height, fx, fy, (width - 1) / 2, (height - 1) / 2)


def _bending(lens: SensorCalibration, straight: Pinhole) -> tuple[FloatArray, FloatArray]:
    """Where in the straight picture each part of a pixel of the bent one comes from."""
    along = rays(lens)
    columns, rows = along[..., 0] * straight.fx + straight.cx, along[..., 1] * straight.fy + straight.cy
    return columns.astype(np.float32), rows.astype(np.float32)
