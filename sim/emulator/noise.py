"""Measurement noise of the arm: encoders, the torques of series-elastic joints, and the wrench inferred from them."""

from __future__ import annotations

import numpy as np

from gmps_robot.control.sawyer_model import JOINTS, sawyer_model
from gmps_robot.types import FloatArray

POSITION = 5e-5  # standard deviation [rad]
VELOCITY = 1e-3  # [rad/s]
WRENCH = np.array([0.8, 0.8, 0.8, 0.06, 0.06, 0.06])  # white [N], [N m]
BIAS = np.array([3.0, 3.0, 3.0, 0.2, 0.2, 0.2])  # largest constant offset: to be tared away
DRIFT = np.array([0.5, 0.5, 0.5, 0.03, 0.03, 0.03])  # standard deviation of the slow part
DRIFT_TIME = 20.0  # [s]
HYSTERESIS = 1.5  # the joints' friction, seen at the tip, against the motion [N]
_MOVING = 0.02  # [m/s]
# Of joint torques, as shares of each joint's maximum: white, largest constant offset, friction that no model explains.
TORQUE, TORQUE_BIAS, TORQUE_FRICTION = 0.005, 0.03, 0.02
MOVING = 0.02  # a joint [rad/s]
_MOST_TORQUE = np.array([link.torque for link in sawyer_model().links])  # [N m]


class Noise:
    """Seeded noise; the same seed gives the same bias and the same sequence. `scale` 0 turns it off."""

    def __init__(self, seed: int, scale: float = 1.0) -> None:
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EA]))
        self._scale = scale
        self._bias = self._rng.uniform(-1.0, 1.0, 6) * BIAS
        self._drift = self._rng.standard_normal(6) * DRIFT
        self._torque_rng = np.random.default_rng(np.random.SeedSequence([seed, 0x70C]))
        self._torque_bias = self._torque_rng.uniform(-1.0, 1.0, JOINTS) * TORQUE_BIAS

    def joints(self) -> tuple[FloatArray, FloatArray]:
        """Errors (7,) of joint positions [rad] and velocities [rad/s]."""
        draw = self._rng.standard_normal((2, JOINTS)) * self._scale
        return POSITION * draw[0], VELOCITY * draw[1]

    def wrench(self, tip_velocity: FloatArray, dt: float) -> FloatArray:
        """Error (6,) of the wrench [N], [N m], `dt` [s] after the last one, at tip velocity (3,) [m/s]."""
        draw = self._rng.standard_normal((2, 6))
        keep = np.exp(-dt / DRIFT_TIME)
        self._drift = keep * self._drift + np.sqrt(1.0 - keep**2) * DRIFT * draw[0]
        error = self._bias + self._drift + WRENCH * draw[1]
        speed = float(np.linalg.norm(tip_velocity))
        error[:3] -= HYSTERESIS * np.tanh(speed / _MOVING) * tip_velocity / max(speed, 1e-9)
        return np.asarray(self._scale * error)

    def torque(self, velocities: FloatArray) -> FloatArray:
        """Error (7,) of the joint torques [N m] while the joints turn with `velocities` (7,) [rad/s]."""
        white = TORQUE * self._torque_rng.standard_normal(JOINTS)
        friction = TORQUE_FRICTION * np.tanh(velocities / MOVING)
        return np.asarray(self._scale * _MOST_TORQUE * (self._torque_bias + white + friction))
