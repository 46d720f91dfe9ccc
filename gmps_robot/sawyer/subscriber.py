"""A topic that this node listens to: one thread per publisher, which re-connects by itself."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import connection, master
from gmps_robot.sawyer.messages import Codec
from gmps_robot.sawyer.names import Hosts, split_uri

Callback = Callable[[Any, float], None]
RETRY_S, LONGEST_RETRY_S = 0.1, 2.0
RATE_WINDOW = 101
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TopicStatistics:
    """What has come in on a topic. `last_receipt_s` is on the node's clock; `rate_hz` is over the last 100 messages."""

    topic: str
    count: int
    bytes: int
    last_receipt_s: float | None
    rate_hz: float
    publishers: int
    connected: int
    errors: tuple[str, ...]


class Subscription:
    """Hands each message of a topic to `callback(message, receipt_s)`, in one thread per publisher.

    A callback that raises is logged with its trace and shows in the statistics; the next message is tried.
    """

    def __init__(
        self, topic: str, codec: Codec, callback: Callback, caller: str, hosts: Hosts, clock: Callable[[], float]
    ) -> None:
        self.topic, self.codec = topic, codec
        self.version = 0
        self._callback, self._caller, self._hosts, self._clock = callback, caller, hosts, clock
        self._sources: dict[str, _Source] = {}
        self._changed = threading.Condition()
        self._count = self._bytes = 0
        self._receipts: deque[float] = deque(maxlen=RATE_WINDOW)
        self._failure: str | None = None
        self._open = True

    def replace(self, uris: Iterable[str]) -> None:
        """Listen to the publishers at `uris` and to no others (the master's word)."""
        wanted = set(uris)
        with self._changed:
            self.version += 1
            gone = [self._sources.pop(uri) for uri in list(self._sources) if uri not in wanted]
            self._start(wanted)
        for source in gone:
            source.stop()

    def add(self, uris: Iterable[str], version: int) -> None:
        """Listen to the publishers at `uris` too, unless `replace` was called since `version`.

        Answers to a registration only add: a master that was restarted knows none of the publishers that still run.
        """
        with self._changed:
            if version == self.version:
                self._start(set(uris))

    def wait(self, timeout_s: float) -> None:
        """Wait for the first message.

        Raises:
            LinkError: none came; says how far the connection got.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._count == 0:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise LinkError(f"{self.topic}: no message within {timeout_s} s: {self._why_silent()}")

    @property
    def connected(self) -> tuple[str, ...]:
        """The XML-RPC URIs of the publishers that are connected."""
        with self._changed:
            return tuple(uri for uri, source in self._sources.items() if source.connected)

    def statistics(self) -> TopicStatistics:
        """Return what has come in so far."""
        with self._changed:
            times = self._receipts
            span = self._clock() - times[0] if len(times) > 1 else 0.0  # so that the rate of a silent topic falls
            return TopicStatistics(
                self.topic, self._count, self._bytes, times[-1] if times else None,
                (len(times) - 1) / span if span > 0 else 0.0, len(self._sources),
                sum(source.connected for source in self._sources.values()),
                self._errors(),
            )  # fmt: skip

    def close(self) -> None:
        """Stop listening and wait for the threads."""
        with self._changed:
            self._open = False
            sources = tuple(self._sources.values())
        self.replace(())
        for source in sources:
            source.join()

    def receive(self, data: bytes) -> None:
        """Count one message and hand it on."""
        receipt_s = self._clock()
        message = self.codec.decode(data)
        with self._changed:
            self._count += 1
            self._bytes += len(data)
            self._receipts.append(receipt_s)
            self._changed.notify_all()
        try:
            self._callback(message, receipt_s)
        except Exception as error:
            told, self._failure = self._failure, f"the callback failed: {error!r}"
            if told != self._failure:  # once, not a hundred times a second
                log.exception("%s: the callback failed; the next message is tried", self.topic)

    def _start(self, uris: set[str]) -> None:
        for uri in uris - set(self._sources) if self._open else ():
            self._sources[uri] = _Source(uri, self, self._caller, self._hosts)

    def _why_silent(self) -> str:
        if not self._sources:
            return "nobody publishes it"
        return "; ".join(self._errors()) or f"{len(self._sources)} publishers are connected and silent"

    def _errors(self) -> tuple[str, ...]:
        found = [str(source.error) for source in self._sources.values() if source.error is not None]
        return (*found, self._failure) if self._failure is not None else tuple(found)


class _Source:
    """One publisher of a topic: asks it for a connection, reads, and begins again with growing pauses."""

    def __init__(self, uri: str, subscription: Subscription, caller: str, hosts: Hosts) -> None:
        self.connected = False
        self.error: LinkError | None = None
        self._uri, self._subscription, self._caller, self._hosts = uri, subscription, caller, hosts
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"link-in{subscription.topic}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the connection and the thread."""
        self._stop.set()
        with self._lock:
            if self._sock is not None:
                try:
                    self._sock.shutdown(socket.SHUT_RDWR)  # wakes the thread out of its read
                except OSError:
                    log.debug("%s had already closed %s", self._uri, self._subscription.topic)

    def join(self) -> None:
        """Wait for the thread's end; its last question to the publisher may still have to time out."""
        if self._thread is not threading.current_thread():
            self._thread.join(2 * master.TIMEOUT_S)

    def _run(self) -> None:
        pause = RETRY_S
        while not self._stop.is_set():
            before = self._subscription.statistics().count
            try:
                self._listen()
            except LinkError as error:
                if str(error) != str(self.error) and not self._stop.is_set():
                    log.warning("%s from %s: %s", self._subscription.topic, self._uri, error)
                self.error = error
            finally:
                self.connected = False
            pause = RETRY_S if self._subscription.statistics().count > before else min(2 * pause, LONGEST_RETRY_S)
            self._stop.wait(pause)

    def _listen(self) -> None:
        address, port = self._where()
        with connection.connect(address, port) as sock, sock.makefile("rb", 1 << 16) as stream:
            with self._lock:
                self._sock = sock
            try:
                self._shake_hands(sock, stream)
                sock.settimeout(None)  # silence is allowed from here on; keep-alive notices a machine that is gone
                self.connected, self.error = True, None
                while not self._stop.is_set():
                    self._subscription.receive(connection.read_frame(stream))
            finally:
                with self._lock:
                    self._sock = None

    def _where(self) -> tuple[str, int]:
        host, port = split_uri(self._uri)
        topic, address = self._subscription.topic, self._hosts.address(host)
        answer = master.ask(address, port, "requestTopic", self._caller, topic, [["TCPROS"]])
        if not isinstance(answer, list) or len(answer) != 3 or answer[0] != "TCPROS":
            raise LinkError(f"{self._uri} offers {topic} as {answer!r}, not over TCPROS")
        return self._hosts.address(str(answer[1])), int(answer[2])

    def _shake_hands(self, sock: socket.socket, stream: connection.Stream) -> None:
        topic, codec = self._subscription.topic, self._subscription.codec
        ours = {
            "callerid": self._caller, "topic": topic, "type": codec.type, "md5sum": codec.md5,
            "message_definition": codec.definition, "tcp_nodelay": "1",
        }  # fmt: skip
        try:
            sock.sendall(connection.encode_header(ours))
        except OSError as error:
            raise LinkError(f"the connection broke: {error}") from error
        theirs = connection.decode_header(connection.read_frame(stream, connection.HEADER_LIMIT))
        if "error" in theirs:
            raise LinkError(f"refused by {theirs.get('callerid', self._uri)}: {theirs['error']}")
        if theirs.get("md5sum") not in {codec.md5, "*"}:
            what = f"{theirs.get('type')} with md5 {theirs.get('md5sum')}"
            raise LinkError(f"{what} is published, {codec.type} with md5 {codec.md5} is expected: versions differ")
