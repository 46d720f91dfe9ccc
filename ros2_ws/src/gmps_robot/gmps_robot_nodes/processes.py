"""Child processes of the supervisor: started together, heard together, ended together."""

from __future__ import annotations

import ctypes
import fcntl
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
SHARED_MEMORY = Path("/dev/shm")  # where Fast DDS keeps its segments
_SEGMENT = re.compile(r"fastrtps_[0-9a-f]{16}")
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Ended:
    """A process that is over. A negative code is the signal that ended it."""

    name: str
    code: int


class Processes:
    """Runs commands and passes on each line that they write, as (name, line)."""

    def __init__(self, on_line: Callable[[str, str], None]) -> None:
        self._on_line = on_line
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []
        self._killed = False

    def start(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> None:
        """Start every command, in a session of its own: Ctrl-C reaches only this process, which ends them in order."""
        for name, command in commands.items():
            self._running[name] = subprocess.Popen(
                command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
                errors="replace", start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread yet
            )  # fmt: skip
        for name, process in self._running.items():
            reader = threading.Thread(target=self._read, args=(name, process), name=f"read-{name}", daemon=True)
            reader.start()
            self._readers.append(reader)

    def ended(self, besides: Collection[str] = ()) -> Ended | None:
        """Return the first process that is over, if any, and is not one of `besides`."""
        for name, process in self._running.items():
            code = None if name in besides else process.poll()
            if code is not None:
                return Ended(name, code)
        return None

    def end(self, patience: float = 8.0) -> None:
        """Ask all to end, kill those that do not within `patience` [s], and clean what they leave behind.

        The one that was started first, the robot's side, ends last: nobody is left talking to a robot that is gone. By
        SIGTERM: a node that is still starting ends by it without a traceback, which would bury the reason.
        """
        started = list(self._running.values())
        self._end(started[1:], patience)
        self._end(started[:1], patience)
        for reader in self._readers:
            reader.join(1.0)
        if self._killed or any(p.returncode < 0 for p in self._running.values()):
            sweep_shared_memory()

    def _end(self, processes: Sequence[subprocess.Popen[str]], patience: float) -> None:
        alive = [p for p in processes if p.poll() is None]
        for process in alive:
            process.terminate()
        end = time.monotonic() + patience
        for process in alive:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self._killed = True

    def _read(self, name: str, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout:
            for line in process.stdout:
                self._on_line(name, line.rstrip())


def sweep_shared_memory(folder: Path = SHARED_MEMORY) -> int:
    """Remove the Fast DDS segments of processes that are gone, 16 MiB each; return how many.

    The owner of segment X holds a lock on the file X_el for as long as it lives, in whatever container. Everything else
    in the folder (ports, semaphores, locks) belongs to all processes of the machine: without it they fall silent.
    """
    removed = 0
    for lock in folder.glob("fastrtps_*_el"):
        segment = lock.with_name(lock.name.removesuffix("_el"))
        if _SEGMENT.fullmatch(segment.name) and _is_abandoned(lock):
            segment.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_abandoned(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # held, gone by itself, or another user's
    return True


def _die_with_parent() -> None:
    """In the child: have the kernel send SIGINT when the supervisor is gone, however it went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
