"""Requests to move an arm, from the policy and from an operator, as they come in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.event_handler import QoSLivelinessChangedInfo, SubscriptionEventCallbacks
from rclpy.node import Node

from gmps_robot.errors import GmpsError, ObservationError
from gmps_robot.types import ArmCommand
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.arm_lease import LeaseDesk

Stamps = tuple[int, int | None]
UNNAMED = "_NODE_NAME_UNKNOWN_"  # a publisher is discovered before the name of its node
BAD_IN_A_ROW, BAD_LASTS = 3, 1.0  # so many commands that cannot be read, within this time, stop the arm [s]
TOPICS = {"policy": "policy/command", "teleop": "teleop/command"}


@dataclass(frozen=True)
class Request:
    """One command with the observation that it answers."""

    command: ArmCommand
    answers_ns: int  # zero: none
    hold: bool  # no motion is wanted


class ArmInbox:
    """Keeps the newest request of each source; a topic speaks for its own source alone."""

    def __init__(
        self, node: Node, desk: LeaseDesk, stamps: Callable[[ArmCommandMsg], Stamps | None],
        gripper: Callable[[], float], arrived: Callable[[Request], None] = lambda _: None,
    ) -> None:
        """Subscribe.

        Args:
            node: whose topics they are.
            desk: knows whose turn it is.
            stamps: when a message was made and when the image that it answers was taken, on the driver's clock [ns];
                None for a message that cannot be placed.
            gripper: where a hold leaves the gripper, -1 closed to 1 open.
            arrived: told of each request.
        """
        self.desk = desk
        self._node, self._stamps, self._gripper, self._arrived = node, stamps, gripper, arrived
        self._lock = threading.Lock()
        self._newest: dict[str, Request] = {}
        self._bad: dict[str, tuple[tuple[float, str], ...]] = dict.fromkeys(TOPICS, ())  # when and why not readable
        self._alive = dict.fromkeys(TOPICS, 0)  # publishers that may be heard and live
        group = MutuallyExclusiveCallbackGroup()  # one after the other, beside what else the node does
        self._subscriptions = [
            node.create_subscription(
                ArmCommandMsg, topic, self._receiver(source), qos.COMMAND, callback_group=group,
                event_callbacks=SubscriptionEventCallbacks(liveliness=self._counter(source)),
            )
            for source, topic in TOPICS.items()
        ]

    def take(self, now: float, at_rest: bool) -> Request | None:
        """Return the newest request since the last call, of the source whose turn it is.

        Args:
            now: the driver's clock [s].
            at_rest: whether the guard commands no motion.
        """
        with self._lock:
            taken, self._newest = self._newest, {}
        commands = {source: request.command for source, request in taken.items()}
        choice = self.desk.choose(commands.get("policy"), commands.get("teleop"), now, at_rest)
        for refusal in choice.refusals:
            self._warn(refusal)
        return next((request for request in taken.values() if request.command is choice.command), None)

    @property
    def changing(self) -> bool:
        """Whether the arm is between two holders: what the last one asked for is in force no more."""
        return self.desk.changing

    def clear(self) -> None:
        """Forget what has not been taken."""
        with self._lock:
            self._newest = {}

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def trouble(self) -> str:
        """Return why the arm must be stopped: whom it cannot understand, or more hands than one; empty: nothing."""
        for source, topic in TOPICS.items():
            problem = self._misread(source) or self._crowd(source)
            if problem:
                return f"{topic}: {problem}"
        return ""

    def _misread(self, source: str) -> str:
        """What is wrong with commands that cannot be read (another frame, an unknown source), if they go on and on."""
        with self._lock:
            bad = [why for when, why in self._bad[source] if time.monotonic() - when < BAD_LASTS]
        return f"{len(bad)} bad commands in a row, the last a {bad[-1]}" if len(bad) >= BAD_IN_A_ROW else ""

    def _crowd(self, source: str) -> str:
        """Who publishes where only one may.

        A process that was killed is listed for 20 s more, as DDS has it; it counts no more once its lease is over.
        Publishers that offer no lease are not heard, and count while they are listed.
        """
        topic, lease = TOPICS[source], qos.COMMAND.liveliness_lease_duration
        if self._node.count_publishers(topic) < 2:
            return ""
        listed = self._node.get_publishers_info_by_topic(topic)
        unheard = sum(info.qos_profile.liveliness_lease_duration > lease for info in listed)
        count = self._alive[source] + unheard
        names = sorted("a new one" if info.node_name == UNNAMED else info.node_name for info in listed)
        return f"{count} publishers: {', '.join(names)}; end all but one" if count > 1 else ""

    def _counter(self, source: str) -> Callable[[QoSLivelinessChangedInfo], None]:
        def note(told: QoSLivelinessChangedInfo) -> None:
            self._alive[source] = told.alive_count

        return note

    def _receiver(self, source: str) -> Callable[[ArmCommandMsg], None]:
        def receive(message: ArmCommandMsg) -> None:
            stamps = self._stamps(message)
            if stamps is None:
                self._warn(f"command {message.seq} answers no known observation")
                return
            try:
                request = self._read(message, source, stamps)
            except GmpsError as error:
                self._warn(f"{TOPICS[source]}: {error}")
                with self._lock:
                    self._bad[source] = (*self._bad[source], (time.monotonic(), str(error)))[-BAD_IN_A_ROW:]
                return
            with self._lock:
                self._newest[source], self._bad[source] = request, ()
            self._arrived(request)

        return receive

    def _read(self, message: ArmCommandMsg, source: str, stamps: Stamps) -> Request:
        command = conversions.command(message, *stamps)
        if command.source != source:
            raise ObservationError(f"command of source {command.source!r}; only {source!r} speaks there")
        if message.hold:
            # Coming to rest is a motion too: it obeys the acceleration limit of motions and ends at once.
            command = replace(command, velocity=np.zeros(3), gripper=self._gripper())
        return Request(command, conversions.to_ns(message.answers), bool(message.hold))

    def _warn(self, text: str) -> None:
        self._node.get_logger().warning(text, throttle_duration_sec=1.0)
