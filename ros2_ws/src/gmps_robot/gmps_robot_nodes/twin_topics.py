"""What the twin node publishes: one observation per period, what was applied, a picture for people, its health."""

from __future__ import annotations

import time

import simplejpeg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from gmps_msgs.msg import AppliedCommand as AppliedCommandMsg
from gmps_msgs.msg import GuardStatus
from gmps_msgs.msg import SceneState as SceneStateMsg
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState

from gmps_robot.types import AppliedCommand, ArmState
from gmps_robot_nodes import conversions, parameters, qos
from gmps_robot_nodes.pace import Pace
from sim.twin import Twin

JPEG_QUALITY = 85
VIEW_ASPECT = 4 / 3
HEARTBEAT = 0.5  # [s]
DIAGNOSTICS_PERIOD = 1.0  # [s]


class TwinTopics:
    """The publishers of the twin node. `publish` sends one observation: image, arm and scene, all of one stamp."""

    def __init__(self, node: Node, twin: Twin, lockstep: bool) -> None:
        self._node, self._twin = node, twin
        self._view_height = parameters.declare(
            node, "view_height", 240, "Height of the picture for people [pixel].", low=48, high=1080
        )
        self._view_rate = parameters.declare(
            node, "view_rate", 10.0, "Pictures for people per second, while somebody looks [1/s].", low=0.1, high=20.0
        )
        self._clock = node.create_publisher(Clock, "/clock", qos.CLOCK) if lockstep else None
        self._arm = (
            (node.create_publisher(JointState, "joint_states", qos.STATE), conversions.joint_state_message),
            (node.create_publisher(PoseStamped, "arm/ee_pose", qos.STATE), conversions.pose_message),
            (node.create_publisher(TwistStamped, "arm/ee_twist", qos.STATE), conversions.twist_message),
            (node.create_publisher(WrenchStamped, "arm/wrench", qos.STATE), conversions.wrench_message),
        )
        self._applied = node.create_publisher(AppliedCommandMsg, "arm/applied", qos.STATE)
        self._guard = node.create_publisher(GuardStatus, "arm/guard_status", qos.STATUS)
        self._image = node.create_publisher(Image, "camera/image_raw", qos.CAMERA)
        self._film = node.create_publisher(CompressedImage, "camera/film/compressed", qos.STATE)
        self._view = node.create_publisher(CompressedImage, "camera/view/compressed", qos.CAMERA)
        self._scene = node.create_publisher(SceneStateMsg, "scene/state", qos.STATE)
        self._health = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)
        self._resets, self._task = 0, ""
        self._filming, self._steps = False, 0
        self._last_view = self._last_health = 0.0
        self._last_guard: tuple[object, ...] = ()
        self._last_guard_time = 0.0
        self._seq, self._limits = 0, ()

    _limits: tuple[str, ...]

    def note_reset(self, task: str, film: bool) -> None:
        """From now on the scene is that of `task` (JSON); `film`: somebody wants pictures of every second step."""
        self._resets += 1
        self._task, self._filming, self._steps = task, film, 0

    def publish(self, state: ArmState, stamp_ns: int) -> None:
        """Send the present observation; the image last, so that nothing is missing when it arrives.

        What nobody listens to is not sent: in lock-step every message costs a step.
        """
        for publisher, convert in self._arm:
            if publisher.get_subscription_count() > 0:
                publisher.publish(convert(state, stamp_ns))
        if self._scene.get_subscription_count() > 0:
            self._scene.publish(
                conversions.scene_message(self._twin.scene(), stamp_ns, self._resets, self._task)
            )
        if self._filming and self._steps % conversions.FILM_EVERY == 0:
            self._film.publish(self._picture(stamp_ns))
        self._steps += 1
        if self._clock is not None:
            self._clock.publish(Clock(clock=conversions.to_time(stamp_ns)))
        self._image.publish(conversions.image_message(self._twin.image(), stamp_ns))

    def publish_applied(self, applied: AppliedCommand, answers_ns: int, stamp_ns: int) -> None:
        """Send what was applied in the period of the observation of `answers_ns`."""
        self._applied.publish(conversions.applied_message(applied, stamp_ns, answers_ns))
        self._seq, self._limits = max(0, applied.seq), applied.reasons

    def publish_guard(self, stamp_ns: int, enabled: bool) -> None:
        """Send the guard's state when it has changed, and now and then as a sign of life."""
        guard = self._twin.guard_state
        mode = "ARMED" if guard.mode == "MOVING" and guard.at_rest else guard.mode
        said, now = (mode, guard.fault_reason, self._limits, enabled), time.monotonic()
        if said != self._last_guard or now - self._last_guard_time >= HEARTBEAT:
            self._last_guard, self._last_guard_time = said, now
            self._guard.publish(
                GuardStatus(
                    header=conversions.header(stamp_ns), state=mode, reason=guard.fault_reason,
                    limits=list(self._limits), enabled=enabled, seq=self._seq,
                )
            )

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
        status.level = DiagnosticStatus.ERROR if guard.mode == "FAULT" else DiagnosticStatus.OK
        figures = {
            "fault": guard.fault_reason,
            "deadlines missed": pace.missed,
            "answers waited out": pace.waited_out,
            "scene resets": self._resets,
            **{f"renderer of {what}": name for what, name in self._twin.renderers.items()},
        }
        status.values = [KeyValue(key=key, value=str(value)) for key, value in figures.items()]
        return DiagnosticArray(header=conversions.header(stamp_ns), status=[status])
