"""What waits to be sent to the face. Sending never blocks: a frozen face must not stop the robot."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from sim.emulator import wire

_BUFFER = 1 << 14  # small, so that a frozen face wakes up to little of the past [bytes]
_LARGEST = 1 << 20  # of what waits; more is never needed


class Outbox:
    """Frames on their way to one socket, which may be missing."""

    def __init__(self) -> None:
        self._link: socket.socket | None = None
        self._waiting = bytearray()

    def connect(self, link: socket.socket | None) -> None:
        """Send to `link` from now on; what waited for another one is dropped."""
        self._link, self._waiting = link, bytearray()
        if link is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send JSON, now or as soon as there is room."""
        if len(self._waiting) < _LARGEST:
            self._waiting += wire.json_frame(message)
        self._flush()

    def send_if_free(self, frame: bytes) -> None:
        """Send a frame if nothing waits; a state that would be late is of no use."""
        self._flush()
        if not self._waiting:
            self._waiting += frame
            self._flush()

    def _flush(self) -> None:
        if self._link is None:
            self._waiting.clear()
        while self._link is not None and self._waiting:
            try:
                sent = self._link.send(self._waiting)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._waiting.clear()  # the face is gone; the server finds out by reading
                return
            del self._waiting[:sent]
