"""The hardware contract: what the fake arm, the twin and the Sawyer driver all promise."""

from __future__ import annotations

from typing import Protocol

from gmps_robot.control.guard_state import GuardState
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, SafetyEnvelope


class ArmDriver(Protocol):
    """One arm. Every command goes through the guard inside `apply`; there is no other way to move.

    `now` is the caller's clock in seconds: monotonic on a robot, simulated time on a twin in lock-step.
    """

    @property
    def limits(self) -> SafetyEnvelope:
        """The envelope this arm obeys; readable before anything moves."""
        ...

    @property
    def period(self) -> float:
        """Control period [s]: how often `apply` is to be called. The twin's is the policy's, a robot's is shorter."""
        ...

    @property
    def guard_state(self) -> GuardState:
        """What the guard remembers: mode, fault and its reason."""
        ...

    def observe(self) -> ArmState:
        """Return the latest measured state."""
        ...

    def apply(self, command: ArmCommand | None, now: float) -> AppliedCommand:
        """Pass `command` through the guard and carry out one control period; None means silence.

        Returns what was really applied, with the reasons for any difference. Never raises for a bad command: it
        holds, and says so in the reasons.
        """
        ...

    def home(self) -> None:
        """Bring the tip to the family's start pose, through the guard, at the reset speed."""
        ...

    def enable(self, enabled: bool) -> None:
        """Switch the motors on and check the arm before it may move, or switch them off.

        Raises:
            ArmError: the robot refuses, or it is not the robot the model describes.
        """
        ...

    def kill(self, reason: str) -> None:
        """Press the robot's own stop. Two acts of a person end it: `reset_fault`, then `enable(True)`."""
        ...

    def stop(self, reason: str) -> None:
        """Hold and latch (FAULT). Only `reset_fault` by a person ends it."""
        ...

    def reset_fault(self) -> None:
        """Leave a latched FAULT: the arm holds until the next command."""
        ...
