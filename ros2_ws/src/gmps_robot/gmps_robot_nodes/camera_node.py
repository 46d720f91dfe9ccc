"""Node `camera`: the rig's camera as the policy sees it, at the family's rate, stamped with the exposure."""

from __future__ import annotations

from dataclasses import replace

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from gmps_robot import families
from gmps_robot.camera.capture import Capture, without_latency
from gmps_robot.camera.sources import is_finite, open_source
from gmps_robot.camera.view import View
from gmps_robot.rig import load_rig
from gmps_robot_nodes import parameters
from gmps_robot_nodes.camera_relay import TOPIC, Relay
from gmps_robot_nodes.camera_topics import CameraTopics
from gmps_robot_nodes.spinning import Ending, main

WAIT = 0.05  # how long to wait for a frame before looking at anything else [s]


class CameraNode(Node):
    """Takes the newest frame as it comes and publishes it at once. A frame that is missing stays missing."""

    def __init__(self) -> None:
        super().__init__("camera")
        name = parameters.declare(self, "family", "push", "Task family: rate of the images.")
        width = parameters.declare(self, "image_width", 64, "Width of the policy's image [pixel].", low=8, high=1024)
        height = parameters.declare(self, "image_height", 48, "Height of the policy's image [pixel].", low=8, high=1024)
        view_height = parameters.declare(
            self, "view_height", 480, "Height of the picture for people [pixel].", low=48, high=2160
        )
        self._camera = parameters.declare(
            self, "camera", "0",
            "Device number, /dev/videoN, rtsp:// or http:// address, video file, folder of pictures named by their "
            f"stamps in ns, or `topic`: the images that another node publishes on {TOPIC}.",
        )
        self.rig = load_rig(parameters.declare(self, "rig", "nominal", "Calibration of the rig: a name or YAML file."))
        sensor, rate = self.rig.camera, families.family(name).control_hz
        across, down = sensor.crop[2:]
        people = View(sensor, round(view_height * across / down), view_height)
        whole = View(replace(sensor, crop=(0, 0, sensor.width, sensor.height)), sensor.width, sensor.height)
        self._topics = CameraTopics(self, View(sensor, width, height), people, whole, rate)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        if self._camera == "topic":
            self._feed: Capture | Relay = Relay(self, rate, self._spin)
        else:
            self._feed = Capture(
                lambda: open_source(self._camera, sensor), rate, lambda: int(self.get_clock().now().nanoseconds),
                finite=is_finite(self._camera),
            )

    def run(self, ending: Ending) -> None:
        """Publish until asked to end."""
        rig = f"{self._camera} of rig {self.rig.name} ({self.rig.rig_id})"
        while not ending.requested:
            frame = self._feed.newest(WAIT)
            if frame is not None:
                self._topics.publish(without_latency(frame, self.rig.latency.image))
            self._topics.publish_health(self._feed.health(), rig)
            self._spin(0.0)

    def close(self) -> None:
        """Give the camera back."""
        self._feed.close()
        self._executor.shutdown()
        self.destroy_node()

    def _spin(self, timeout: float) -> None:
        self._executor.spin_once(timeout_sec=timeout)


def _work(ending: Ending) -> int:
    node = CameraNode()
    try:
        node.run(ending)
    finally:
        node.close()
    return 0


if __name__ == "__main__":
    main("camera", _work)
