"""A thread beside one that must not wait: publishing can wait for another process, drawing takes seconds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

BACKLOG = 20  # more news than this waits: what only shows the present is then left out


class Beside:
    """Calls what it is given, in order. `failure` says why it has broken off; empty while it works."""

    def __init__(self, name: str) -> None:
        self.failure = ""
        self._news: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, news: Callable[[], None], *, every: bool) -> None:
        """Let the thread call `news`. Returns at once; without `every` it is dropped where too much waits already."""
        if every or self._news.qsize() < BACKLOG:
            self._news.put(news)

    def end(self) -> None:
        """Call what still waits, and end the thread."""
        self._news.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        ended = False
        try:
            while (news := self._news.get()) is not None:
                news()
            ended = True
        finally:
            if not ended:  # a mistake of ours: its trace is on the way to the log
                self.failure = f"the {self._thread.name} thread broke off"
