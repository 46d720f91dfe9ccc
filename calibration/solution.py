"""What `solve` hands over: one rig's camera and where it is, how sure that is, how well it predicts unseen views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.board import BoardSpec
from calibration.capture import Setup
from gmps_robot import config
from gmps_robot.errors import ConfigError
from gmps_robot.rig import FramePose, SensorCalibration

FILE = "solution.yaml"
RMS_PIXELS = 0.5  # of the intrinsics, on the views used
HELD_OUT = (1.0, 3e-3, 0.5)  # pixel, m, degrees: what a calibration for tasks of centimetres must reach


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class HeldOut:
    """Errors on views the calibration had not seen (root mean squares), where the arm says the board is."""

    pixel: Interval  # of the corners [pixel]
    position: Interval  # of the board's centre [m]
    rotation: Interval  # [degrees]

    @property
    def good(self) -> bool:
        """Whether it passes `HELD_OUT`."""
        return all(i.value <= bar for i, bar in zip((self.pixel, self.position, self.rotation), HELD_OUT, strict=True))


@dataclass(frozen=True)
class Solution:
    """One solved capture."""

    setup: Setup
    camera: SensorCalibration
    camera_pose: FramePose  # optical frame in `base` (eye_to_hand) or in the hand (eye_in_hand)
    board_pose: FramePose  # board in the hand (eye_to_hand) or in `base` (eye_in_hand)
    covariance: tuple[float, ...]  # (36,) of camera_pose: x y z [m], then rotation vector [rad], in its parent's axes
    deviations: tuple[float, ...]  # (9,) of fx fy cx cy k1 k2 p1 p2 k3
    distortion_terms: int
    intrinsics_rms: float  # [pixel]
    held_out: HeldOut
    arm_position: float  # accuracy of the arm's poses that the views tell, one axis [m]
    arm_rotation: float  # [degrees]
    pixel_noise: float  # of a corner, one axis [pixel]
    methods: dict[str, HeldOut]  # closed forms and the bundle adjustment, on the same left-out views
    views: tuple[str, ...]  # that were used
    dropped: dict[str, str]  # views that were not, and why
    board: BoardSpec
    capture: str  # content id
    date: str  # ISO 8601, when it was solved
    format: int = 1

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: the covariance has not 36 values, or the deviations have not 9.
        """
        if len(self.covariance) != 36 or len(self.deviations) != 9:
            raise ConfigError(
                f"solution: covariance has {len(self.covariance)} values and deviations {len(self.deviations)}; "
                "expected 36 and 9: the file was edited by hand? solve the capture again"
            )

    @property
    def passed(self) -> bool:
        """Whether intrinsics and held-out views pass their thresholds."""
        return self.intrinsics_rms <= RMS_PIXELS and self.held_out.good


def load_solution(path: Path) -> Solution:
    """Read a solution, or the one in the directory `path`.

    Raises:
        ConfigError: there is none, or the file does not read: it was edited by hand, or is of another version.
    """
    file = path if path.is_file() else path / FILE
    if not file.is_file():
        raise ConfigError(f"no solution in {path}: {FILE} is missing; make it with gmps calibrate solve {path}")
    return config.load(Solution, file)
