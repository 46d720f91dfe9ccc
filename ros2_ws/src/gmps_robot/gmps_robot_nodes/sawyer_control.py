"""The control thread of a real arm: a period every 10 ms of the monotonic clock, whatever the node's callbacks do."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from gmps_robot.control.timing import CycleTimer, Pacer, run_in_real_time
from gmps_robot.errors import GmpsError
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.types import AppliedCommand
from gmps_robot_nodes.arm_inbox import ArmInbox, Request
from gmps_robot_nodes.arm_services import ArmServices
from gmps_robot_nodes.beside import Beside

DEADLINE = 0.02  # a control period may be this long [s]
# How long a thread waits for the interpreter before it insists; Python's own choice is 5 ms. It insists only where
# nobody else was given the interpreter meanwhile: among busy threads, control waits for tens of these in a row [s].
GIVE_WAY = 0.0001
NODE_PRIORITY, CONTROL_PRIORITY = 10, 20  # of SCHED_FIFO: who holds the interpreter keeps its core; control is first
SILENCE = AppliedCommand(0, -1, np.zeros(3), 0.0, np.zeros(3))
OnPeriod = Callable[[AppliedCommand], None]
OnAnswered = Callable[[AppliedCommand, int], None]


class Tally:
    """Sums up what was applied while one command was in force."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._applied: list[AppliedCommand] = []

    def add(self, applied: AppliedCommand) -> None:
        """Count a control period in which the command was in force."""
        self._applied.append(applied)

    def total(self) -> AppliedCommand:
        """Return mean velocity, last target and every reason; at rest for a command that never came into force."""
        last = self._applied[-1] if self._applied else SILENCE
        velocity = np.mean([applied.velocity for applied in self._applied or [SILENCE]], axis=0)
        reasons = tuple(dict.fromkeys(reason for applied in self._applied for reason in applied.reasons))
        return AppliedCommand(
            last.stamp_ns, self.request.command.seq, velocity, last.gripper, last.tip_target, reasons
        )


class SawyerControl:
    """Runs `apply` until `end`. `period` is told of each control period, `answered` of each command that is over.

    Both are called in a thread of their own.
    """

    def __init__(
        self, arm: SawyerArm, inbox: ArmInbox, services: ArmServices, period: OnPeriod, answered: OnAnswered
    ) -> None:
        self.timer = CycleTimer(arm.period, time.monotonic, DEADLINE)
        self.applied = SILENCE
        self._failure = ""
        self._arm, self._inbox, self._services = arm, inbox, services
        self._period, self._answered = period, answered
        self._tally: Tally | None = None
        self._ending = threading.Event()
        self._beside = Beside("telling")
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        gc.collect()
        sys.setswitchinterval(GIVE_WAY)
        gc.freeze()  # what lives as long as the process need not be looked through in a control period
        self._thread.start()

    @property
    def failure(self) -> str:
        """What ended a thread; empty while both work. Without commands the robot holds by its own time-out."""
        return self._failure or self._beside.failure

    def end(self) -> None:
        """End the thread; the arm is then nobody's."""
        self._ending.set()
        self._thread.join(2.0)
        self._beside.end()

    def _run(self) -> None:
        pacer = Pacer(self._arm.period, time.monotonic, time.sleep)
        run_in_real_time(CONTROL_PRIORITY)  # where it is refused the node has said so
        try:
            while not self._ending.is_set():
                pacer.wait()
                with self.timer.cycle():
                    self._tick(time.monotonic())
        except GmpsError as error:
            self._failure = str(error)
        finally:
            if not self._ending.is_set() and not self._failure:  # a mistake of ours: its trace is on the way to the log
                self._failure = "the control thread broke off"

    def _tick(self, now: float) -> None:
        request = self._inbox.take(now, self._arm.guard_state.at_rest)
        if self._services.homing:
            request, command = None, self._services.next_home(now)
        else:
            command = None if request is None else request.command
        if self._inbox.changing:
            self._arm.let_go()
        self.applied = self._arm.apply(command, now)
        if request is not None:
            self._finish()
            self._tally = Tally(request)
        if self._tally is not None:
            if self.applied.seq == self._tally.request.command.seq:
                self._tally.add(self.applied)
            else:
                self._finish()
        self._beside.call(partial(self._period, self.applied), every=False)

    def _finish(self) -> None:
        if self._tally is not None:
            total, answers_ns = self._tally.total(), self._tally.request.answers_ns
            self._beside.call(partial(self._answered, total, answers_ns), every=True)
            self._tally = None
