"""Where a printed ArUco marker on an object lies, from one picture of a calibrated camera. Seen, or why not: no guess.

The object stands on the table, so three numbers say where the marker is: x, y and its turn about the vertical. The
height is known, which makes a marker of a few pixels good to a millimetre; one that does not lie flat at that height
does not fit, and is said to be somewhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import DICTIONARIES
from calibration.poses import Pose, inverse, matrix, pose, skew, transform
from gmps_robot import config
from gmps_robot.errors import ConfigError, nearest
from gmps_robot.rig import Pinhole, RigCalibration
from gmps_robot.types import FloatArray, ImageArray

FITS = 0.6  # rms of the corners about a marker that lies flat; more does not: tilted, lifted, or misread [pixel]
CORNER = 0.15  # standard deviation of a refined corner; less is not believed [pixel]
LARGER, WINDOW = 3, 5  # refinement: enlargement, and half side of its window in the enlarged picture [pixel]
MARGIN = 8  # around the marker [pixel]
ITERATIONS = 8


@dataclass(frozen=True)
class MarkerSpec:
    """What is printed, and where on the object it is stuck: flat, centred, first row towards +y of the object."""

    dictionary: str = "DICT_4X4_50"
    number: int = 0
    size: float = 0.03  # side of the black square [m]
    height: float = 0.04  # of the print above the table [m]
    above: float = 0.02  # of the print over the middle of the object [m]

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: no such dictionary or number, or a length that is not positive.
        """
        if self.dictionary not in DICTIONARIES:
            raise ConfigError(f"marker: dictionary = {self.dictionary!r}{nearest(self.dictionary, DICTIONARIES)}")
        count = len(_dictionary(self.dictionary).bytesList)
        if not 0 <= self.number < count:
            raise ConfigError(f"marker: number = {self.number}; {self.dictionary} has 0 to {count - 1}")
        if not (self.size > 0.0 and self.height >= 0.0 and self.above >= 0.0):
            raise ConfigError(f"marker: size = {self.size}, height = {self.height}, above = {self.above} m: no lengths")

    @property
    def cells(self) -> NDArray[np.bool_]:
        """(n, n) white cells of the print with one cell of white around it, row by row."""
        table = _dictionary(self.dictionary)
        inner = cv2.aruco.generateImageMarker(table, self.number, table.markerSize + 2) > 127
        return np.pad(inner, 1, constant_values=True)

    @property
    def print_size(self) -> float:
        """Side of the whole print [m]."""
        n = len(self.cells)
        return self.size * n / (n - 2)

    @property
    def corners(self) -> FloatArray:
        """(4, 3) corners of the black square about its middle [m], in the order in which detectors give them."""
        half = 0.5 * self.size
        return np.array([[-half, half, 0.0], [half, half, 0.0], [half, -half, 0.0], [-half, -half, 0.0]])


def load_marker(path: str) -> MarkerSpec:
    """Read what is printed on the object; the marker on the block of the push family where `path` is empty.

    Raises:
        ConfigError: no such file, or no such marker.
    """
    return config.load(MarkerSpec, Path(path)) if path else MarkerSpec()


@dataclass(frozen=True)
class Sighting:
    """One look for the marker. `place` is the middle of the object in `base`."""

    seen: bool
    reason: str = ""  # why it was not seen
    place: Pose = field(default_factory=lambda: np.eye(4))  # (4, 4), level
    covariance: FloatArray = field(default_factory=lambda: np.zeros((6, 6)))  # x y z, rotation about x y z [m, rad]
    rms: float = np.nan  # of the corners [pixel]


class MarkerFinder:
    """Looks for one marker in the undistorted pictures of one rig's camera."""

    def __init__(self, spec: MarkerSpec, rig: RigCalibration, lens: Pinhole) -> None:
        """`lens` is the pinhole of the pictures: undistorted, cropped and resized as they are."""
        self._spec, self._lens = spec, lens
        self._level = rig.table_height + spec.height
        self._camera = inverse(matrix(rig.camera_to_base))  # base in the optical frame
        self._rig_covariance = np.array(rig.origin.covariance or np.zeros(36)).reshape(6, 6)
        self._origin = np.array(rig.camera_to_base.position)

    def find(self, image: ImageArray) -> Sighting:
        """Look for the marker in `image`, RGB (height, width, 3)."""
        size = (self._lens.height, self._lens.width)
        if image.shape[:2] != size:
            return Sighting(False, f"the picture has {image.shape[1]}x{image.shape[0]} pixels, not {size[1]}x{size[0]}")
        found = marker_corners(image, self._spec)
        return Sighting(False, found) if isinstance(found, str) else self._place(found)

    def _place(self, pixels: FloatArray) -> Sighting:
        """Fit x, y and the turn to the corners (4, 2)."""
        values = self._start(pixels)
        for _ in range(ITERATIONS):
            predicted, by_values, by_camera = self._predict(values)
            change = np.linalg.lstsq(by_values, (pixels - predicted).ravel(), rcond=None)[0]
            values = values + change
        rms = float(np.sqrt(((pixels - self._predict(values)[0]) ** 2).sum(1).mean()))
        if not rms <= FITS:
            return Sighting(False, f"the marker does not lie flat {1e3 * self._level:.0f} mm high: {rms:.1f} px off")
        gain = np.linalg.pinv(by_values)
        of_rig = gain @ by_camera  # what an error of the camera's pose does to x, y and turn
        spread = max(CORNER, rms) ** 2 * gain @ gain.T + of_rig @ self._rig_covariance @ of_rig.T
        covariance = np.zeros((6, 6))
        covariance[np.ix_((0, 1, 5), (0, 1, 5))] = spread
        turn = _turned(values[2])
        middle = np.array([values[0], values[1], self._level - self._spec.above])
        return Sighting(True, "", pose(turn, middle), covariance, rms)

    def _start(self, pixels: FloatArray) -> FloatArray:
        """x, y and turn by the corners' rays, which meet the marker's height somewhere."""
        lens, to_base = self._lens, inverse(self._camera)
        rays = np.stack([(pixels[:, 0] - lens.cx) / lens.fx, (pixels[:, 1] - lens.cy) / lens.fy, np.ones(4)], axis=1)
        rays = rays @ to_base[:3, :3].T
        places = self._origin + rays * ((self._level - self._origin[2]) / rays[:, 2])[:, None]
        across = places[1] + places[2] - places[0] - places[3]
        return np.array([*places[:, :2].mean(0), np.arctan2(across[1], across[0])])

    def _predict(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Corners (4, 2) for x, y, turn; their derivatives by these (8, 3) and by the camera's pose (8, 6)."""
        turn = _turned(values[2])
        arms = self._spec.corners @ turn.T
        points = arms + np.array([values[0], values[1], self._level])
        local = transform(self._camera, points)
        z = local[:, 2]
        lens = self._lens
        pixels = np.stack([lens.cx + lens.fx * local[:, 0] / z, lens.cy + lens.fy * local[:, 1] / z], axis=1)
        by_local = np.zeros((4, 2, 3))
        by_local[:, 0, 0], by_local[:, 1, 1] = lens.fx / z, lens.fy / z
        by_local[:, 0, 2], by_local[:, 1, 2] = -lens.fx * local[:, 0] / z**2, -lens.fy * local[:, 1] / z**2
        by_point = by_local @ self._camera[:3, :3]
        by_values = np.zeros((4, 3, 3))  # of each point
        by_values[:, 0, 0] = by_values[:, 1, 1] = 1.0
        by_values[:, 0, 2], by_values[:, 1, 2] = -arms[:, 1], arms[:, 0]
        by_pose = np.zeros((4, 3, 6))  # a camera that moves one way sees points move the other way
        by_pose[:, :, :3] = -np.eye(3)
        by_pose[:, :, 3:] = skew(points - self._origin)
        return pixels, (by_point @ by_values).reshape(8, 3), (by_point @ by_pose).reshape(8, 6)


def marker_corners(image: ImageArray, spec: MarkerSpec) -> FloatArray | str:
    """Return the corners (4, 2) [pixel] of the marker in `image`, RGB (height, width, 3), or why there are none."""
    grey: ImageArray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    found, numbers, _ = _detector(spec.dictionary).detectMarkers(grey)
    seen = [] if numbers is None else numbers.ravel().tolist()
    ours = [corners for corners, number in zip(found, seen, strict=True) if number == spec.number]
    if len(ours) > 1:
        return f"{len(ours)} markers of number {spec.number} in the picture"
    if not ours:
        others = f"; there are markers {sorted(set(seen))}" if seen else ""
        return f"marker {spec.number} of {spec.dictionary} is not to be seen{others}"
    return _refined(grey, ours[0].reshape(4, 2).astype(np.float64))


def _turned(angle: float) -> FloatArray:
    """Rotation (3, 3) by `angle` [rad] about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _refined(grey: ImageArray, corners: FloatArray) -> FloatArray:
    """Corners (4, 2) to a tenth of a pixel, in an enlarged cut-out: the cells of a small marker are 3 pixels wide."""
    low = np.maximum(np.floor(corners.min(0)).astype(int) - MARGIN, 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + MARGIN + 1, grey.shape[::-1])
    part = cv2.resize(grey[low[1] : high[1], low[0] : high[0]], None, fx=LARGER, fy=LARGER,
                      interpolation=cv2.INTER_CUBIC)  # fmt: skip
    start = ((corners - low + 0.5) * LARGER - 0.5).astype(np.float32).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 40, 0.005)
    found = cv2.cornerSubPix(part, start, (WINDOW, WINDOW), (-1, -1), criteria).reshape(4, 2)
    return np.asarray((found + 0.5) / LARGER - 0.5 + low, dtype=np.float64)


@cache
def _dictionary(name: str) -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


@cache
def _detector(name: str) -> cv2.aruco.ArucoDetector:
    return cv2.aruco.ArucoDetector(_dictionary(name))
