"""The demo's table: a tip that goes where it is told for 200 ms, and a block that it pushes."""

from __future__ import annotations

import numpy as np

from gmps_robot import families
from gmps_robot.types import FloatArray

DEAD_MAN = 0.2  # a command moves the tip no longer than this [s]
REACH = 0.05  # between the middle of the block and the tip that pushes it [m]


class DemoWorld:
    """One table. Time is passed in."""

    def __init__(self, now: float) -> None:
        self._family = families.family("push")
        self.command = np.zeros(4)  # what was last asked for: velocity and gripper, action units
        self._commanded_at, self._now = -np.inf, now
        self.reset()

    @property
    def speed(self) -> float:
        """Tip velocity of an action of 1 [m/s]."""
        return self._family.envelope.teleop.speed

    def reset(self) -> None:
        """Put tip and block back."""
        self.tip, self.block = np.array(self._family.start_tip), np.array(self._family.start_object)
        self.command = np.zeros(4)

    def drive(self, velocity: tuple[float, float, float], gripper: float, now: float) -> None:
        """Take a command."""
        self.advance(now)
        self.command, self._commanded_at = np.array([*velocity, gripper]), now

    def applied(self, now: float) -> FloatArray:
        """What moves the tip now (4,), action units."""
        return self.command if now - self._commanded_at < DEAD_MAN else np.array([0.0, 0.0, 0.0, self.command[3]])

    def advance(self, now: float) -> None:
        """Let time pass until `now` [s]."""
        moved = max(0.0, min(now, self._commanded_at + DEAD_MAN) - self._now)
        self._now = now
        source = self._family.envelope.teleop
        wanted = self.tip + self.command[:3] * self.speed * moved
        self.tip = np.clip(wanted, source.box_low, source.box_high)
        apart = self.block[:2] - self.tip[:2]
        distance = float(np.linalg.norm(apart))
        if 1e-9 < distance < REACH and self.tip[2] < 0.05:
            self.block[:2] = self.tip[:2] + apart / distance * REACH
