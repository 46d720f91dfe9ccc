"""What the recorder hears: every topic of an episode as it came over the wire. Nothing here wakes the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from gmps_msgs.msg import AdaptStatus, AppliedCommand, ArmCommand, GuardStatus, SceneState
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState

from gmps_robot.data import definitions as names
from gmps_robot.data.recorder import Message
from gmps_robot_nodes import qos
from gmps_robot_nodes.polled import RawSubscription

CLASSES = (
    CompressedImage, CameraInfo, JointState, PoseStamped, TwistStamped, WrenchStamped, ArmCommand, AppliedCommand,
    GuardStatus, SceneState, AdaptStatus,
)  # fmt: skip
PROFILES: Mapping[str, QoSProfile] = {
    names.VIEW: qos.SHOWN, "camera/camera_info": qos.SHOWN,
    names.GUARD: qos.RECORDED_LATCHED, names.SESSION: qos.RECORDED_LATCHED,
}  # fmt: skip
"""Of topics that are not simply reliable."""


class RecorderTopics:
    """Subscriptions of all topics of an episode; `poll` passes on what has come, in the order in which it was sent.

    Of a quick session one poll may bring the end of an episode and the first pictures of the next: the order tells
    whose they are.
    """

    def __init__(self, node: Node, heard: Callable[[Message], None]) -> None:
        self._heard = heard
        self._waiting: list[Message] = []
        classes = {f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}": kind for kind in CLASSES}
        self._subscriptions = [
            RawSubscription(node, classes[kind], topic, self._receiver(topic), PROFILES.get(topic, qos.RECORDED))
            for topic, kind in names.TOPICS.items()
        ]

    def poll(self) -> None:
        """Pass on every message that waits."""
        for subscription in self._subscriptions:
            subscription.poll()
        self._waiting.sort(key=lambda message: message.publish_ns)
        for message in self._waiting:
            self._heard(message)
        self._waiting.clear()

    def _receiver(self, topic: str) -> Callable[[bytes, dict[str, int]], None]:
        def receive(data: bytes, info: dict[str, int]) -> None:
            number = info["publication_sequence_number"]
            self._waiting.append(Message(topic, data, info["received_timestamp"], info["source_timestamp"], number))

        return receive
