"""The way home, the same for every arm: up, over, down. Each step is a command that the guard may still change.

It is a way of the tip, in straight lines, and no plan for the joints: from an elbow that points elsewhere, or with a
tool that looks away, it may lead to a joint's limit or a singularity, and there it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gmps_robot.types import FloatArray, SafetyEnvelope

CLEARANCE = 0.12  # tip height at which a tool with its fingers passes over the objects of the table [m]
ARRIVED = 0.001  # [m]
UPRIGHT = float(np.deg2rad(0.5))  # the tool stands as it should within this [rad]
LIMIT = 30.0  # no way home inside a rig's box takes longer [s]
PATIENCE = 6.0  # a way on which the arm comes no nearer for this long leads nowhere [s]
_NEARER = 0.001  # [m]
_ARM = 0.2  # what a turn of the tool counts as [m/rad]
_RESUMED = 0.3  # whoever has not asked for this long begins anew [s]
_ACROSS = 0.004  # horizontal distance below which the tip may descend [m]
_DIRECT = 0.02  # a move shorter than this needs no detour [m]


def home_velocity(
    tip_target: FloatArray, previous: FloatArray, home: FloatArray, envelope: SafetyEnvelope, period: float
) -> FloatArray:
    """Return the tip velocity (3,) [m/s] that next leads from `tip_target` (3,) to `home` (3,) [m]; zero when there.

    The tip rises to the clearance first, so that it drags nothing along, unless home is nearer than 2 cm. Every leg
    slows down early enough to end within the acceleration limit.

    Args:
        tip_target: commanded tip now [m].
        previous: velocity applied in the last period [m/s].
        home: where to go [m].
        envelope: gives speed and acceleration of the source `reset`.
        period: control period [s].
    """
    offset = np.asarray(home, dtype=np.float64) - tip_target
    across = float(np.hypot(offset[0], offset[1]))
    height = min(CLEARANCE, envelope.reset.box_high[2] - envelope.brake_zone)
    if np.linalg.norm(offset) < ARRIVED and np.linalg.norm(previous) < ARRIVED:
        return np.zeros(3)
    if across < _ACROSS or np.linalg.norm(offset) < _DIRECT:
        leg = offset
    elif tip_target[2] < height - _ACROSS:
        leg = np.array([0.0, 0.0, height - tip_target[2]])
    else:
        leg = np.array([offset[0], offset[1], 0.0])
    distance = float(np.linalg.norm(leg))
    if distance == 0.0:
        return np.zeros(3)
    # Speed from which braking by the limit, one period later, still ends at the end of the leg.
    braking = envelope.acceleration / 2.0
    lag = braking * period
    speed = min(envelope.reset.speed, np.sqrt(lag * lag + 2.0 * braking * distance) - lag, distance / period)
    return np.asarray(leg / distance * speed)


def is_home(tip_target: FloatArray, previous: FloatArray, home: FloatArray) -> bool:
    """Whether the commanded tip rests at `home`, to a millimetre."""
    away = float(np.linalg.norm(np.asarray(home) - tip_target))
    return away < ARRIVED and float(np.linalg.norm(previous)) < ARRIVED


@dataclass(frozen=True)
class Progress:
    """How near the arm has come to its home on this way; times are on the driver's clock [s]."""

    began: float = -np.inf
    asked: float = -np.inf
    nearest: float = np.inf  # [m], a turn of the tool counted as an arc
    gained: float = -np.inf  # when it last came nearer

    def after(self, away: float, turned: float, now: float) -> Progress:
        """The progress once the arm is `away` [m] and its tool `turned` [rad] at `now` [s]."""
        left = away + _ARM * turned
        if now - self.asked > _RESUMED:
            return Progress(now, now, left, now)
        if left < self.nearest - _NEARER:
            return Progress(self.began, now, left, now)
        return Progress(self.began, now, self.nearest, self.gained)

    @property
    def ended(self) -> bool:
        """Whether this way leads nowhere."""
        return self.asked - self.gained > PATIENCE or self.asked - self.began > LIMIT
