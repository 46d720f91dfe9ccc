"""What the calibrator tells: how far the capture is, and what its camera sees, with the corners it has found."""

from __future__ import annotations

import time

import cv2
import numpy as np
import simplejpeg
from gmps_msgs.msg import CalibrateStatus
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from calibration.coverage import COLUMNS, ENOUGH_VIEWS, Coverage, hint
from calibration.detect import Corners
from gmps_robot.camera.frames import Frame
from gmps_robot.types import ImageArray
from gmps_robot_nodes import conversions, qos

VIEW_WIDTH, VIEW_JPEG = 960, 80  # at most so wide [pixel]; quality
GREEN = (62, 207, 122)


class CalibratorTopics:
    """The publishers of the calibrator."""

    def __init__(self, node: Node, directory: str) -> None:
        self._node, self._directory = node, directory
        self._status = node.create_publisher(CalibrateStatus, "calibrate/status", qos.STATUS)
        self._view = node.create_publisher(CompressedImage, "calibrate/view/compressed", qos.CAMERA)
        self.told = 0.0  # when the status was last told, monotonic [s]

    def tell(self, state: Coverage, automatic: bool, message: str) -> None:
        """Publish how far the capture is; `message` is what came of the newest picture."""
        self.told = time.monotonic()
        self._status.publish(
            CalibrateStatus(
                header=conversions.header(self._node.get_clock().now().nanoseconds),
                phase="capturing" if automatic else "done" if state.complete else "idle", directory=self._directory,
                views=state.views, views_wanted=ENOUGH_VIEWS, hint=hint(state), message=message, columns=COLUMNS,
                coverage=state.cell_shares.ravel().tolist(), tilts=list(state.tilts), distances=list(state.distances),
                shares=list(state.shares),
            )
        )

    def show(self, frame: Frame, corners: Corners | None) -> None:
        """Publish the picture for people, where somebody looks."""
        if self._view.get_subscription_count() > 0:
            jpeg = simplejpeg.encode_jpeg(_drawn(frame.pixels, corners), quality=VIEW_JPEG, colorspace="RGB")
            self._view.publish(conversions.jpeg_message(jpeg, frame.stamp_ns))


def _drawn(image: ImageArray, corners: Corners | None) -> ImageArray:
    height, width = image.shape[:2]
    scale = min(1.0, VIEW_WIDTH / width)
    size = (round(scale * width), round(scale * height))
    if scale < 1.0:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    picture = image.copy()
    for x, y in [] if corners is None else corners.pixels * scale:
        cv2.circle(picture, (round(float(x)), round(float(y))), 4, GREEN, 1, cv2.LINE_AA)
    return picture
