"""An arm without motors of its own: its switches are a record that tests and people may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gmps_robot.control.guard_state import GuardState
from gmps_robot.control.guarded_arm import GuardedArm
from gmps_robot.errors import ArmError
from gmps_robot.families.family import Family
from gmps_robot.types import ArmStatus


class SimulatedArm(GuardedArm):
    """A guarded arm that keeps its own `status`: enabled from the start, stopped by `kill`, as the robot has it.

    Attributes:
        status: what the arm says about itself; whatever is put there counts from the next control period.
    """

    def __init__(
        self, family: Family, state: GuardState, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Begin with motors on."""
        super().__init__(family, state, clock, sleep)
        self.status = ArmStatus()

    def _switch(self, enabled: bool) -> None:
        if enabled and self.status.stopped:
            raise ArmError(f"the motors stay off: {self.status.detail or 'stopped'}; reset the stop first")
        self.status = replace(self.status, enabled=enabled, detail="" if enabled else "motors switched off")

    def _press_stop(self, reason: str) -> None:
        self.status = replace(self.status, stopped=True, enabled=False, detail=reason)

    def _release_stop(self) -> None:
        """As on the robot, this leaves the motors off."""
        if self.status.stopped:
            self.status = replace(self.status, stopped=False, detail="the stop was reset, motors are off")
