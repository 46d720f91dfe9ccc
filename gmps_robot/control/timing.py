"""Pace a control loop and say truthfully how it kept time. Clock and sleep are passed in."""

from __future__ import annotations

import ctypes
import os
import resource
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gmps_robot.errors import ConfigError, ObservationError

PREFERRED = -10  # niceness of a process that must keep time
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # <sys/mman.h>
_CAP_IPC_LOCK = 14  # <linux/capability.h>
KEPT = 20_000  # cycles a report looks back on: 16 minutes at 20 Hz


@dataclass(frozen=True)
class TimingReport:
    """How a loop of `cycles` cycles kept its rate. Times in seconds; `sections` maps a name to its p50 and p99."""

    cycles: int
    missed: int  # cycles that began after their deadline
    busy_p50: float
    busy_p99: float
    busy_max: float
    period_p50: float
    period_p99: float
    sections: dict[str, tuple[float, float]]

    def __str__(self) -> str:
        """One line for a log."""
        parts = [f"{name} {1e3 * p50:.2f}/{1e3 * p99:.2f}" for name, (p50, p99) in self.sections.items()]
        return (
            f"{self.cycles} cycles, {self.missed} missed; busy p50/p99/max "
            f"{1e3 * self.busy_p50:.2f}/{1e3 * self.busy_p99:.2f}/{1e3 * self.busy_max:.2f} ms; period p50/p99 "
            f"{1e3 * self.period_p50:.2f}/{1e3 * self.period_p99:.2f} ms"
            + (f"; p50/p99 ms: {', '.join(parts)}" if parts else "")
        )


class CycleTimer:
    """Measures cycles and named sections of them.

    with timer.cycle():
        with timer.section("policy"):
            ...
    """

    def __init__(self, period: float, clock: Callable[[], float], deadline: float | None = None) -> None:
        """Cycles are expected every `period` [s]; missed is one that comes `deadline` [s] after the last, or later.

        Without `deadline` that is one and a half periods.

        Raises:
            ConfigError: `period` is not positive.
        """
        if not period > 0.0:
            raise ConfigError(f"control period = {period} s: must be positive")
        self._deadline, self._clock = deadline or 1.5 * period, clock
        self._busy: deque[float] = deque(maxlen=KEPT)
        self._periods: deque[float] = deque(maxlen=KEPT)
        self._sections: dict[str, deque[float]] = {}
        self._last_start: float | None = None
        self.cycles = 0
        self.missed = 0

    @contextmanager
    def cycle(self) -> Iterator[None]:
        """Time one cycle; also when it ends in an error."""
        start = self._clock()
        if self._last_start is not None:
            self._periods.append(start - self._last_start)
            self.missed += start - self._last_start > self._deadline
        self._last_start = start
        try:
            yield
        finally:
            self._busy.append(self._clock() - start)
            self.cycles += 1

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Time a part of a cycle under `name`."""
        start = self._clock()
        try:
            yield
        finally:
            self._sections.setdefault(name, deque(maxlen=KEPT)).append(self._clock() - start)

    def restart(self) -> None:
        """Forget when the last cycle began: a planned pause is not a missed deadline."""
        self._last_start = None

    def report(self) -> TimingReport:
        """Summarise the last `KEPT` cycles; `cycles` and `missed` count all of them."""
        busy, periods = _quantiles(self._busy), _quantiles(self._periods)
        sections = {name: _quantiles(values)[:2] for name, values in self._sections.items()}
        return TimingReport(self.cycles, self.missed, *busy, periods[0], periods[1], sections)


class Pacer:
    """Sleeps until the next beat of a fixed rate. After a delay it goes on from now instead of rushing after it."""

    def __init__(self, period: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Beat every `period` [s].

        Raises:
            ConfigError: `period` is not positive.
        """
        if not period > 0.0:
            raise ConfigError(f"control period = {period} s: must be positive")
        self._period, self._clock, self._sleep = period, clock, sleep
        self._next: float | None = None
        self.missed = 0

    def wait(self) -> float:
        """Sleep until the next beat and return how late it is [s]; the first call returns at once."""
        now = self._clock()
        if self._next is None:
            self._next = now + self._period
            return 0.0
        if now < self._next:
            self._sleep(self._next - now)
            now = self._clock()
        late = max(0.0, now - self._next)
        self.missed += late > self._period / 2
        self._next = self._next + self._period if late < self._period else now + self._period
        return late

    def restart(self) -> None:
        """Begin a new count of beats at the next call, as after a pause."""
        self._next = None


def prefer_this_process() -> bool:
    """Ask the system to run this process before others; return whether it does. Needs CAP_SYS_NICE, as root has it."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PREFERRED)
    except PermissionError:
        return False
    return True


def run_in_real_time(priority: int) -> bool:
    """Let the calling thread, and those it starts, run before every ordinary process; return whether the system does.

    SCHED_FIFO: without it a thread that holds the interpreter can lose its core to another program and keep a control
    thread waiting. Needs CAP_SYS_NICE, as root has it, or an `rtprio` limit of `priority` (1 to 99).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        return False
    return True


def stay_in_memory() -> bool:
    """Keep every page of this process in memory, also what it will touch later; return whether the system does.

    A system short of memory, or one that saves it, drops pages of code that have not run for a while. To fetch one from
    the disk again takes tens of milliseconds, in the middle of a control period. Needs CAP_IPC_LOCK, or no `memlock`
    limit: below one, memory asked for later would be refused.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    capable = int(status.split("CapEff:")[1].split()[0], 16) >> _CAP_IPC_LOCK & 1
    if not capable and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mlockall(_MCL_CURRENT) == 0 and libc.mlockall(_MCL_FUTURE | _MCL_ONFAULT) == 0)


def require_fresh(name: str, stamp_ns: int, now: float, limit: float) -> None:
    """Check the age of a piece of input.

    Args:
        name: what it is, for the message: "camera image", "arm state".
        stamp_ns: when it was taken, on the clock of `now`.
        now: [s].
        limit: the greatest age [s]; a stamp this far ahead of `now` is refused too.

    Raises:
        ObservationError: it is too old, or stamped in the future.
    """
    age = now - stamp_ns * 1e-9
    if not -limit <= age <= limit:
        when = f"{age:.3f} s old" if age > 0 else f"stamped {-age:.3f} s ahead of the clock"
        raise ObservationError(f"{name} is {when}; the limit is {limit:.3f} s. Is its source still running?")


def _quantiles(values: deque[float]) -> tuple[float, float, float]:
    """p50, p99 and maximum; zeros for none."""
    if not values:
        return 0.0, 0.0, 0.0
    p50, p99, top = np.quantile(np.array(values), [0.5, 0.99, 1.0])
    return float(p50), float(p99), float(top)
