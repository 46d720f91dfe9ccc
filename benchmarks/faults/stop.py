"""What all rows share: figures, a failure, and how long a stop may take."""

from __future__ import annotations

Figures = dict[str, float]
STOP = 0.3  # from the reaction to a tip slower than 5 mm/s: the ramp from 0.2 m/s, and the servos' lag of 0.1 s [s]
TOLD = 0.02  # from the reaction to its report in ROS, which is what can be seen of it here [s]


class MissedError(Exception):
    """What should have happened did not."""


class NotReadyError(MissedError):
    """The arm did not get up to speed in the first place: this machine does too much else. No finding of the row."""
