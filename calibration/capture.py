"""A capture: raw images with where the arm was, in one directory, so that solving can be repeated at any time.

    capture.yaml    the board, the set-up, and one entry per view, written anew after every view
    000.png ...     the images as the camera gave them, lossless

Nothing here is ever deleted or overwritten: what fails to solve today may be solved tomorrow.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from calibration.board import BoardSpec
from gmps_robot import config
from gmps_robot.errors import CalibrationError, ConfigError
from gmps_robot.rig import FramePose
from gmps_robot.types import ArmState, ImageArray

FILE = "capture.yaml"
Setup = Literal["eye_to_hand", "eye_in_hand"]


@dataclass(frozen=True)
class View:
    """One image, and the arm when it was taken."""

    image: str  # file name in the capture's directory
    image_stamp_ns: int
    state_stamp_ns: int
    joints: tuple[float, ...] | None = None  # (7,) [rad]
    hand: FramePose | None = None  # of the gripper's tip frame in `base`


@dataclass(frozen=True)
class Capture:
    """What was captured. `eye_to_hand`: the camera stands, the arm holds the board; `eye_in_hand`: the reverse."""

    setup: Setup
    board: BoardSpec
    width: int  # of the images [pixel]
    height: int
    source: str  # the camera, for people
    views: tuple[View, ...] = ()


class CaptureWriter:
    """Adds views to a capture, each one complete on disk before the next."""

    def __init__(self, directory: Path, capture: Capture) -> None:
        """Begin in `directory`, or go on with the capture that is there.

        Raises:
            ConfigError: another capture is there: other board, set-up or image size; or nothing can be written there.
        """
        self.directory, self.capture = directory, capture
        if (directory / FILE).exists():
            found = load_capture(directory)
            if replace(found, views=(), source=capture.source) != replace(capture, views=()):
                raise ConfigError(
                    f"{directory} holds a capture of another board, set-up or image size; name another directory"
                )
            self.capture = found
        else:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                self._write()
            except OSError as error:
                raise ConfigError(f"{directory}: {error.strerror}; name another directory for the capture") from error

    def add(self, image: ImageArray, image_stamp_ns: int, state: ArmState) -> View:
        """Save one view and return it.

        Raises:
            CalibrationError: the image has another size than the views before it, or cannot be written.
        """
        capture = self.capture
        if image.shape[:2] != (capture.height, capture.width):
            raise CalibrationError(
                f"mixed resolutions: this image has {image.shape[1]}x{image.shape[0]} pixels, the capture "
                f"{capture.width}x{capture.height}; set the camera back, or begin another capture"
            )
        name = f"{len(capture.views):03d}.png"
        position, quaternion = (tuple(float(v) for v in a) for a in (state.tip_position, state.tip_quaternion))
        view = View(
            name, image_stamp_ns, state.stamp_ns, tuple(float(v) for v in state.joints),
            FramePose(position, quaternion),  # type: ignore[arg-type]
        )
        try:
            write_image(self.directory / name, image)
            self.capture = replace(capture, views=(*capture.views, view))
            self._write()
        except OSError as error:
            self.capture = capture
            raise CalibrationError(f"view {name} cannot be written to {self.directory}: {error.strerror}") from error
        return view

    def _write(self) -> None:
        part = self.directory / f"{FILE}.part"
        config.save(self.capture, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self.directory / FILE)


def load_capture(directory: Path) -> Capture:
    """Read a capture; the images stay on disk.

    Raises:
        ConfigError: there is no capture, or its YAML does not read.
    """
    path = directory / FILE
    if not path.is_file():
        raise ConfigError(
            f"no capture in {directory}: {FILE} is missing; make one with gmps calibrate capture {directory}"
        )
    return config.load(Capture, path)


def write_image(path: Path, image: ImageArray) -> None:
    """Write RGB (height, width, 3) losslessly.

    Raises:
        CalibrationError: the file cannot be written.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise CalibrationError(f"{path}: the image cannot be encoded as PNG")
    path.write_bytes(data.tobytes())


def read_image(directory: Path, capture: Capture, view: View) -> ImageArray:
    """Return the image of `view`, RGB (height, width, 3).

    Raises:
        CalibrationError: the file is missing or unreadable, or of another size than the capture.
    """
    path = directory / view.image
    if not path.is_file():
        raise CalibrationError(f"{path} is missing; take the view out of {FILE}, or bring the file back")
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise CalibrationError(f"{path} is unreadable: no picture; take the view out of {FILE}, or bring the file back")
    if image.shape[:2] != (capture.height, capture.width):
        raise CalibrationError(
            f"mixed resolutions: {path} has {image.shape[1]}x{image.shape[0]} pixels, the capture "
            f"{capture.width}x{capture.height}; all views must come from one camera at one size"
        )
    return np.asarray(image, dtype=np.uint8)


def capture_id(directory: Path, capture: Capture) -> str:
    """Return 12 hex digits that change with any value or any image of the capture."""
    digest = hashlib.sha256(config.content_id(capture).encode())
    for view in capture.views:
        digest.update((directory / view.image).read_bytes())
    return digest.hexdigest()[:12]
