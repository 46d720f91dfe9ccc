"""What the adapt node hears and says: observations in, commands out, and the request to put the scene back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from gmps_msgs.msg import AppliedCommand as AppliedCommandMsg
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_msgs.msg import GuardStatus
from gmps_msgs.msg import SceneState as SceneStateMsg
from gmps_msgs.srv import SceneReset
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image

from gmps_robot.control.rollout import CommandSequence
from gmps_robot.errors import ObservationError
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import FloatArray
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.activation import FIT
from gmps_robot_nodes.adapt_health import AdaptHealth
from gmps_robot_nodes.pairing import Pairing
from gmps_robot_nodes.polled import PolledSubscription
from gmps_robot_nodes.rig_reset import ResetAnswers, RigReset


class AdaptTopics:
    """Converts and passes on. Implements `Hands`; `on_event` is called after everything that was heard."""

    def __init__(
        self, node: LifecycleNode, family: Family, robot: str, on_event: Callable[[], None], late: float = 0.0
    ) -> None:
        """`robot`: the twin is put back whole by `scene/reset`; any other arm by `arm/home`.

        `late` [s] is how much younger than the motion the stamps of the arm's state are; images are corrected already.
        """
        self._late_ns = round(late * 1e9)
        self.fault = ""  # why the arm is stopped; empty while it is not
        self.film: list[bytes] = []  # JPEG pictures of the episode that is being filmed
        self._node, self._on_event = node, on_event
        self._pairing: Pairing | None = None
        self._sequence = CommandSequence(family.envelope.policy.speed)
        self._health = AdaptHealth(node)
        self._last: ArmCommandMsg | None = None
        self._run: ResetAnswers | None = None
        self._command = node.create_lifecycle_publisher(ArmCommandMsg, "policy/command", qos.COMMAND)
        self._reset = node.create_client(SceneReset, "scene/reset")
        start = np.array(family.start_tip)
        self._rig = None
        if robot != "twin":
            self._rig = RigReset(node, self._reset, start, self, simulated=robot == "emulator")
        node.create_subscription(GuardStatus, "arm/guard_status", self._on_guard, qos.STATUS)
        node.create_subscription(Image, "camera/image_raw", self._on_image, qos.CAMERA)
        # What was applied comes last: it is older than what is fetched before it, so then it is there, or lost.
        self._with_image = (
            PolledSubscription(node, PoseStamped, "arm/ee_pose", self._on_pose, qos.STATE),
            PolledSubscription(node, CompressedImage, "camera/film/compressed", self._on_picture, qos.STATE),
            PolledSubscription(node, SceneStateMsg, "scene/state", self._on_scene, qos.STATE),
            PolledSubscription(node, AppliedCommandMsg, "arm/applied", self._on_applied, qos.STATE),
        )

    def listen(self, pairing: Pairing | None) -> None:
        """From now on what is heard goes into `pairing`."""
        self._pairing = pairing

    def on_reset(self, run: ResetAnswers) -> None:
        """From now on `run` asks for resets, and is told what comes of them."""
        self._run = run

    def poll(self) -> None:
        """Fetch what goes with an image."""
        for subscription in self._with_image:
            subscription.poll()

    def send(self, action: FloatArray | None, answers_ns: int) -> None:
        """See `Hands.send`."""
        now_ns = self._node.get_clock().now().nanoseconds
        if action is None:
            held = self._sequence.hold(now_ns * 1e-9)
            self._last = conversions.hold_message(now_ns, answers_ns, held.seq)
        else:
            self._last = conversions.command_message(self._sequence.move(action, now_ns * 1e-9), answers_ns)
        self._command.publish(self._last)

    @property
    def resetting(self) -> bool:
        """See `Hands.resetting`."""
        return self._rig is not None and self._rig.under_way

    def ask_reset(self, task: Task, seed: int, film: bool) -> bool:
        """See `Hands.ask_reset`. Without an answer the run asks again."""
        request = SceneReset.Request(task=task.to_json(), seed=seed, film=film)
        if self._rig is not None:
            return self._rig.ask(request)
        if not self._reset.service_is_ready():
            self._node.get_logger().warning(
                "nobody offers scene/reset: is the twin running?", throttle_duration_sec=5.0, skip_first=True
            )
            return False
        self._reset.call_async(request).add_done_callback(partial(self._on_reset, self._run))
        return True

    def end_reset(self) -> None:
        """See `Hands.end_reset`. The twin is put back at once, so there is nothing to end."""
        if self._rig is not None:
            self._rig.end()

    def reset_confirmed(self, stamp_ns: int) -> None:
        """See `ResetAnswers`."""
        if self._run is not None:
            self._run.reset_confirmed(stamp_ns)
        self._on_event()

    def reset_failed(self, reason: str) -> None:
        """See `ResetAnswers`."""
        if self._run is not None:
            self._run.reset_failed(reason)
        self._on_event()

    def reset_refused(self, reason: str) -> None:
        """See `ResetAnswers`."""
        if self._run is not None:
            self._run.reset_refused(reason)
        self._on_event()

    def _on_reset(self, asked_by: ResetAnswers | None, future: Future) -> None:
        if asked_by is not self._run:  # its session is over
            return
        response = future.result()
        if response.success:
            self.reset_confirmed(conversions.to_ns(response.stamp))
        else:
            self.reset_refused(response.message)

    def _on_guard(self, message: GuardStatus) -> None:
        self.fault = f"{message.state}: {message.reason}" if message.state not in FIT else ""
        if self._rig is not None:
            self._rig.note_guard(message)

    def _on_applied(self, message: AppliedCommandMsg) -> None:
        if self._pairing is not None:
            self._pairing.add_applied(conversions.to_ns(message.answers), conversions.applied(message))

    def _on_pose(self, message: PoseStamped) -> None:
        tip = conversions.vector(message.pose.position)
        if self._rig is not None:
            self._rig.note_tip(tip)
        if self._pairing is not None:
            self._pairing.add_tip(conversions.to_ns(message.header.stamp) - self._late_ns, tip)

    def _on_scene(self, message: SceneStateMsg) -> None:
        if self._pairing is not None:
            self._pairing.add_scene(conversions.to_ns(message.header.stamp), conversions.scene(message))

    def _on_picture(self, message: CompressedImage) -> None:
        self.film.append(bytes(message.data))

    def _on_image(self, message: Image) -> None:
        if self._pairing is None:
            return
        self._health.begin()
        stamp_ns = conversions.to_ns(message.header.stamp)
        if self._last is not None and stamp_ns == conversions.to_ns(self._last.answers):
            self._command.publish(self._last)  # sent again, so the answer was lost
            return
        try:
            self._pairing.add_image(stamp_ns, conversions.image_pixels(message))
        except ObservationError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=2.0)
            return
        self.poll()
        self._on_event()
        self._health.end()
