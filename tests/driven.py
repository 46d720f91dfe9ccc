"""A driver in front of an emulated robot, as a policy and a person use it; over the wire or in virtual time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from gmps_robot.families.push import PushFamily
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import Wire
from gmps_robot.types import AppliedCommand, ArmCommand

FAMILY = PushFamily()
POLICY_PERIOD = 0.05  # [s]
HALF_OPEN = -0.5


class Driven(ABC):
    """`velocity` [m/s] is asked for 20 times per second, as by a policy; None is silence.

    `words` are the joint commands that reached the robot, with their time [s]; `late` is how late one may come [s].
    """

    late = 0.0

    def __init__(self, emulator: Any, arm: SawyerArm, wire: Wire, words: list[tuple[Any, float]]) -> None:
        self.emulator, self.arm, self.wire, self.words = emulator, arm, wire, words
        self.velocity: Sequence[float] | None = None
        self.applied: AppliedCommand | None = None
        self._queue: deque[Sequence[float]] = deque()
        self._homing, self._seq, self._due = False, 0, 0.0

    @property
    @abstractmethod
    def now(self) -> float:
        """The driver's clock [s]."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Let time pass, and the arm live."""

    @abstractmethod
    def end(self) -> None:
        """End the control loop."""

    @abstractmethod
    def connect(self, name: str) -> Wire:
        """A wire of another program."""

    @abstractmethod
    def published(self) -> set[str]:
        """The topics that the driver publishes."""

    @property
    def mode(self) -> str:
        """Of the guard."""
        return self.arm.guard_state.mode

    @property
    def playing(self) -> bool:
        """Whether a sequence is under way."""
        return bool(self._queue)

    def until(self, holds: Callable[[], Any], what: str, patience: float = 10.0) -> Any:
        """Wait for `holds`; return what it gave. Fails with `what`."""
        end = self.now + patience
        while self.now < end:
            if found := holds():
                return found
            self.sleep(0.01)
        pytest.fail(f"after {patience} s: {what}; {self.mode} {self.arm.guard_state.fault_reason}")

    def ready(self) -> None:
        """Armed and at the start, whatever was before."""
        self.velocity = None
        self.until(lambda: self.wire.heard.robot().joints_s > self.now - 0.05, "the robot is silent")
        if self.mode in ("FAULT", "ESTOP"):
            self.arm.reset_fault()
        if not self.arm.guard_state.armed:
            self.arm.enable(True)
        self.until(lambda: self.mode in ("ARMED", "HOLD", "MOVING"), "the arm is not armed")

    def move(self, velocity: Sequence[float], seconds: float = 0.6) -> None:
        """Ask for `velocity` [m/s] and let it run."""
        self.velocity = velocity
        self.sleep(seconds)

    def play(self, velocities: Iterable[Sequence[float]]) -> None:
        """Ask for one velocity [m/s] after the other, each for exactly one period of the policy; do not wait."""
        self._queue.extend(velocities)

    def home(self) -> None:
        """Go home, as the node does it."""
        self.velocity, self._homing = None, True
        self.until(lambda: not self._homing, "the arm does not come home")
        assert self.mode != "FAULT", self.arm.guard_state.fault_reason
        self.stopping_time(self.now)

    def stopping_time(self, since: float, speed: float = 0.005) -> float:
        """Seconds from `since` until the true tip stayed slower than `speed` [m/s]; waits until it does."""
        self.until(lambda: self._rest_since(speed) is not None, "the tip does not come to rest")
        return max(0.0, (self._rest_since(speed) or since) - since)

    def tick(self) -> None:
        """One control period."""
        now, command, velocity = self.now, None, self._queue[0] if self._queue else self.velocity
        if self._homing:
            command = self.arm.next_home(now)
            self._homing = command is not None
        elif velocity is not None and now >= self._due:
            self._seq, self._due = self._seq + 1, now + POLICY_PERIOD - 1e-3
            if self._queue:
                self._queue.popleft()
            command = ArmCommand(round(now * 1e9), self._seq, "policy", np.array(velocity, dtype=float), HALF_OPEN)
        self.applied = self.arm.apply(command, now)

    def _rest_since(self, speed: float) -> float | None:
        trace = self.emulator.trace(10.0)
        fast = np.flatnonzero(np.linalg.norm(trace[:, 4:], axis=1) > speed)
        last = trace[fast[-1], 0] if len(fast) else trace[0, 0]
        return float(last) if trace[-1, 0] - last > 0.3 else None
