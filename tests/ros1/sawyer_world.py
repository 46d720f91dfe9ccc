"""The driver of the arm on an emulated robot, with its control thread, and a spy on every word that it says."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from gmps_robot import families
from gmps_robot.control.timing import Pacer, prefer_this_process
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.sawyer.wire import LIMB, Wire
from gmps_robot.types import AppliedCommand, ArmCommand
from sim.intera_emulator import Emulator
from tests.ros1.ros1_world import until

FAMILY = families.family("push")
POLICY_PERIOD = 0.05  # [s]
HALF_OPEN = -0.5


class Driven:
    """`velocity` is asked for 20 times per second, as by a policy; None is silence."""

    def __init__(self, emulator: Emulator, arm: SawyerArm, wire: Wire, spy: RosNode) -> None:
        self.emulator, self.arm, self.wire = emulator, arm, wire
        self.velocity: Sequence[float] | None = None
        self._queue: deque[Sequence[float]] = deque()
        self.applied: AppliedCommand | None = None
        self.words: list[tuple[Any, float]] = []  # joint commands, with their receipt [s]
        spy.subscribe(f"{LIMB}/joint_command", "intera_core_msgs/JointCommand", lambda m, t: self.words.append((m, t)))
        self._homing = False
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._running.set()
        self._thread.start()

    @property
    def mode(self) -> str:
        """Of the guard."""
        return self.arm.guard_state.mode

    def ready(self) -> None:
        """Armed and at the start, whatever was before."""
        self.velocity = None
        until(lambda: self.wire.heard.robot().joints_s > time.monotonic() - 0.05, "the robot is silent")
        if self.mode in ("FAULT", "ESTOP"):
            self.arm.reset_fault()
        if not self.arm.guard_state.armed:
            self.arm.enable(True)
        until(lambda: self.mode in ("ARMED", "HOLD", "MOVING"), "the arm is not armed")

    def move(self, velocity: Sequence[float], seconds: float = 0.6) -> None:
        """Ask for `velocity` [m/s] and let it run."""
        self.velocity = velocity
        time.sleep(seconds)

    def play(self, velocities: Iterable[Sequence[float]]) -> None:
        """Ask for one velocity [m/s] after the other, each for exactly one period of the policy; do not wait."""
        self._queue.extend(velocities)

    @property
    def playing(self) -> bool:
        """Whether a sequence is under way."""
        return bool(self._queue)

    def home(self) -> None:
        """Go home, as the node does it."""
        self.velocity, self._homing = None, True
        until(lambda: not self._homing, "the arm does not come home")
        assert self.mode != "FAULT", self.arm.guard_state.fault_reason
        self.stopping_time(time.monotonic())

    def stopping_time(self, since: float, speed: float = 0.005) -> float:
        """Seconds from `since` until the true tip stayed slower than `speed` [m/s]; waits until it does."""
        until(lambda: self._rest_since(speed) is not None, "the tip does not come to rest")
        return max(0.0, (self._rest_since(speed) or since) - since)

    def end(self) -> None:
        """End the control thread."""
        self._running.clear()
        self._thread.join(2.0)

    def _rest_since(self, speed: float) -> float | None:
        trace = self.emulator.trace(10.0)
        fast = np.flatnonzero(np.linalg.norm(trace[:, 4:], axis=1) > speed)
        last = trace[fast[-1], 0] if len(fast) else trace[0, 0]
        return float(last) if trace[-1, 0] - last > 0.3 else None

    def _run(self) -> None:
        pacer = Pacer(self.arm.period, time.monotonic, time.sleep)
        seq, due = 0, 0.0
        while self._running.is_set():
            pacer.wait()
            now, command, velocity = time.monotonic(), None, self._queue[0] if self._queue else self.velocity
            if self._homing:
                command = self.arm.next_home(now)
                self._homing = command is not None
            elif velocity is not None and now >= due:
                seq, due = seq + 1, now + POLICY_PERIOD - 1e-3
                if self._queue:
                    self._queue.popleft()
                command = ArmCommand(round(now * 1e9), seq, "policy", np.array(velocity, dtype=float), HALF_OPEN)
            self.applied = self.arm.apply(command, now)


@contextmanager
def driven(**options: Any) -> Iterator[Driven]:
    """An emulated robot, driven."""
    prefer_this_process()  # test machines are shared
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(FAMILY, **options))
        spy = stack.enter_context(RosNode("spy", emulator.master_uri))
        wire = Wire(stack.enter_context(RosNode("driver", emulator.master_uri)))
        made = Driven(emulator, SawyerArm(FAMILY, wire), wire, spy)
        stack.callback(made.end)
        yield made
