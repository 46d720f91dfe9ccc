"""What the policy sees of a camera image: undistorted, cropped, resized; and the intrinsics that go with it."""

from __future__ import annotations

import cv2
import numpy as np

from gmps_robot.errors import ObservationError
from gmps_robot.rig import Pinhole, SensorCalibration
from gmps_robot.types import ImageArray


def crop_and_resize(image: ImageArray, crop: tuple[int, int, int, int], width: int, height: int) -> ImageArray:
    """Return the part `crop` (x, y, width, height) of `image` (..., ..., 3) as (height, width, 3).

    Each pixel is taken at its centre, between the four pixels around it, as the twin casts one ray through it:
    averaging whole areas would show the policy softer edges than it was trained on. An image of the right size comes
    back as it is, to the bit. The intrinsics of the result are those of `SensorCalibration.policy`.
    """
    x, y, across, down = crop
    part = image[y : y + down, x : x + across]
    if part.shape[:2] == (height, width):
        return part
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


class View:
    """The view of one camera at one size: `image` turns a frame of the sensor into it, `pinhole` projects into it."""

    def __init__(self, sensor: SensorCalibration, width: int, height: int) -> None:
        self.pinhole: Pinhole = sensor.policy(width, height)
        self._sensor, self._size = sensor, (width, height)
        self._maps = _straightening(sensor) if any(sensor.distortion) else None

    def image(self, frame: ImageArray) -> ImageArray:
        """Return what this view shows of `frame`, the sensor's whole image (height, width, 3).

        Raises:
            ObservationError: the frame has another size than the rig was calibrated with.
        """
        sensor = self._sensor
        if frame.shape != (sensor.height, sensor.width, 3):
            raise ObservationError(
                f"the camera gives images of {frame.shape[1]}x{frame.shape[0]}; the rig was calibrated with "
                f"{sensor.width}x{sensor.height}: set the camera to that size, or use the calibration of this one"
            )
        if self._maps is not None:
            frame = np.asarray(cv2.remap(frame, *self._maps, cv2.INTER_LINEAR), dtype=np.uint8)
        return crop_and_resize(frame, sensor.crop, *self._size)


def _straightening(sensor: SensorCalibration) -> tuple[cv2.typing.MatLike, cv2.typing.MatLike]:
    """Lookup tables that undo the lens, keeping the intrinsics."""
    matrix = sensor.pinhole.matrix
    size = (sensor.width, sensor.height)
    maps = cv2.initUndistortRectifyMap(matrix, np.array(sensor.distortion), None, matrix, size, cv2.CV_16SC2)
    return maps[0], maps[1]
