"""What every arm repeats: its guard, the way home, what people may do to it. An arm adds how it measures and moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from threading import RLock

import numpy as np

from gmps_robot.control.guard import guard
from gmps_robot.control.guard_state import GuardState, arm, reset_fault, stop, strayed
from gmps_robot.control.homing import UPRIGHT, Progress, home_velocity, is_home
from gmps_robot.control.kinematics import forward, tool_turn
from gmps_robot.errors import ArmError
from gmps_robot.families.family import Family
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, SafetyEnvelope


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
        self._home_seq, self._way = 0, Progress()
        self._reasons: tuple[str, ...] = ()  # of what was applied last

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
            self._reasons = applied.reasons
            self._carry_out(self._guard, now)
            return applied

    def home(self) -> None:
        """Bring the tip to the start: up, over, down; returns at rest there, or when the guard's state forbids it.

        Raises:
            ArmError: no way leads there, see `next_home`.
        """
        while (command := self.next_home(now := self._clock())) is not None:
            self.apply(command, now)
            self._sleep(self.period)

    def next_home(self, now: float) -> ArmCommand | None:
        """Return the next command of the way home, stamped `now` [s]; None at rest there or where nothing may move.

        Raises:
            ArmError: the arm comes no nearer: from this posture the way ends at a limit. The message says what to do.
        """
        state, home = self._guard, np.array(self.family.start_tip)
        may_move = state.armed and state.mode != "FAULT"
        if not may_move and state.at_rest:
            return None
        pose = forward(state.joints[None]) if state.known is None else state.known.pose
        turned = tool_turn(pose.rotation[0])
        # Where it was moved by hand, a command that asks for nothing lets the guard begin where the arm is.
        moved = state.at_rest and bool(strayed(state, self.observe()))
        there = is_home(state.tip_target, state.velocity, home) and turned < UPRIGHT and not moved
        if there and state.at_rest:  # else silence would be a stop, off home
            self._way = Progress()
            return None
        away = float(np.linalg.norm(home - state.tip_target))
        self._way = self._way.after(away, turned, now)
        if self._way.ended:
            raise ArmError(self._no_way(away, turned))
        self._home_seq += 1
        velocity = home_velocity(state.tip_target, state.velocity, home, self.limits, self.period)
        return ArmCommand(round(now * 1e9), self._home_seq, "reset", velocity, state.gripper)

    def _no_way(self, away: float, turned: float) -> str:
        self._way = Progress()
        limits = ", ".join(reason.split(",")[0] for reason in self._reasons if "limit," in reason)
        return (
            f"no way home from here: the tip stays {away:.2f} m and the tool {np.rad2deg(turned):.0f} deg off its start"
            f"{f' ({limits})' if limits else ''}. Bring the arm near its start by hand, elbow up, tool down; try again"
        )

    def enable(self, enabled: bool) -> None:
        """Switch the motors on and arm, or switch them off.

        Raises:
            ArmError: the robot refuses, a FAULT or stop has not been reset, or the arm is in motion: what it is armed
                with, as the force that counts as none, is measured at rest.
        """
        if enabled:
            self._require_rest()
        if enabled and self._guard.mode in ("FAULT", "ESTOP"):
            raise ArmError(f"{self._guard.mode}: {self._guard.fault_reason}; reset it before the arm is enabled")
        self._switch(enabled)
        if enabled:
            with self._lock:
                self._require_rest()  # somebody may have moved it while the robot followed its switch
                self._guard = arm(self._guard, self.observe())
                self._armed()

    def _require_rest(self) -> None:
        if not self._guard.at_rest:
            raise ArmError("the arm is in motion: it is enabled already; let it come to rest to enable it anew")

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

    def let_go(self) -> None:
        """End the request in force: the arm stops as for silence, but now."""
        with self._lock:
            self._guard = replace(self._guard, command=None)

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

    def _armed(self) -> None:  # noqa: B027 - an arm that keeps nothing between periods has nothing to forget
        """The arm has been armed where it is: what it was sent before counts no more. Called under the lock."""

    @abstractmethod
    def _press_stop(self, reason: str) -> None:
        """The robot's own stop, as if somebody pressed its button."""

    @abstractmethod
    def _release_stop(self) -> None:
        """Clear the robot's own stop where that is in force and can be cleared."""
