"""A TCP relay that can fall silent without closing anything, as a network does."""

from __future__ import annotations

import selectors
import socket
import threading


class Relay:
    """Passes bytes between whoever connects here and 127.0.0.1:`port`, until `cut`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._flows = threading.Event()
        self._flows.set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Pass nothing on from now; keep every connection open."""
        self._flows.clear()

    def mend(self) -> None:
        """Pass on what has waited, and what comes."""
        self._flows.set()

    def close(self) -> None:
        """End."""
        self._closing.set()
        self._flows.set()
        self._thread.join(5.0)
        for one in (self._listener, *self._pairs):
            one.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in ready.select(0.05):
                    self._flows.wait()
                    self._serve(ready, key.fileobj)  # type: ignore[arg-type]

    def _serve(self, ready: selectors.BaseSelector, source: socket.socket) -> None:
        if source is self._listener:
            here, _ = source.accept()
            there = socket.create_connection(("127.0.0.1", self._target))
            for one, other in ((here, there), (there, here)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs[one] = other
                ready.register(one, selectors.EVENT_READ)
            return
        try:
            data = source.recv(65536)
            if data:
                self._pairs[source].sendall(data)
                return
        except OSError:
            data = b""
        for one in (source, self._pairs.get(source)):
            if one is not None and one in self._pairs:
                ready.unregister(one)
                del self._pairs[one]
                one.close()
