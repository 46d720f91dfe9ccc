"""What the camera node publishes of each frame: the policy's image, its intrinsics, pictures for people, its health."""

from __future__ import annotations

import time

import simplejpeg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gmps_robot.camera.frames import CameraHealth, Frame
from gmps_robot.camera.view import View
from gmps_robot.errors import ObservationError
from gmps_robot.rig import Pinhole
from gmps_robot_nodes import conversions, parameters, qos

VIEW_JPEG = 85  # quality of what people look at
DIAGNOSTICS_PERIOD = 1.0  # [s]
SLOW = 0.8  # share of the wanted rate below which the camera is too slow


class CameraTopics:
    """The publishers of the camera node. Nothing is published without a frame, and each frame once."""

    def __init__(self, node: Node, policy: View, people: View, whole: View, rate: float) -> None:
        self._node, self._policy, self._people, self._whole, self._rate = node, policy, people, whole, rate
        self._view_rate = parameters.declare(
            node, "view_rate", 10.0, "Pictures for people per second, while somebody looks [1/s].", low=0.1, high=60.0
        )
        self._image = node.create_publisher(Image, "camera/image_raw", qos.CAMERA)
        self._info = node.create_publisher(CameraInfo, "camera/camera_info", qos.CAMERA)
        self._jpeg = node.create_publisher(CompressedImage, "camera/image_raw/compressed", qos.STATE)
        self._rect = node.create_publisher(Image, "camera/image_rect", qos.CAMERA)
        self._view = node.create_publisher(CompressedImage, "camera/view/compressed", qos.CAMERA)
        self._health = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)
        self._last_view = self._last_health = 0.0
        self._told = ""

    def publish(self, frame: Frame) -> None:
        """Send one frame; the intrinsics first, the image last, so that nothing is missing when it arrives."""
        try:
            image = self._policy.image(frame.pixels)
        except ObservationError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=2.0)
            return
        self._info.publish(info_message(self._policy.pinhole, frame.stamp_ns))
        if self._jpeg.get_subscription_count() > 0:
            self._jpeg.publish(conversions.recorded_message(image, frame.stamp_ns))
        self._image.publish(conversions.image_message(image, frame.stamp_ns))
        if self._rect.get_subscription_count() > 0:
            self._rect.publish(conversions.image_message(self._whole.image(frame.pixels), frame.stamp_ns))
        now = time.monotonic()
        if now - self._last_view >= 1.0 / self._view_rate and self._view.get_subscription_count() > 0:
            self._last_view = now
            pixels = self._people.image(frame.pixels)
            picture = simplejpeg.encode_jpeg(pixels, quality=VIEW_JPEG, colorspace="RGB")
            self._view.publish(conversions.jpeg_message(picture, frame.stamp_ns))

    def publish_health(self, health: CameraHealth, hardware: str) -> None:
        """Send the health once a second, and log when what is wrong changes."""
        if health.state != self._told:
            log = self._node.get_logger()
            if health.state == "running":
                log.info(f"camera {hardware} runs")
            elif health.state != "starting":
                log.warning(f"camera {hardware}: {health.detail}")
            self._told = health.state
        now = time.monotonic()
        if now - self._last_health >= DIAGNOSTICS_PERIOD:
            self._last_health = now
            stamp_ns = self._node.get_clock().now().nanoseconds
            status = [health_status(health, hardware, self._rate)]
            self._health.publish(DiagnosticArray(header=conversions.header(stamp_ns), status=status))


def info_message(pinhole: Pinhole, stamp_ns: int) -> CameraInfo:
    """The intrinsics of `camera/image_raw`, whose pixels are undistorted already."""
    matrix = pinhole.matrix
    message = CameraInfo(
        header=conversions.header(stamp_ns, conversions.CAMERA_FRAME), width=pinhole.width, height=pinhole.height,
        distortion_model="plumb_bob", d=[0.0] * 5, k=matrix.ravel().tolist(), r=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
    )
    message.p = [value for row in matrix.tolist() for value in (*row, 0.0)]
    return message


def health_status(health: CameraHealth, hardware: str, rate: float) -> DiagnosticStatus:
    """The health as one diagnostic status; a camera below `rate` [1/s] is a warning, no camera an error."""
    status = DiagnosticStatus(name="camera", hardware_id=hardware, message=health.detail or health.state)
    status.level = DiagnosticStatus.OK if health.state == "running" else DiagnosticStatus.ERROR
    if health.state == "starting":
        status.level = DiagnosticStatus.WARN
    elif health.state == "running" and health.frames > rate and health.rate < SLOW * rate:
        status.level = DiagnosticStatus.WARN
        status.message = f"{health.rate:.1f} pictures per second instead of {rate:.0f}: more light, or another mode"
    figures = {
        "age ms": round(1e3 * health.age, 1), "rate": round(health.rate, 2), "frames": health.frames,
        "dropped": health.dropped, "frozen": health.frozen, "queued": health.queued, "reopened": health.reopened,
    }
    status.values = [KeyValue(key=key, value=str(value)) for key, value in figures.items()]
    return status
