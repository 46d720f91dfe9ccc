"""What the recorder hears: every topic of an episode as it came over the wire. Nothing here wakes the node."""

from __future__ import annotations

import threading
from collections import deque
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
NEEDED = (names.IMAGE, names.POSE, names.APPLIED, names.GUARD)  # by every episode
NEEDED_IN_SESSION = (names.POLICY, names.SESSION)
FETCH = 0.02  # how long a message may wait for us [s]
PROFILES: Mapping[str, QoSProfile] = {
    names.VIEW: qos.SHOWN, "camera/camera_info": qos.SHOWN,
    names.GUARD: qos.RECORDED_LATCHED, names.SESSION: qos.RECORDED_LATCHED,
}  # fmt: skip
"""Of topics that are not simply reliable."""


class RecorderTopics:
    """Subscriptions of all topics of an episode, emptied by a thread of their own.

    A command that waits longer than its lifespan is gone, and saving an episode may take longer than that.
    """

    def __init__(self, node: Node, session: bool) -> None:
        """`session`: the episodes of an adaptation are recorded."""
        classes = {f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}": kind for kind in CLASSES}
        self._subscriptions = {
            topic: RawSubscription(node, classes[kind], topic, self._receiver(topic), PROFILES.get(topic, qos.RECORDED))
            for topic, kind in names.TOPICS.items()
        }
        self._needed = NEEDED + (NEEDED_IN_SESSION if session else ())
        self._heard: deque[Message] = deque()
        self._fetching = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)
        self._thread.start()

    def take(self) -> list[Message]:
        """Return what has come since the last time, in the order in which it was sent.

        Of a quick session that may be the end of an episode and the first pictures of the next: the order tells whose
        they are.
        """
        self._fetch()
        return sorted((self._heard.popleft() for _ in range(len(self._heard))), key=lambda message: message.publish_ns)

    def awaited(self) -> list[str]:
        """Return the topics that an episode cannot do without and that nobody offers yet."""
        return [topic for topic in self._needed if not self._subscriptions[topic].offered]

    def close(self) -> None:
        """Listen no more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(FETCH):
            self._fetch()

    def _fetch(self) -> None:
        with self._fetching:
            for subscription in self._subscriptions.values():
                subscription.poll()

    def _receiver(self, topic: str) -> Callable[[bytes, dict[str, int]], None]:
        def receive(data: bytes, info: dict[str, int]) -> None:
            number = info["publication_sequence_number"]
            self._heard.append(Message(topic, data, info["received_timestamp"], info["source_timestamp"], number))

        return receive
