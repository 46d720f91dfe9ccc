"""Publishers that can be disturbed: a topic's messages dropped, delayed, doubled or swapped."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any


class Lines:
    """One publisher per topic. Messages are built only when somebody listens."""

    def __init__(self, advertise: Callable[[str, str, bool], Any], seed: int) -> None:
        """`advertise(topic, type, latched)` makes a publisher; `seed` is of the random share of drops."""
        self._advertise = advertise
        self._publishers: dict[str, Any] = {}
        self._faults: dict[str, tuple[str, float, float]] = {}
        self._kept: dict[str, Any] = {}  # reorder: the message that waits for the next one
        self._late: list[tuple[float, int, str, Any]] = []
        self._count = itertools.count()
        self._random = random.Random(seed)

    def add(self, topic: str, message_type: str, latched: bool = False) -> None:
        """Advertise a topic."""
        self._publishers[topic] = self._advertise(topic, message_type, latched)

    def disturb(self, topic: str, action: str, seconds: float, share: float) -> None:
        """From now on do `action` to `share` of the messages of `topic`; "none" ends it and sends what was kept."""
        if action == "none":
            self._faults.pop(topic, None)
            kept = self._kept.pop(topic, None)
            if kept is not None:
                self._publishers[topic].publish(kept)
        else:
            self._faults[topic] = (action, seconds, share)

    def listened(self, topic: str) -> bool:
        """Whether somebody is connected."""
        return int(self._publishers[topic].get_num_connections()) > 0

    def send(self, topic: str, message: Any, now: float) -> None:
        """Publish `message`, disturbed as asked."""
        publisher = self._publishers[topic]
        action, seconds, share = self._faults.get(topic, ("none", 0.0, 1.0))
        if action == "none" or self._random.random() >= share:
            publisher.publish(message)
        elif action == "delay":
            heapq.heappush(self._late, (now + seconds, next(self._count), topic, message))
        elif action == "duplicate":
            publisher.publish(message)
            publisher.publish(message)
        elif action == "reorder":
            kept = self._kept.pop(topic, None)
            if kept is None:
                self._kept[topic] = message
            else:
                publisher.publish(message)
                publisher.publish(kept)

    def release(self, now: float) -> float | None:
        """Publish what has been late long enough; return when the next one is due, if any."""
        while self._late and self._late[0][0] <= now:
            _, _, topic, message = heapq.heappop(self._late)
            self._publishers[topic].publish(message)
        return self._late[0][0] if self._late else None
