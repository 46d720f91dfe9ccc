"""The audit log: who changed what, when, and what came of it. Written by a thread of its own, so that nobody waits."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

LOG = logging.getLogger(__name__)
WAITING = 4096  # events that may wait for a slow disk


@dataclass(frozen=True)
class Event:
    """One act."""

    who: str  # name, or address where nobody is logged in
    role: str  # empty: not logged in
    what: str  # such as "POST /api/arm/stop"
    detail: str  # JSON of the request, without secrets
    outcome: str  # HTTP status, or words


class Journal:
    """Hands events to `write` one by one; what cannot be written is at least in the log."""

    def __init__(self, write: Callable[[Event], None]) -> None:
        self._write = write
        self._queue: queue.Queue[Event | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def note(self, who: str, role: str, what: str, detail: str, outcome: str) -> None:
        """Write down an act that happens now. Never waits, never raises."""
        event = Event(who, role, what, detail, outcome)
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            LOG.error("audit log: the disk is too slow; not stored: %s", event)

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, and end."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._write(event)
            except Exception:  # a database has many ways to fail, and none may end the log
                LOG.exception("audit log: not stored: %s", event)
