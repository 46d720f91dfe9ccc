"""The part of the panel's door to the robot that calibrating needs, over ROS."""

from __future__ import annotations

import time

from gmps_msgs.msg import CalibrateStatus
from gmps_msgs.srv import CalibrateCapture
from rclpy.node import Node

from gmps_robot.panel.bridge_calibrate import CaptureAction, CaptureView
from gmps_robot_nodes import qos
from gmps_robot_nodes.panel_calls import agreed, ask

FRESH = 3.0  # the calibrator tells its status at least once per second; one that is older is not there any more [s]


class Calibrator:
    """Hears the calibrator and sends it what a person asks for."""

    def __init__(self, node: Node) -> None:
        self._heard: tuple[float, CaptureView] | None = None
        self._capture = node.create_client(CalibrateCapture, "calibrate/capture")
        node.create_subscription(CalibrateStatus, "calibrate/status", self._on_status, qos.STATUS)

    def view(self) -> CaptureView | None:
        """Return what it last said; None where it says nothing."""
        heard = self._heard
        return heard[1] if heard is not None and time.monotonic() - heard[0] < FRESH else None

    def ask(self, action: CaptureAction) -> str:
        """See `CalibrateBridge.capture`."""
        return agreed(ask(self._capture, CalibrateCapture.Request(action=action)))

    def _on_status(self, message: CalibrateStatus) -> None:
        left, right, top, bottom = (int(count) for count in message.tilts)
        near, far = (float(distance) for distance in message.distances)
        picture, tilts, distances, axes, views = (float(share) for share in message.shares)
        self._heard = time.monotonic(), CaptureView(
            message.phase, message.directory, int(message.views), int(message.views_wanted), message.hint,
            message.message, int(message.columns), tuple(message.coverage), (left, right, top, bottom), (near, far),
            (picture, tilts, distances, axes, views),
        )
