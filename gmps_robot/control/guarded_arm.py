"""What every arm repeats: its guard, the way home, what people may do to it. An arm adds how it measures and moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import RLock

import numpy as np

from gmps_robot.control.guard import guard
from gmps_robot.control.guard_state import GuardState, arm, reset_fault, stop
from gmps_robot.control.homing import home_velocity, is_home
from gmps_robot.errors import ArmError
from gmps_robot.families.family import Family
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, SafetyEnvelope

HOMING_LIMIT = 30.0  # no way home inside a rig's box takes longer [s]


class GuardedArm(ABC):
    """An `ArmDriver` whose every motion passes the guard; `guard_state` is what the guard let through last."""

    def __init__(
        self, family: Family, state: GuardState, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Begin with guard `state`, not armed.

        Args:
            family: gives envelope and home.
            state: of the guard, from `starting_at`.
            clock: the clock [s] that `now` of `apply` comes from.
            sleep: lets that clock pass while `home` moves.
        """
        self.family, self._clock, self._sleep = family, clock, sleep
        self._guard = state
        self._lock = RLock()  # a robot's control thread moves the arm while people stop and release it
        self._home_seq = 0

    @property
    def limits(self) -> SafetyEnvelope:
        """The envelope this arm obeys."""
        return self.family.envelope

    @property
    def period(self) -> float:
        """Control period [s]."""
        return self._guard.period

    @property
    def guard_state(self) -> GuardState:
        """What the guard remembers: mode, fault and its reason."""
        return self._guard

    def observe(self) -> ArmState:
        """Return the latest measured state."""
        return self._measured(self._clock())

    def apply(self, command: ArmCommand | None, now: float) -> AppliedCommand:
        """Pass `command` through the guard and carry out one control period."""
        with self._lock:
            self._guard, applied = guard(self.limits, self._guard, self._measured(now), self._received(command), now)
            self._carry_out(self._guard, now)
            return applied

    def home(self) -> None:
        """Bring the tip to the start: up, over, down; returns at rest there, or when the guard's state forbids it.

        Raises:
            ArmError: the arm does not arrive.
        """
        for _ in range(round(HOMING_LIMIT / self.period)):
            now = self._clock()
            command = self.next_home(now)
            if command is None:
                return
            self.apply(command, now)
            self._sleep(self.period)
        raise ArmError(f"the arm did not reach {self.family.start_tip} m within {HOMING_LIMIT:.0f} s of homing")

    def next_home(self, now: float) -> ArmCommand | None:
        """Return the next command of the way home, stamped `now` [s]; None at rest there or where nothing may move."""
        state, home = self._guard, np.array(self.family.start_tip)
        may_move = state.armed and state.mode != "FAULT"
        if not may_move and state.at_rest:
            return None
        if is_home(state.tip_target, state.velocity, home) and state.at_rest:  # else silence would be a stop, off home
            return None
        self._home_seq += 1
        velocity = home_velocity(state.tip_target, state.velocity, home, self.limits, self.period)
        return ArmCommand(round(now * 1e9), self._home_seq, "reset", velocity, state.gripper)

    def enable(self, enabled: bool) -> None:
        """Switch the motors on and arm, or switch them off.

        Raises:
            ArmError: the robot refuses, a FAULT or stop has not been reset, or the arm is in motion: what it is armed
                with, as the force that counts as none, is measured at rest.
        """
        if enabled and not self._guard.at_rest:
            raise ArmError("the arm is in motion: it is enabled already; let it come to rest to enable it anew")
        if enabled and self._guard.mode in ("FAULT", "ESTOP"):
            raise ArmError(f"{self._guard.mode}: {self._guard.fault_reason}; reset it before the arm is enabled")
        self._switch(enabled)
        if enabled:
            with self._lock:
                self._guard = arm(self._guard, self.observe())

    def kill(self, reason: str) -> None:
        """Hold, latch and press the robot's own stop. Two acts of a person end it: `reset_fault`, then `enable(True)`.

        Raises:
            ArmError: the robot does not confirm its stop; the arm is held by its driver alone.
        """
        self.stop(reason)  # a robot that cannot be reached must not go on meanwhile
        self._press_stop(reason)

    def stop(self, reason: str) -> None:
        """Hold and latch."""
        with self._lock:
            self._guard = stop(self._guard, reason)

    def reset_fault(self) -> None:
        """Leave a latched FAULT or, with the robot's own stop released, ESTOP."""
        self._release_stop()
        with self._lock:
            self._guard = reset_fault(self._guard)

    def _received(self, command: ArmCommand | None) -> ArmCommand | None:
        """The request as the guard is to see it."""
        return command

    @abstractmethod
    def _measured(self, now: float) -> ArmState:
        """The arm as measured, seen at `now` [s]."""

    @abstractmethod
    def _carry_out(self, state: GuardState, now: float) -> None:
        """Move by one control period to what the guard has let through."""

    @abstractmethod
    def _switch(self, enabled: bool) -> None:
        """Motors on or off; raises ArmError where the robot refuses."""

    @abstractmethod
    def _press_stop(self, reason: str) -> None:
        """The robot's own stop, as if somebody pressed its button."""

    @abstractmethod
    def _release_stop(self) -> None:
        """Clear the robot's own stop where that is in force and can be cleared."""
