"""The joint controller: command modes, their time-out, and the servo target they lead to. Pure; time is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gmps_robot.control.sawyer_model import JOINTS, sawyer_model
from gmps_robot.types import FloatArray

POSITION, VELOCITY, TORQUE, TRAJECTORY = 1, 2, 3, 4
DEFAULT_TIMEOUT = 0.2  # [s]
TIMEOUT_CHECK = 0.01  # the robot looks for a time-out this often [s]
DEFAULT_SPEED_RATIO = 0.3
_POSITION_GAIN = 8.0  # how fast POSITION mode closes what is left [1/s]


@dataclass
class Limb:
    """The controller's memory. `target` is what the joint servos are told.

    Attributes:
        target: (7,) servo target [rad].
        velocity: (7,) how fast `target` moves [rad/s].
        mode: POSITION or VELOCITY; the others are refused.
        timed_out: how often the controller has fallen back to holding its position.
    """

    target: FloatArray
    velocity: FloatArray = field(default_factory=lambda: np.zeros(JOINTS))
    mode: int = POSITION
    timeout: float = DEFAULT_TIMEOUT
    speed_ratio: float = DEFAULT_SPEED_RATIO
    timed_out: int = 0

    def __post_init__(self) -> None:
        links = sawyer_model().links
        self.names = tuple(link.joint for link in links)
        self._max_speed = np.array([link.velocity for link in links])
        self._max_acceleration = np.array([link.acceleration for link in links])
        self._low = np.array([link.joint_range[0] for link in links])
        self._high = np.array([link.joint_range[1] for link in links])
        self._goal = np.array(self.target)  # of POSITION mode
        self._asked = np.zeros(JOINTS)  # of VELOCITY mode
        self._last_command: float | None = None
        self._next_check = 0.0

    def set_timeout(self, seconds: float) -> None:
        """`joint_command_timeout`; the robot clamps it to [0, 1]."""
        if np.isfinite(seconds):
            self.timeout = float(np.clip(seconds, 0.0, 1.0))

    def set_speed_ratio(self, ratio: float) -> None:
        """`set_speed_ratio`: share of the joints' speed that POSITION mode uses."""
        if np.isfinite(ratio):
            self.speed_ratio = float(np.clip(ratio, 0.0, 1.0))

    def hold(self, measured: FloatArray) -> None:
        """Hold `measured` (7,): brakes on, or the fall-back of a time-out."""
        self.target, self._goal = np.array(measured), np.array(measured)
        self.velocity, self._asked = np.zeros(JOINTS), np.zeros(JOINTS)
        self.mode, self._last_command = POSITION, None

    def command(
        self, mode: int, names: Sequence[str], position: Sequence[float], velocity: Sequence[float], now: float
    ) -> str:
        """Take a JointCommand that arrives at `now`; return why it is refused, or an empty string."""
        if mode not in (POSITION, VELOCITY):
            words = {TORQUE: "TORQUE mode", TRAJECTORY: "TRAJECTORY mode"}
            return words.get(mode, f"mode {mode}") + " is refused: this emulator knows POSITION and VELOCITY"
        values = np.array(position if mode == POSITION else velocity, dtype=np.float64)
        unknown = [name for name in names if name not in self.names]
        if unknown or not len(names) or len(values) != len(names) or not np.isfinite(values).all():
            return f"malformed command: joints {list(names)}, values {values.tolist()}"
        rows = [self.names.index(name) for name in names]
        if mode != self.mode:
            self._goal, self._asked = np.array(self.target), np.zeros(JOINTS)
        if mode == POSITION:
            self._goal[rows] = np.clip(values, self._low[rows], self._high[rows])
        else:
            self._asked[rows] = np.clip(values, -self._max_speed[rows], self._max_speed[rows])
        self.mode, self._last_command = mode, now
        return ""

    def step(self, measured: FloatArray, now: float, dt: float) -> FloatArray:
        """Advance by `dt` [s] to `now`; return the servo target (7,). `measured` (7,) is held after a time-out."""
        if now >= self._next_check:
            self._next_check = max(self._next_check, now - TIMEOUT_CHECK) + TIMEOUT_CHECK
            if self._last_command is not None and now - self._last_command > self.timeout:
                self.hold(measured)
                self.timed_out += 1
        if self.mode == VELOCITY:
            self.velocity = self._asked
        else:
            wanted = np.clip(
                _POSITION_GAIN * (self._goal - self.target),
                -self.speed_ratio * self._max_speed, self.speed_ratio * self._max_speed,
            )
            change = self._max_acceleration * dt
            self.velocity = self.velocity + np.clip(wanted - self.velocity, -change, change)
        self.target = np.clip(self.target + self.velocity * dt, self._low, self._high)
        return self.target
