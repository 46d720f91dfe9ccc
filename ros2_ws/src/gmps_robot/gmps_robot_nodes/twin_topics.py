"""What the twin node publishes: one observation per period, what was applied, a picture for people, its health."""

from __future__ import annotations

import time

import simplejpeg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from gmps_msgs.msg import SceneState as SceneStateMsg
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from gmps_robot.types import ArmState
from gmps_robot_nodes import conversions, parameters, qos
from gmps_robot_nodes.arm_topics import ArmTopics
from gmps_robot_nodes.pace import Pace
from sim.marked_view import MarkedView
from sim.twin import Twin

JPEG_QUALITY = 85
VIEW_ASPECT = 4 / 3
DIAGNOSTICS_PERIOD = 1.0  # [s]


class TwinTopics:
    """What the twin node publishes beside its arm. `publish` sends one observation: all of one stamp."""

    def __init__(
        self, node: Node, twin: Twin, arm: ArmTopics, lockstep: bool, marked: MarkedView | None = None
    ) -> None:
        """`marked`: pictures for a marker tracker, who then tells the scene; the truth goes to `scene/truth`."""
        self._node, self._twin, self._arm, self._marked = node, twin, arm, marked
        self._view_height = parameters.declare(
            node, "view_height", 240, "Height of the picture for people [pixel].", low=48, high=1080
        )
        self._view_rate = parameters.declare(
            node, "view_rate", 10.0, "Pictures for people per second, while somebody looks [1/s].", low=0.1, high=20.0
        )
        self._clock = node.create_publisher(Clock, "/clock", qos.CLOCK) if lockstep else None
        self._image = node.create_publisher(Image, "camera/image_raw", qos.CAMERA)
        self._recorded = node.create_publisher(CompressedImage, "camera/image_raw/compressed", qos.STATE)
        self._film = node.create_publisher(CompressedImage, "camera/film/compressed", qos.STATE)
        self._view = node.create_publisher(CompressedImage, "camera/view/compressed", qos.CAMERA)
        self._scene = node.create_publisher(SceneStateMsg, "scene/truth" if marked else "scene/state", qos.STATE)
        self._rect = node.create_publisher(Image, "camera/image_rect", qos.CAMERA) if marked else None
        self._health = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)
        self._resets, self._task = 0, ""
        self._filming, self._steps = False, 0
        self._last_view = self._last_health = 0.0

    def warm(self) -> None:
        """Draw for nobody: the first pictures open OpenGL and load the ray caster, for which no period has the time."""
        self._picture(0)
        self._twin.image()

    def note_reset(self, task: str, film: bool) -> None:
        """From now on the scene is that of `task` (JSON); `film`: somebody wants pictures of every second step."""
        self._resets += 1
        self._task, self._filming, self._steps = task, film, 0

    def publish(self, state: ArmState, stamp_ns: int) -> None:
        """Send the present observation; the image last, so that nothing is missing when it arrives."""
        self._arm.publish_state(state, stamp_ns)
        if self._scene.get_subscription_count() > 0:
            self._scene.publish(
                conversions.scene_message(self._twin.scene(), stamp_ns, self._resets, self._task)
            )
        if self._filming and self._steps % conversions.FILM_EVERY == 0:
            self._film.publish(self._picture(stamp_ns))
        self._steps += 1
        if self._clock is not None:
            self._clock.publish(Clock(clock=conversions.to_time(stamp_ns)))
        if self._rect is not None and self._marked is not None and self._rect.get_subscription_count() > 0:
            self._rect.publish(conversions.image_message(self._marked.image(), stamp_ns))
        image = self._twin.image()
        if self._recorded.get_subscription_count() > 0:
            self._recorded.publish(conversions.recorded_message(image, stamp_ns))
        self._image.publish(conversions.image_message(image, stamp_ns))

    def publish_slow(self, stamp_ns: int, pace: Pace) -> None:
        """Send what people look at, at the rates of their clock: a picture if somebody looks, and the health."""
        now = time.monotonic()
        if now - self._last_view >= 1.0 / self._view_rate and self._view.get_subscription_count() > 0:
            self._last_view = now
            self._view.publish(self._picture(stamp_ns))
        if now - self._last_health >= DIAGNOSTICS_PERIOD:
            self._last_health = now
            self._health.publish(self._diagnostics(stamp_ns, pace))

    def _picture(self, stamp_ns: int) -> CompressedImage:
        pixels = self._twin.video_frame(self._view_height, round(self._view_height * VIEW_ASPECT))
        jpeg = simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB")
        return conversions.jpeg_message(jpeg, stamp_ns)

    def _diagnostics(self, stamp_ns: int, pace: Pace) -> DiagnosticArray:
        guard = self._twin.guard_state
        status = DiagnosticStatus(name="twin", hardware_id=f"twin of {self._twin.family.name}", message=guard.mode)
        status.level = DiagnosticStatus.ERROR if guard.mode in ("FAULT", "ESTOP") else DiagnosticStatus.OK
        figures = {
            "fault": guard.fault_reason,
            "deadlines missed": pace.missed,
            "answers waited out": pace.waited_out,
            "scene resets": self._resets,
            **{f"renderer of {what}": name for what, name in self._twin.renderers.items()},
        }
        status.values = [KeyValue(key=key, value=str(value)) for key, value in figures.items()]
        return DiagnosticArray(header=conversions.header(stamp_ns), status=[status])
