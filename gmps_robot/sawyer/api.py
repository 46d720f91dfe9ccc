"""What a node of ours answers when the master, another node or a tool asks it.

Source: http://wiki.ros.org/ROS/Slave_API
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gmps_robot.sawyer.publisher import Publisher
from gmps_robot.sawyer.slave import Answer
from gmps_robot.sawyer.subscriber import Subscription

if TYPE_CHECKING:
    from gmps_robot.sawyer.tcpros import RosNode


def slave_api(node: RosNode) -> dict[str, Callable[..., Answer]]:
    """Return the functions of the Slave API by their names; each answers (code, message, value)."""

    def update(_caller: str, topic: str, uris: list[str]) -> Answer:
        subscription = node.subscriptions().get(topic)
        if subscription is None:
            return 0, f"{topic} is not subscribed", 0
        subscription.replace(uris)
        return 1, "updated", 0

    def request(_caller: str, topic: str, protocols: list[list[str]]) -> Answer:
        if topic not in node.publishers():
            return -1, f"{topic} is not published here", 0
        if not any(protocol[:1] == ["TCPROS"] for protocol in protocols):
            return 0, "only TCPROS is spoken here", []
        return 1, "ready", ["TCPROS", node.address, node.outbox.port]

    def shutdown(_caller: str, reason: str = "") -> Answer:
        node.end(reason or "shutdown was asked for")
        return 1, "shutdown", 0

    return {
        "getPid": lambda _caller: (1, "", os.getpid()),
        "getMasterUri": lambda _caller: (1, "", node.master.uri),
        "getSubscriptions": lambda _caller: (1, "", types(node.subscriptions())),
        "getPublications": lambda _caller: (1, "", types(node.publishers())),
        "getBusStats": lambda _caller: (1, "", bus_stats(node)),
        "getBusInfo": lambda _caller: (1, "", bus_info(node)),
        "paramUpdate": lambda *_: (1, "", 0),
        "publisherUpdate": update,
        "requestTopic": request,
        "shutdown": shutdown,
    }


def types(topics: Mapping[str, Publisher | Subscription]) -> list[list[str]]:
    """Return topics and their types."""
    return [[topic, entry.codec.type] for topic, entry in topics.items()]


def bus_stats(node: RosNode) -> list[Any]:
    """Return what was published, what was received, and services: none."""
    outgoing = [[topic, publisher.count] for topic, publisher in node.publishers().items()]
    incoming = [[topic, received.bytes, received.count] for topic, received in node.statistics().items()]
    return [outgoing, incoming, []]


def bus_info(node: RosNode) -> list[list[Any]]:
    """Return the open connections."""
    outgoing = [(peer, "o", topic) for topic, entry in node.publishers().items() for peer in entry.subscribers]
    incoming = [(peer, "i", topic) for topic, entry in node.subscriptions().items() for peer in entry.connected]
    rows = enumerate(outgoing + incoming)
    return [[number, peer, way, "TCPROS", topic, 1] for number, (peer, way, topic) in rows]
