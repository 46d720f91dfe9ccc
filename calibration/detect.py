"""Finding the board in an image, and saying why it is not found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import DICTIONARIES, BoardSpec, charuco
from calibration.lens import project
from calibration.poses import Pose, from_rotation_vector, pose, transform
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray, ImageArray

_CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-12)
FEWEST = 8  # corners below which a view says little
LIKELY = ("DICT_4X4_50", "DICT_4X4_250", "DICT_5X5_100", "DICT_5X5_250", "DICT_6X6_250", "DICT_7X7_250",
          "DICT_ARUCO_ORIGINAL")  # fmt: skip


@dataclass(frozen=True)
class Corners:
    """The corners seen in one image."""

    ids: NDArray[np.int64]  # (n,) ascending
    pixels: FloatArray  # (n, 2)

    def points(self, board: BoardSpec) -> FloatArray:
        """(n, 3) the same corners in the board's frame [m]."""
        return board.corners[self.ids]


def detect(image: ImageArray, board: BoardSpec) -> Corners | None:
    """Return the corners of `board` in `image` (height, width[, 3]), to a few hundredths of a pixel; None without one.

    A view with less than `FEWEST` corners, or with all of them on one line, counts as none.
    """
    found, ids, _, _ = _detector(board).detectBoard(_grey(image))
    if found is None or len(found) < FEWEST:
        return None
    numbers = ids.ravel().astype(np.int64)
    columns = board.squares_x - 1
    if len(set(numbers // columns)) < 2 or len(set(numbers % columns)) < 2:
        return None
    order = np.argsort(numbers)
    return Corners(numbers[order], found.reshape(-1, 2).astype(np.float64)[order])


def board_pose(corners: Corners, board: BoardSpec, camera: SensorCalibration) -> tuple[Pose, float]:
    """Return the board's pose in the optical frame and the rms of its reprojection [pixel].

    Raises:
        CalibrationError: the corners fit no pose.
    """
    points, distortion = corners.points(board), np.array(camera.distortion)
    matrix = camera.pinhole.matrix
    done, turn, shift = cv2.solvePnP(points, corners.pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE)
    if not done:
        raise CalibrationError("the board's pose cannot be found from its corners")
    turn, shift = cv2.solvePnPRefineLM(points, corners.pixels, matrix, distortion, turn, shift, _CRITERIA)
    vector, translation = (np.asarray(part, dtype=np.float64).ravel() for part in (turn, shift))
    found = pose(from_rotation_vector(vector), translation)
    error = project(transform(found, points), camera) - corners.pixels
    return found, float(np.sqrt((error**2).sum(1).mean()))


def why_not(image: ImageArray, board: BoardSpec) -> str:
    """Return what is in `image` where `board` is not found: a mirrored board, another one, or none."""
    grey = _grey(image)
    expected = set(range(board.squares_x * board.squares_y // 2))
    seen = _markers(grey, board.dictionary)
    if seen and not seen <= expected:
        return (f"wrong board: markers {sorted(seen - expected)[:4]} are not on a board of "
                f"{board.squares_x} x {board.squares_y} squares")
    if seen:
        return f"only {len(seen)} of {len(expected)} markers can be read: too far, too blurred, or covered"
    if len(_markers(np.ascontiguousarray(grey[:, ::-1]), board.dictionary)) >= 2:
        return "mirrored: the image (or the print) is flipped left to right; switch the camera's mirroring off"
    for name in LIKELY:
        if name != board.dictionary and name in DICTIONARIES and len(_markers(grey, name)) >= 3:
            return f"wrong board: these are markers of {name}, the board's are of {board.dictionary}"
    return "no board in the image"


def sharpness(image: ImageArray, corners: Corners) -> float:
    """Return the steepest grey step per pixel around the corners, as a share of the contrast: about 0.5 when sharp."""
    grey = _grey(image).astype(np.float32)
    low, high = corners.pixels.min(0).astype(int), corners.pixels.max(0).astype(int) + 1
    part = grey[max(low[1], 1) : high[1], max(low[0], 1) : high[0]]
    if min(part.shape) < 3:
        return 0.0
    dark, bright = np.percentile(part, (5, 95))
    steps = np.hypot(*np.gradient(part))
    return float(np.percentile(steps, 97) / max(bright - dark, 1.0))


@cache
def _detector(board: BoardSpec) -> cv2.aruco.CharucoDetector:
    return cv2.aruco.CharucoDetector(charuco(board))


def _markers(grey: ImageArray, dictionary: str) -> set[int]:
    table = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary))
    _, ids, _ = cv2.aruco.ArucoDetector(table).detectMarkers(grey)
    return set() if ids is None else {int(number) for number in ids.ravel()}


def _grey(image: ImageArray) -> ImageArray:
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
