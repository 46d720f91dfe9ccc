"""Where frames come from: a camera device, a network stream, a video file, or a folder of stamped pictures."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from gmps_robot.camera.devices import fault_of, listed, video_devices
from gmps_robot.errors import ConfigError, ObservationError
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import ImageArray

OPEN_TIMEOUT, READ_TIMEOUT = 5000, 2000  # of network streams [ms]
USUAL_RATE = 30.0  # of a device or stream that does not tell its own [1/s]
PICTURES = (".png", ".jpg", ".jpeg")
FORMS = "a number or /dev/videoN, a rtsp:// or http:// address, a video file, a folder of pictures <stamp in ns>.png"


class Source(Protocol):
    """A camera, or what stands for one."""

    @property
    def frame_period(self) -> float | None:
        """Of a live source, whose grab waits for the next frame [s]; None where the source keeps time by itself."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its frames [pixel]."""
        ...

    def grab(self) -> bool:
        """Wait for the next frame and take it. False: there is none any more, or the device is gone."""
        ...

    def retrieve(self) -> ImageArray | None:
        """Return the frame of the last grab, (height, width, 3) RGB; None where it arrived broken.

        Raises:
            ObservationError: a recording that cannot be read.
        """
        ...

    def close(self) -> None:
        """Give the device back."""
        ...


class VideoSource:
    """Anything that OpenCV opens. `period` given: a file, played at that pace; else live."""

    def __init__(self, capture: cv2.VideoCapture, period: float | None = None) -> None:
        self._capture = capture
        self._pace = None if period is None else Pace(time.monotonic, time.sleep)
        self._period, self._count = period, 0

    @property
    def frame_period(self) -> float | None:
        """See `Source.frame_period`."""
        if self._pace is not None:
            return None
        return 1.0 / (float(self._capture.get(cv2.CAP_PROP_FPS)) or USUAL_RATE)

    @property
    def size(self) -> tuple[int, int]:
        """See `Source.size`."""
        width, height = (self._capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        return int(width), int(height)

    def grab(self) -> bool:
        """See `Source.grab`."""
        if self._pace is not None and self._period is not None:
            self._pace.wait(self._count * self._period)
            self._count += 1
        return bool(self._capture.grab())

    def retrieve(self) -> ImageArray | None:
        """See `Source.retrieve`."""
        decoded, frame = self._capture.retrieve()
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8) if decoded else None

    def close(self) -> None:
        """See `Source.close`."""
        self._capture.release()


class FolderSource:
    """Pictures whose file names are their stamps in ns, replayed at the pace of those stamps."""

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Read the names.

        Raises:
            ConfigError: no pictures, or a name that is not a stamp.
        """
        self._files = sorted((p for p in folder.iterdir() if p.suffix.lower() in PICTURES), key=_stamp)
        if not self._files:
            raise ConfigError(f"camera source {folder}: no picture in this folder ({', '.join(PICTURES)})")
        self._pace, self._next = Pace(clock, sleep), 0

    @property
    def frame_period(self) -> float | None:
        """None: it keeps time by itself."""
        return None

    @property
    def size(self) -> tuple[int, int]:
        """See `Source.size`."""
        height, width, _ = _read(self._files[0]).shape
        return width, height

    def grab(self) -> bool:
        """See `Source.grab`."""
        if self._next == len(self._files):
            return False
        self._pace.wait((_stamp(self._files[self._next]) - _stamp(self._files[0])) * 1e-9)
        self._next += 1
        return True

    def retrieve(self) -> ImageArray:
        """See `Source.retrieve`."""
        return _read(self._files[self._next - 1])

    def close(self) -> None:
        """Nothing to give back."""


class Pace:
    """Waits until so many seconds have passed since the first call."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep = clock, sleep
        self._begun: float | None = None

    def wait(self, elapsed: float) -> None:
        """Return `elapsed` [s] after the first call."""
        now = self._clock()
        self._begun = now if self._begun is None else self._begun
        self._sleep(max(0.0, self._begun + elapsed - now))


def is_finite(spec: str) -> bool:
    """Whether the source has an end: a file or a folder, not a device or a stream."""
    return not _is_address(spec) and _device(spec) is None


def open_source(spec: str, sensor: SensorCalibration) -> Source:
    """Open what `spec` names (see `FORMS`); a device is asked for the size that `sensor` was calibrated with.

    Raises:
        ConfigError: `spec` names nothing there is (the devices of this machine are listed), or its frames have another
            size than the rig was calibrated with.
        ObservationError: it is there and cannot be opened or read.
    """
    source = _open(spec, sensor)
    wanted = (sensor.width, sensor.height)
    if source.size != wanted:
        got = source.size
        source.close()
        raise ConfigError(
            f"camera {spec} gives images of {got[0]}x{got[1]}; the rig was calibrated with {wanted[0]}x{wanted[1]}: "
            "set the camera to that size (v4l2-ctl --list-formats-ext lists what it can), or calibrate it at this one"
        )
    return source


def _open(spec: str, sensor: SensorCalibration) -> Source:
    device, path = _device(spec), Path(spec)
    if device is not None:
        return _open_device(device, sensor)
    if _is_address(spec):
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT]
        capture = cv2.VideoCapture(spec, cv2.CAP_FFMPEG, timeouts)
        return VideoSource(_opened(capture, spec, "check the address, and that the camera answers on the network"))
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise ConfigError(f"camera source {spec!r} is not there; {listed(video_devices())}; valid: {FORMS}")
    capture = _opened(cv2.VideoCapture(spec, cv2.CAP_FFMPEG), spec, "it is no video that FFmpeg reads")
    return VideoSource(capture, 1.0 / (float(capture.get(cv2.CAP_PROP_FPS)) or USUAL_RATE))


def _open_device(device: Path, sensor: SensorCalibration) -> VideoSource:
    fault = fault_of(device)
    if fault:
        raise ConfigError(f"camera {device}: {fault}; {listed(video_devices())}")
    capture = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
    advice = f"it is no camera, or another program holds it (fuser -v {device}); {listed(video_devices())}"
    _opened(capture, str(device), advice)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, sensor.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, sensor.height)
    return VideoSource(capture)


def _opened(capture: cv2.VideoCapture, name: str, advice: str) -> cv2.VideoCapture:
    if not capture.isOpened():
        raise ObservationError(f"camera {name} cannot be opened: {advice}")
    return capture


def _device(spec: str) -> Path | None:
    if spec.isdecimal():
        return Path(f"/dev/video{spec}")
    return Path(spec) if spec.startswith("/dev/") else None


def _is_address(spec: str) -> bool:
    return re.match(r"(rtsps?|https?|udp|tcp)://", spec) is not None


def _stamp(path: Path) -> int:
    if not path.stem.isdecimal():
        raise ConfigError(f"camera source: {path} is not named by its stamp in ns, like 1700000000050000000.png")
    return int(path.stem)


def _read(path: Path) -> ImageArray:
    frame = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if frame is None:
        raise ObservationError(f"camera source: {path} is not a picture that can be read")
    return np.asarray(frame, dtype=np.uint8)
