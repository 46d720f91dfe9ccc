"""The ChArUco board: what it is, where its corners are, and how it looks. One YAML file per printed board.

The board's frame is OpenCV's: origin at the outer corner of the first square, x to the right, y down the sheet, z into
it. Inner corners are numbered row by row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from gmps_robot import config
from gmps_robot.errors import ConfigError, nearest
from gmps_robot.types import FloatArray, ImageArray

DICTIONARIES = tuple(name for name in dir(cv2.aruco) if name.startswith("DICT_") and "APRILTAG" not in name)
LARGEST = 2.0  # of a board [m]


@dataclass(frozen=True)
class BoardSpec:
    """One board, by what is measured on its sheet."""

    squares_x: int = 8
    squares_y: int = 6
    square: float = 0.030  # edge of a square, measured on the print [m]
    marker: float = 0.0225  # edge of a marker, by the same measure [m]
    dictionary: str = "DICT_5X5_100"

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: too few squares, a size that makes no sense, an unknown or too small dictionary.
        """
        if self.squares_x < 3 or self.squares_y < 3:
            raise ConfigError(f"board: {self.squares_x} x {self.squares_y} squares; at least 3 x 3 are needed")
        if self.square < 0.002 or max(self.squares_x, self.squares_y) * self.square > LARGEST:
            raise ConfigError(f"board: square = {self.square} m; expected metres, of a board of at most {LARGEST:g} m")
        if not 0.3 * self.square <= self.marker <= 0.95 * self.square:
            raise ConfigError(f"board: marker = {self.marker} m; expected 0.3 to 0.95 of the square of {self.square} m")
        if self.dictionary not in DICTIONARIES:
            raise ConfigError(f"board: dictionary {self.dictionary!r}{nearest(self.dictionary, DICTIONARIES)}")
        room = len(_dictionary(self.dictionary).bytesList)
        if self.squares_x * self.squares_y // 2 > room:
            raise ConfigError(
                f"board: {self.squares_x} x {self.squares_y} squares need more than the {room} markers "
                f"of {self.dictionary}"
            )

    @property
    def width(self) -> float:
        """Of the squares [m]."""
        return self.squares_x * self.square

    @property
    def height(self) -> float:
        """Of the squares [m]."""
        return self.squares_y * self.square

    @property
    def corners(self) -> FloatArray:
        """(N, 3) inner corners in the board's frame [m], by id."""
        return np.array(charuco(self).getChessboardCorners(), dtype=np.float64)

    @property
    def center(self) -> FloatArray:
        """(3,) the middle of the board in its frame [m]."""
        return np.array([self.width / 2.0, self.height / 2.0, 0.0])

    def measured(self, square: float) -> BoardSpec:
        """Return the board as a print of it measures, with squares of `square` [m]; markers scale along.

        Raises:
            ConfigError: the square makes no sense.
        """
        return replace(self, square=square, marker=self.marker * square / self.square)

    def picture(self, pixels: int, margin: int = 0) -> ImageArray:
        """Return the sheet, grey, with `pixels` per square and a white margin of `margin` pixels around it."""
        size = (self.squares_x * pixels + 2 * margin, self.squares_y * pixels + 2 * margin)
        return np.asarray(charuco(self).generateImage(size, marginSize=margin), dtype=np.uint8)


def load_board(path: Path) -> BoardSpec:
    """Read the YAML of a board.

    Raises:
        ConfigError: the file is missing or not YAML, or holds an unknown key or a bad value.
    """
    return config.load(BoardSpec, path)


@cache
def charuco(board: BoardSpec) -> cv2.aruco.CharucoBoard:
    """Return the board as OpenCV has it."""
    return cv2.aruco.CharucoBoard(
        (board.squares_x, board.squares_y), board.square, board.marker, _dictionary(board.dictionary)
    )


@cache
def _dictionary(name: str) -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))
