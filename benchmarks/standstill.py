"""Whether the machine itself stood still: what was timed meanwhile says nothing of the stack.

A virtual machine is not run at times, for its host runs others. A process of the highest priority on each core, which
nothing here can keep waiting, wakes 500 times per second and tells when it woke late.

    python -m benchmarks.standstill CORE
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from gmps_robot.control.timing import run_in_real_time

BEAT = 0.002  # [s]
LEAST = 0.01  # lateness that is told [s]
HIGHEST = 99  # of SCHED_FIFO


class Standstill:
    """Context manager that watches every core; `longest` tells what it saw."""

    def __enter__(self) -> Standstill:
        """Begin to watch."""
        self._seen: list[tuple[float, float]] = []
        self._watchers = [
            subprocess.Popen([sys.executable, "-m", "benchmarks.standstill", str(core)], stdout=subprocess.PIPE,
                             text=True, cwd=Path(__file__).parents[1])
            for core in sorted(os.sched_getaffinity(0))
        ]  # fmt: skip
        for watcher in self._watchers:
            threading.Thread(target=self._read, args=(watcher,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the watchers."""
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()

    def longest(self, since: float) -> float:
        """How long [s] a core stood still at most, from `since` [s, monotonic] to now; 0 for less than `LEAST`."""
        time.sleep(5 * BEAT)  # a core that stands still now has not said so yet
        return max((end - max(begin, since) for begin, end in list(self._seen) if end > since), default=0.0)

    def wait_until_steady(self, seconds: float, patience: float) -> None:
        """Wait until no core has stood still for `seconds` [s], at most `patience` [s]: standstills come in bursts."""
        end = time.monotonic() + patience
        while (now := time.monotonic()) < end and self.longest(now - seconds) > 0.0:
            time.sleep(0.1)

    def _read(self, watcher: subprocess.Popen[str]) -> None:
        for line in watcher.stdout or ():
            begin, end = map(float, line.split())
            self._seen.append((begin, end))


def watch(core: int) -> None:
    """Tell begin and end [s] of every standstill of `core`, until the process is killed."""
    os.sched_setaffinity(0, {core})
    if not run_in_real_time(HIGHEST):
        sys.stderr.write(
            f"core {core}: no real-time priority (it needs root or an rtprio limit): a busy core is taken for one that "
            "stands still\n"
        )
    last = time.monotonic()
    while True:
        time.sleep(BEAT)
        now = time.monotonic()
        if now - last - BEAT > LEAST:
            sys.stdout.write(f"{last + BEAT} {now}\n")
            sys.stdout.flush()
        last = now


if __name__ == "__main__":
    watch(int(sys.argv[1]))
