"""One measured rig: its camera, where that stands, the table, and how late everything is. One YAML file per rig.

Conventions of OpenCV: the optical frame has x right, y down, z forward, and a pixel centre has integer coordinates. SI
units; quaternions x y z w. `nominal` is the rig of the twin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gmps_robot import config
from gmps_robot.errors import ConfigError, nearest
from gmps_robot.types import FloatArray

SHIPPED = Path(__file__).with_name("rigs")
NOMINAL = "nominal"
ID = "id"  # key of a written calibration that holds its own content id


def _check_finite(what: str, values: Iterable[float]) -> None:
    bad = [value for value in values if not math.isfinite(value)]
    if bad:
        raise ConfigError(f"{what}: {bad[0]} is not a finite number")


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion, and the size of its images [pixel]."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @property
    def matrix(self) -> FloatArray:
        """K (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def cropped(self, x: int, y: int, width: int, height: int) -> Pinhole:
        """The camera of the part of the image that begins at pixel (`x`, `y`)."""
        return Pinhole(width, height, self.fx, self.fy, self.cx - x, self.cy - y)

    def resized(self, width: int, height: int) -> Pinhole:
        """The camera of the image resized to `width` x `height`."""
        sx, sy = width / self.width, height / self.height
        return Pinhole(
            width, height, self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        )


@dataclass(frozen=True)
class SensorCalibration:
    """The camera as it delivers its images, and the part of them that the policy sees."""

    width: int  # [pixel]
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float]  # k1 k2 p1 p2 k3, as OpenCV and `plumb_bob` have them
    crop: tuple[int, int, int, int]  # x, y, width, height in the undistorted image [pixel]

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: a size or focal length is not positive, a number is not finite, or the crop leaves the image.
        """
        _check_finite("camera", (self.fx, self.fy, self.cx, self.cy, *self.distortion))
        if self.width < 1 or self.height < 1 or self.fx <= 0 or self.fy <= 0:
            size = f"{self.width}x{self.height}"
            raise ConfigError(f"camera: size {size} and focal lengths {self.fx}, {self.fy} must be positive")
        x, y, width, height = self.crop
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > self.width or y + height > self.height:
            raise ConfigError(
                f"camera: crop = {list(self.crop)} (x, y, width, height) leaves the image of {self.width}x{self.height}"
            )

    @property
    def pinhole(self) -> Pinhole:
        """The whole image once undistorted."""
        return Pinhole(self.width, self.height, self.fx, self.fy, self.cx, self.cy)

    def policy(self, width: int, height: int) -> Pinhole:
        """What the policy's image of `width` x `height` pixels sees: undistorted, cropped, resized."""
        return self.pinhole.cropped(*self.crop).resized(width, height)


@dataclass(frozen=True)
class FramePose:
    """Pose of a frame in the `base` frame."""

    position: tuple[float, float, float]  # [m]
    quaternion: tuple[float, float, float, float]  # x y z w

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: a number is not finite, or the quaternion is not of length 1.
        """
        _check_finite("camera_to_base", (*self.position, *self.quaternion))
        if abs(math.hypot(*self.quaternion) - 1.0) > 1e-6:
            raise ConfigError(f"camera_to_base: quaternion = {list(self.quaternion)} (x, y, z, w) is not of length 1")

    @property
    def rotation(self) -> FloatArray:
        """(3, 3), from the frame to `base`."""
        x, y, z, w = self.quaternion
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )


@dataclass(frozen=True)
class Latencies:
    """How late the rig's signals are [s]."""

    image: float = 0.0  # from the exposure to the grab; the camera node takes it off its stamps
    state: float = 0.0  # from the motion to the stamp of the arm's state
    command: float = 0.0  # from a command to the motion

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: a latency is negative, not finite, or longer than a second.
        """
        for name, value in config.to_dict(self).items():
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"latency: {name} = {value} s; valid: 0 to 1")

    @property
    def any(self) -> bool:
        """Whether anything is late at all."""
        return (self.image, self.state, self.command) != (0.0, 0.0, 0.0)


_PER_JOINT = (1.0,) * 7


@dataclass(frozen=True)
class ServoFit:
    """The rig's joint servos as factors of the twin's nominal ones, joint by joint."""

    stiffness: tuple[float, float, float, float, float, float, float] = _PER_JOINT
    damping: tuple[float, float, float, float, float, float, float] = _PER_JOINT
    friction: tuple[float, float, float, float, float, float, float] = _PER_JOINT

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: a factor is not positive and finite.
        """
        for name, factors in config.to_dict(self).items():
            bad = [factor for factor in factors if not (math.isfinite(factor) and factor > 0.0)]
            if bad:
                raise ConfigError(f"servo: {name} = {factors}: {bad[0]} is no positive number")


@dataclass(frozen=True)
class Residuals:
    """What the calibration left unexplained, on views it has not used; zero: not measured."""

    reprojection: float = 0.0  # rms [pixel]
    position: float = 0.0  # of the camera, median [m]
    rotation: float = 0.0  # [rad]


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from; empty: nobody has said."""

    date: str = ""  # when the camera was calibrated, ISO 8601
    capture: str = ""  # content id of the pictures and poses it was calibrated from
    covariance: tuple[float, ...] = ()  # (36,) of `camera_to_base`: x y z [m], rotation vector in `base` [rad]

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: the covariance is not finite, or is neither empty nor 6 x 6.
        """
        _check_finite("origin: covariance", self.covariance)
        if len(self.covariance) not in (0, 36):
            raise ConfigError(f"origin: covariance has {len(self.covariance)} values; valid: none, or 36")


@dataclass(frozen=True)
class RigCalibration:
    """One rig. Loaded by `load_rig`; `rig_id` changes with any of its values."""

    name: str
    camera: SensorCalibration
    camera_to_base: FramePose  # of the optical frame
    table_height: float  # z of the table in the base frame [m]
    latency: Latencies = Latencies()
    latency_error: Latencies = Latencies()  # half of the 95 % interval of each
    residuals: Residuals = Residuals()
    servo: ServoFit = ServoFit()
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: the table's height is not finite.
        """
        _check_finite("table_height", (self.table_height,))

    @property
    def rig_id(self) -> str:
        """What checkpoints and episodes are stamped with: `nominal` for the twin's rig, else a content id."""
        return NOMINAL if self == load_rig(NOMINAL) else config.content_id(self)


def load_rig(name_or_path: str | Path) -> RigCalibration:
    """Read the calibration of a rig from a YAML file, or a shipped one by name.

    Raises:
        ConfigError: no such file or name, a key that is unknown (the nearest is named) or missing, a bad value, or
            numbers that do not give the id that the file states.
    """
    named = SHIPPED / f"{name_or_path}.yaml"
    path = named if named.is_file() else Path(name_or_path)
    if not path.is_file():
        shipped = [p.stem for p in SHIPPED.glob("*.yaml")]
        raise ConfigError(f"no rig calibration at {str(name_or_path)!r}{nearest(str(name_or_path), shipped)}")
    try:
        raw = config.read(path)
        stated = raw.pop(ID, None)
        rig = config.from_dict(RigCalibration, raw, str(path))
    except ConfigError as error:
        said = str(error)
        raise ConfigError(said if str(path) in said else f"{path}: {said}") from error
    if stated is not None and stated != rig.rig_id:
        raise ConfigError(
            f"{path}: its numbers give the id {rig.rig_id}, the file says {stated}: it was edited by hand after "
            "`gmps calibrate` wrote it. Calibrate again; or, if the change is meant, delete the line that begins `id:`"
        )
    return rig


def save_rig(rig: RigCalibration, path: Path) -> None:
    """Write `rig` as YAML with its own id, by which `load_rig` notices a change made by hand."""
    config.write({ID: rig.rig_id, **config.to_dict(rig)}, path)
