"""A ROS 1 node in pure Python: what the driver of the arm talks to the robot with."""

from __future__ import annotations

import atexit
import logging
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import messages
from gmps_robot.sawyer.api import slave_api
from gmps_robot.sawyer.master import Master
from gmps_robot.sawyer.names import graph_name, own_address
from gmps_robot.sawyer.outbox import Link, Outbox
from gmps_robot.sawyer.publisher import Publisher
from gmps_robot.sawyer.service import call_service
from gmps_robot.sawyer.slave import SlaveServer
from gmps_robot.sawyer.subscriber import Callback, Subscription, TopicStatistics

PROBE_S = 1.0
log = logging.getLogger(__name__)


class RosNode:
    """A node called `name` at the master `master_uri`; peers reach it at `address` (found by itself when None).

    Connections outlive the master; when a master comes back, the node registers again. Callbacks run in threads of the
    node and get the time of receipt from `clock`. Every method may be called from any thread.

    Raises:
        LinkError: the URI is wrong, its host is unknown, the master does not answer, or the address is not ours.
    """

    def __init__(
        self, name: str, master_uri: str, address: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = graph_name(name)
        self.master = Master(master_uri, self.name)
        self.ended: str | None = None  # why somebody on the network ended this node
        self.master_error: LinkError | None = None
        self._clock = clock
        self._publishers: dict[str, Publisher] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.Lock()  # the two dictionaries; never held while somebody is asked
        self._registering = threading.Lock()
        self._closing = threading.Event()
        self.master.ask("getPid")
        self.address = address or own_address(self.master.hosts.master_address)
        self.outbox = Outbox(self.address, self._greet)
        self._slave = SlaveServer(self.address, slave_api(self))
        self.uri = self._slave.uri
        self._keeper = threading.Thread(target=self._keep, name="link-keeper", daemon=True)
        self._keeper.start()
        atexit.register(self.close)

    def subscribe(self, topic: str, kind: str, callback: Callback) -> Subscription:
        """Hand each message of `topic` to `callback(message, receipt_s)`.

        Raises:
            LinkError: unknown type, a second subscription of the topic, or a master that does not answer.
        """
        topic = graph_name(topic)
        made = Subscription(topic, messages.codec(kind), callback, self.name, self.master.hosts, self._clock)
        self._enter(self._subscriptions, topic, made)
        try:
            self._register_subscription(made)
        except LinkError:
            self._leave(self._subscriptions, topic)
            raise
        return made

    def advertise(self, topic: str, kind: str, *, latch: bool = False, depth: int = 1) -> Publisher:
        """Return the publisher of `topic`; `depth` messages wait for a slow subscriber, newest win.

        Raises:
            LinkError: unknown type, a second publisher of the topic, or a master that does not answer.
        """
        topic = graph_name(topic)
        made = Publisher(topic, messages.codec(kind), self.name, latch=latch, depth=depth)
        self._enter(self._publishers, topic, made)
        try:
            self._register_publisher(made)
        except LinkError:
            self._leave(self._publishers, topic)
            raise
        return made

    def call(self, service: str, kind: str, request: Any, timeout_s: float) -> Any:
        """Return the response of a service.

        Raises:
            LinkError: nobody offers it, it is of another type, it fails, or it takes longer than `timeout_s`.
        """
        return call_service(self.master, self.name, graph_name(service), messages.service(kind), request, timeout_s)

    def get_param(self, key: str) -> Any:
        """Return a parameter of the master.

        Raises:
            LinkError: it is not set, or the master does not answer.
        """
        return self.master.ask("getParam", graph_name(key))

    def statistics(self) -> dict[str, TopicStatistics]:
        """Return what has come in, by topic."""
        return {topic: subscription.statistics() for topic, subscription in self.subscriptions().items()}

    def publishers(self) -> dict[str, Publisher]:
        """Return what this node publishes, by topic."""
        with self._lock:
            return dict(self._publishers)

    def subscriptions(self) -> dict[str, Subscription]:
        """Return what this node listens to, by topic."""
        with self._lock:
            return dict(self._subscriptions)

    def close(self) -> None:
        """Take everything back at the master, close all connections and end all threads. A second call does nothing."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
        atexit.unregister(self.close)
        with self._registering:
            self._unregister()
        for publisher in self.publishers().values():
            publisher.close()
        self._slave.close()
        self.outbox.close()
        for subscription in self.subscriptions().values():
            subscription.close()
        if self._keeper is not threading.current_thread():
            self._keeper.join(2 * PROBE_S)

    def __enter__(self) -> RosNode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self) -> None:
        """Watch for a master that does not know us: it was restarted."""
        while not self._closing.wait(PROBE_S):
            try:
                self._register_again()
            except LinkError as error:
                if self.master_error is None:
                    log.warning("%s; connections stay", error)
                self.master_error = error
            else:
                self.master_error = None

    def _register_again(self) -> None:
        publishers, subscriptions = self.publishers().values(), self.subscriptions().values()
        known = self.master.node_uri(self.name)
        if known == self.uri or not (publishers or subscriptions):
            return
        if known is not None:
            self.end(f"another node took the name {self.name}")
            return
        log.info("the master does not know %s: registering again", self.name)
        for publisher in publishers:
            self._register_publisher(publisher)
        for subscription in subscriptions:
            self._register_subscription(subscription)

    def _register_publisher(self, publisher: Publisher) -> None:
        with self._registering:
            self._refuse_when_closed()
            self.master.ask("registerPublisher", publisher.topic, publisher.codec.type, self.uri)

    def _register_subscription(self, subscription: Subscription) -> None:
        with self._registering:
            self._refuse_when_closed()
            version = subscription.version
            kind = subscription.codec.type
            uris = self.master.ask("registerSubscriber", subscription.topic, kind, self.uri)
            subscription.add(uris, version)

    def _unregister(self) -> None:
        try:
            for topic in self.subscriptions():
                self.master.ask("unregisterSubscriber", topic, self.uri)
            for topic in self.publishers():
                self.master.ask("unregisterPublisher", topic, self.uri)
        except LinkError as error:
            log.warning("could not unregister: %s", error)

    def _refuse_when_closed(self) -> None:
        if self._closing.is_set():
            raise LinkError(f"node {self.name} is closed" + (f": {self.ended}" if self.ended else ""))

    def _enter(self, table: dict[str, Any], topic: str, made: Publisher | Subscription) -> None:
        with self._lock:
            if topic in table:
                raise LinkError(f"node {self.name} already has a {type(made).__name__.lower()} of {topic}")
            table[topic] = made

    def _leave(self, table: dict[str, Any], topic: str) -> None:
        with self._lock:
            table.pop(topic).close()

    def _greet(self, sock: socket.socket, header: dict[str, str]) -> Link:
        publisher = self.publishers().get(header.get("topic", ""))
        if publisher is None:
            raise LinkError(f"{self.name} does not publish {header.get('topic') or header}")
        return publisher.greet(sock, header)

    def end(self, reason: str) -> None:
        """End the node on somebody's word, in a thread of its own: the asker waits for an answer."""
        log.warning("node %s is ended: %s", self.name, reason)
        self.ended = reason
        threading.Thread(target=self.close, name="link-end", daemon=True).start()
