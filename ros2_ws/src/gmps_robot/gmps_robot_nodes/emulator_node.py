"""Node `emulator`: a Sawyer on a ROS 1 wire of its own, and its camera and scene in ROS 2, as a rig would have them."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import simplejpeg
from gmps_msgs.msg import SceneState as SceneStateMsg
from gmps_msgs.srv import SceneReset
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gmps_robot import families
from gmps_robot.errors import ConfigError, GmpsError
from gmps_robot.rig import Pinhole
from gmps_robot.tasks import Task
from gmps_robot_nodes import conversions, parameters, qos
from gmps_robot_nodes.camera_topics import info_message
from gmps_robot_nodes.spinning import Ending, main
from gmps_robot_nodes.twin_topics import JPEG_QUALITY, VIEW_ASPECT
from sim.intera_emulator import Emulator
from sim.render.camera import POLICY_CAMERA

LOOPBACK = ("127.0.0.1", "localhost")


class EmulatorNode(Node):
    """Publishes what a camera and a marker tracker would see of the emulated robot, at the family's rate."""

    def __init__(self) -> None:
        super().__init__("emulator")
        name = parameters.declare(self, "family", "push", "Task family: scene and rate.")
        seed = parameters.declare(self, "seed", 0, "Seed of the measurement noise.", low=0, high=2**31 - 1)
        uri = parameters.declare(
            self, "master_uri", "http://127.0.0.1:11411", "Where its ROS 1 master is to be, on this machine."
        )
        self._view_height = parameters.declare(
            self, "view_height", 240, "Height of the picture for people [pixel].", low=48, high=1080
        )
        self._view_rate = parameters.declare(
            self, "view_rate", 10.0, "Pictures for people per second, while somebody looks [1/s].", low=0.1, high=20.0
        )
        self.family = families.family(name)
        self._image = self.create_publisher(Image, "camera/image_raw", qos.CAMERA)
        self._recorded = self.create_publisher(CompressedImage, "camera/image_raw/compressed", qos.STATE)
        self._info = self.create_publisher(CameraInfo, "camera/camera_info", qos.CAMERA)
        self._view = self.create_publisher(CompressedImage, "camera/view/compressed", qos.CAMERA)
        self._film = self.create_publisher(CompressedImage, "camera/film/compressed", qos.STATE)
        self._scene = self.create_publisher(SceneStateMsg, "scene/state", qos.STATE)
        self._resets, self._task, self._filming, self._steps, self._last_view = 0, "", False, 0, 0.0
        camera = POLICY_CAMERA
        self._pinhole = Pinhole(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
        self.emulator = Emulator(self.family, seed=seed, port=_port(uri))
        self.emulator.image()  # the first of each kind takes longer than a period has
        self._picture(0)
        self.create_service(SceneReset, "scene/reset", self._reset)
        self.get_logger().info(f"a Sawyer at {self.emulator.master_uri}; control socket {self.emulator.control}")

    def run(self, ending: Ending) -> None:
        """Publish until asked to end."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        period = 1.0 / self.family.control_hz
        due = time.monotonic()
        while not ending.requested:
            executor.spin_once(timeout_sec=max(0.0, due - time.monotonic()))
            now = time.monotonic()
            if now >= due:
                due = due + period if now - due < period else now + period
                self._publish(now)

    def _publish(self, now: float) -> None:
        """Send scene and image of this instant; the image last, so that nothing is missing when it arrives."""
        snapshot = self.emulator.snapshot()
        stamp_ns = snapshot.stamp_ns
        self._scene.publish(conversions.scene_message(snapshot.scene, stamp_ns, self._resets, self._task))
        self._info.publish(info_message(self._pinhole, stamp_ns))
        if self._recorded.get_subscription_count() > 0:
            self._recorded.publish(conversions.recorded_message(snapshot.image, stamp_ns))
        self._image.publish(conversions.image_message(snapshot.image, stamp_ns))
        if self._filming and self._steps % conversions.FILM_EVERY == 0:
            self._film.publish(self._picture(stamp_ns))
        self._steps += 1
        if now - self._last_view >= 1.0 / self._view_rate and self._view.get_subscription_count() > 0:
            self._last_view = now
            self._view.publish(self._picture(stamp_ns))

    def _picture(self, stamp_ns: int) -> CompressedImage:
        pixels = self.emulator.video_frame(self._view_height, round(self._view_height * VIEW_ASPECT))
        jpeg = simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB")
        return conversions.jpeg_message(jpeg, stamp_ns)

    def _reset(self, request: SceneReset.Request, response: SceneReset.Response) -> SceneReset.Response:
        """Put the block back; the arm is the driver's business."""
        try:
            self.emulator.reset_scene(Task.from_json(request.task), int(request.seed))
        except GmpsError as error:
            response.message = str(error)
            return response
        self._resets, self._task = self._resets + 1, request.task
        self._filming, self._steps = bool(request.film), 0
        response.success, response.stamp = True, self.get_clock().now().to_msg()
        return response


def _port(uri: str) -> int:
    """The port of `uri`.

    Raises:
        ConfigError: it is not an address on this machine.
    """
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or not parts.port:
        raise ConfigError(f"master_uri = {uri}: the emulator's master runs on this machine, http://127.0.0.1:PORT")
    return parts.port


def _work(ending: Ending) -> int:
    node = EmulatorNode()
    try:
        node.run(ending)
    finally:
        node.emulator.close()
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("emulator", _work)
