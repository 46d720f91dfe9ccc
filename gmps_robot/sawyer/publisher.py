"""A topic that this node publishes."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer.connection import encode_header, frame
from gmps_robot.sawyer.messages import Codec
from gmps_robot.sawyer.outbox import Link


class Publisher:
    """Sends messages of one type to all subscribers; a latched topic gives its last message to each new one."""

    def __init__(self, topic: str, codec: Codec, caller: str, *, latch: bool, depth: int) -> None:
        self.topic, self.codec, self.latch = topic, codec, latch
        self.count = 0
        self._caller, self._depth = caller, depth
        self._links: list[Link] = []
        self._last: bytes | None = None
        self._changed = threading.Condition()
        self._open = True

    @property
    def subscribers(self) -> tuple[str, ...]:
        """The names of the nodes that are connected."""
        with self._changed:
            return tuple(link.caller for link in self._links)

    @property
    def dropped(self) -> int:
        """How many frames newer ones have replaced, over the present subscribers."""
        with self._changed:
            return sum(link.dropped for link in self._links)

    def publish(self, message: Any) -> None:
        """Send `message` to everybody. Never waits for anybody.

        Raises:
            LinkError: the message is not of the topic's type, or the node is closed.
        """
        data = frame(self.codec.encode(message))
        with self._changed:
            if not self._open:
                raise LinkError(f"{self.topic}: the node is closed; nothing can be published")
            self.count += 1
            self._last = data if self.latch else None
            for link in self._links:
                link.offer(data)

    def wait_for_subscribers(self, timeout_s: float, count: int = 1) -> None:
        """Wait until `count` nodes are connected.

        Raises:
            LinkError: fewer came in time.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while len(self._links) < count:
                if not self._changed.wait(deadline - time.monotonic()):
                    have = ", ".join(link.caller for link in self._links) or "nobody"
                    advice = "can the robot reach this machine's address?"
                    raise LinkError(f"{self.topic}: {have} listens after {timeout_s} s, expected {count}; {advice}")

    def greet(self, sock: socket.socket, header: dict[str, str]) -> Link:
        """Return the link of a new subscriber.

        Raises:
            LinkError: it expects another type.
        """
        for field, ours in (("md5sum", self.codec.md5), ("type", self.codec.type)):
            theirs = header.get(field)
            if theirs not in {ours, "*"}:
                who = header.get("callerid", "?")
                raise LinkError(f"{self.topic}: {who} expects {field} {theirs}, here it is {ours} ({self.codec.type})")
        reply = {
            "callerid": self._caller, "topic": self.topic, "type": self.codec.type, "md5sum": self.codec.md5,
            "message_definition": self.codec.definition, "latching": str(int(self.latch)),
        }  # fmt: skip
        link = Link(sock, header.get("callerid", "?"), self._depth, encode_header(reply))
        link.on_end = self._forget
        with self._changed:
            self._links.append(link)
            if self._last is not None:
                link.offer(self._last)
            self._changed.notify_all()
        return link

    def close(self) -> None:
        """Refuse further messages. The outbox closes the links."""
        with self._changed:
            self._open = False

    def _forget(self, link: Link) -> None:
        with self._changed:
            if link in self._links:
                self._links.remove(link)
