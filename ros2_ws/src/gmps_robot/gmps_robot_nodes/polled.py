"""A subscription that wakes nobody: its messages wait until they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile


class _NeverReady(CallbackGroup):
    """Keeps its entities out of every wait set."""

    def can_execute(self, entity: Any) -> bool:  # noqa: ARG002 - the interface of rclpy
        """No."""
        return False

    def beginning_execution(self, entity: Any) -> bool:  # noqa: ARG002
        """No."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing to do."""


class PolledSubscription:
    """`poll` passes on what has come since the last time, oldest first.

    A wake-up of an rclpy executor costs about a millisecond. What is only of use together with an image is fetched when
    the image comes, and so costs none.
    """

    def __init__(
        self, node: Node, message_type: type, topic: str, callback: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        self._callback = callback
        self._subscription = node.create_subscription(
            message_type, topic, callback, profile, callback_group=_NeverReady()
        )

    def poll(self) -> None:
        """Take and pass on every message that waits."""
        subscription = self._subscription
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, False)) is not None:
                self._callback(taken[0])


class RawSubscription:
    """As `PolledSubscription`, but nothing is decoded: passes on the CDR with what the middleware says of it."""

    def __init__(
        self, node: Node, message_type: type, topic: str, callback: Callable[[bytes, dict[str, int]], None],
        profile: QoSProfile,
    ) -> None:
        self._callback = callback
        self._subscription = node.create_subscription(
            message_type, topic, lambda _: None, profile, callback_group=_NeverReady(), raw=True
        )

    @property
    def offered(self) -> bool:
        """Whether somebody publishes what is subscribed, and both know."""
        return bool(self._subscription.get_publisher_count())

    def poll(self) -> None:
        """Take and pass on every message that waits."""
        subscription = self._subscription
        with subscription.handle:
            while (taken := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                self._callback(*taken)
