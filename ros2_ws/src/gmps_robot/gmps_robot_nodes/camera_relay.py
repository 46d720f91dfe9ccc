"""Frames of another node's camera topic, for rigs where `usb_cam`, `realsense2_camera` or the like has the camera."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from gmps_robot.camera.frames import CameraHealth, Frame, FrameGate
from gmps_robot.errors import ObservationError
from gmps_robot.types import ImageArray
from gmps_robot_nodes import conversions, qos

TOPIC = "camera/sensor"  # remapped to the topic of the node that has the camera


class Relay:
    """The newest frame of `camera/sensor`; as `gmps_robot.camera.capture.Capture`, with the other node's stamps."""

    def __init__(self, node: Node, rate: float, spin: Callable[[float], None]) -> None:
        self._node, self._spin = node, spin
        self._gate = FrameGate(rate, None)
        self._frame: Frame | None = None
        self._dropped = self._stamp_ns = 0
        node.create_subscription(Image, TOPIC, self._receive, qos.CAMERA)

    def newest(self, timeout: float) -> Frame | None:
        """Return the newest frame, each at most once; None when none has come within `timeout` [s]."""
        self._spin(timeout)
        frame, self._frame = self._frame, None
        return frame

    def health(self) -> CameraHealth:
        """Return how fresh the topic is now."""
        now, gate = time.monotonic(), self._gate
        state, detail = gate.judge(now)
        if state in ("starting", "silent"):
            senders = self._node.count_publishers(TOPIC)
            detail += f" from {self._node.resolve_topic_name(TOPIC)}, which {senders} nodes publish"
        return CameraHealth(
            state, detail, now - gate.newest, gate.rate(now), frames=gate.frames, dropped=self._dropped,
            frozen=gate.frozen,
        )

    def close(self) -> None:
        """Nothing to give back."""

    def _receive(self, message: Image) -> None:
        stamp_ns = conversions.to_ns(message.header.stamp)
        grabbed = time.monotonic() - (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9
        if stamp_ns <= self._stamp_ns:
            self._gate.frozen += 1
            return
        if not self._gate.wants(grabbed, grabbed):
            return
        try:
            pixels = frame_pixels(message)
        except ObservationError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=2.0)
            return
        if self._gate.admits(pixels, grabbed):
            self._stamp_ns = stamp_ns
            self._dropped += self._frame is not None
            self._frame = Frame(stamp_ns, grabbed, pixels)


def frame_pixels(message: Image) -> ImageArray:
    """Image of any of the usual encodings -> RGB pixels (height, width, 3).

    Raises:
        ObservationError: another encoding, or fewer bytes than the size needs.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    channels = {"rgb8": 3, "bgr8": 3, "mono8": 1}.get(message.encoding, 0)
    if not channels or step < channels * width or len(message.data) < height * step:
        raise ObservationError(
            f"{TOPIC} is {width}x{height} {message.encoding!r} with {len(message.data)} bytes; expected rgb8, bgr8 or "
            "mono8: set the pixel format of the node that publishes it"
        )
    rows = np.frombuffer(message.data, np.uint8)[: height * step].reshape(height, step)
    pixels = rows[:, : channels * width].reshape(height, width, channels)
    if message.encoding == "bgr8":
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
