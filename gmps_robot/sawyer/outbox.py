"""What leaves this machine: one thread accepts subscribers and finishes what could not be sent at once.

Publishing itself never waits: a link takes what the kernel takes, keeps the newest frames of the rest, and drops the
oldest. So a slow or dead subscriber cannot hold up the thread that publishes.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from gmps_robot.errors import LinkError
from gmps_robot.sawyer.connection import HANDSHAKE_S, HEADER_LIMIT, LENGTH, decode_header, encode_header, tune

READABLE = select.EPOLLIN | select.EPOLLRDHUP
BROKEN = select.EPOLLHUP | select.EPOLLERR
WAITING_LIMIT = 64
log = logging.getLogger(__name__)


class Link:
    """One subscriber: `depth` frames may wait for it, newest win. `first` goes before them and is never dropped."""

    def __init__(self, sock: socket.socket, caller: str, depth: int, first: bytes) -> None:
        self.caller = caller
        self.dropped = 0
        self._sock = sock
        self._partial = memoryview(first)
        self._waiting: deque[bytes] = deque(maxlen=depth)
        self._lock = threading.Lock()
        self._open = True
        self._epoll: select.epoll | None = None
        self.on_end: Callable[[Link], None] = lambda _: None

    def offer(self, frame: bytes) -> None:
        """Send `frame` as soon as the peer takes it. Never blocks."""
        with self._lock:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(frame)
            self._flush()

    def watch(self, epoll: select.epoll) -> None:
        """Let `epoll` wake its thread for this link."""
        with self._lock:
            self._epoll = epoll
            epoll.register(self._sock, READABLE | select.EPOLLOUT)

    def serve(self, events: int) -> bool:
        """Do what `events` allow; returns whether the link lives."""
        if events & (READABLE | BROKEN):
            try:
                if not self._sock.recv(4096):  # subscribers have nothing to say but that they leave
                    return False
            except BlockingIOError:
                pass  # woken for another event of the same socket
            except OSError:
                return False
        with self._lock:
            self._flush()
        return True

    def close(self) -> None:
        """Let the subscriber go."""
        with self._lock:
            self._open = False
            self._sock.close()
        self.on_end(self)

    def _flush(self) -> None:
        if not self._open or self._epoll is None:
            return
        try:
            while self._partial or self._waiting:
                if not self._partial:
                    self._partial = memoryview(self._waiting.popleft())
                self._partial = self._partial[self._sock.send(self._partial) :]
        except BlockingIOError:
            self._epoll.modify(self._sock, READABLE | select.EPOLLOUT)
        except OSError:
            return  # the same event wakes the outbox, which closes the link
        else:
            self._epoll.modify(self._sock, READABLE)


class Outbox:
    """Listens at a free port of `address`. `greet` turns a subscriber's header into a link or raises LinkError.

    Raises:
        LinkError: the address is not one of this machine.
    """

    def __init__(self, address: str, greet: Callable[[socket.socket, dict[str, str]], Link]) -> None:
        try:
            self._listener = socket.create_server((address, 0))
        except OSError as error:
            raise LinkError(f"{address!r} is no address of this machine ({error}): peers could not reach it") from error
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._greet = greet
        self._greeting: dict[int, tuple[socket.socket, bytearray, float]] = {}
        self._links: dict[int, Link] = {}
        self._epoll = select.epoll()
        self._wake = os.eventfd(0)
        self._closing = False
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="link-out", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let all subscribers go and stop listening."""
        self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(HANDSHAKE_S)

    def _run(self) -> None:
        while not self._closing:
            for descriptor, events in self._epoll.poll(1.0):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor in self._greeting:
                    self._hear(descriptor)
                elif descriptor in self._links and not self._links[descriptor].serve(events):
                    self._links.pop(descriptor).close()
            now = time.monotonic()
            for descriptor in [key for key, (_, _, since) in self._greeting.items() if now - since > HANDSHAKE_S]:
                self._greeting.pop(descriptor)[0].close()
        for link in self._links.values():
            link.close()
        for sock, _, _ in self._greeting.values():
            sock.close()
        self._listener.close()
        self._epoll.close()
        os.close(self._wake)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # the peer gave up between the event and here
        if len(self._greeting) >= WAITING_LIMIT:
            sock.close()
            return
        tune(sock)
        sock.setblocking(False)
        self._greeting[sock.fileno()] = (sock, bytearray(), time.monotonic())
        self._epoll.register(sock, READABLE)

    def _hear(self, descriptor: int) -> None:
        sock, data, _ = self._greeting[descriptor]
        try:
            received = sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        data += received
        size = LENGTH.unpack_from(data)[0] if len(data) >= LENGTH.size else 0
        complete = len(data) >= LENGTH.size + max(size, 1)
        if received and size <= HEADER_LIMIT and not complete:
            return
        del self._greeting[descriptor]
        self._epoll.unregister(sock)
        if not received or size > HEADER_LIMIT:
            sock.close()
            return
        try:
            link = self._greet(sock, decode_header(bytes(data[LENGTH.size : LENGTH.size + size])))
        except LinkError as error:
            log.warning("a subscriber was refused: %s", error)
            self._refuse(sock, str(error))
            return
        self._links[descriptor] = link
        link.watch(self._epoll)

    @staticmethod
    def _refuse(sock: socket.socket, reason: str) -> None:
        with sock:
            try:
                sock.send(encode_header({"error": reason}))
            except OSError as error:
                log.warning("and was gone before it could be told: %s", error)
