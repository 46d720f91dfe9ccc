"""A marker from picture to picture: one that jumps is not believed until it stays where it has jumped to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.track import Sighting
from gmps_robot.types import FloatArray

SPEED = 0.6  # nothing an arm pushes goes faster [m/s]
SLACK = 0.01  # beyond what the speed explains [m]
STAYS = 3  # pictures in a row at a new place before it is believed


class Follower:
    """Judges sightings by the ones before them; `note` them in the order of their stamps."""

    def __init__(self) -> None:
        self._last: tuple[int, FloatArray] | None = None  # stamp [ns] and place (3,) [m] that were believed
        self._new: tuple[int, FloatArray] | None = None  # as the last jump left them
        self._agreed = 0

    def note(self, sighting: Sighting, stamp_ns: int) -> Sighting:
        """Return `sighting` of the picture of `stamp_ns`; one that jumped is not seen, and the reason says so."""
        if not sighting.seen:
            self._agreed = 0
            return sighting
        place = sighting.place[:3, 3]
        if self._last is None or _reachable(self._last, place, stamp_ns):
            self._last, self._agreed = (stamp_ns, place), 0
            return sighting
        away = float(np.linalg.norm(place - self._last[1]))
        stayed = self._agreed > 0 and self._new is not None and _reachable(self._new, place, stamp_ns)
        self._agreed = self._agreed + 1 if stayed else 1
        self._new = (stamp_ns, place)
        if self._agreed >= STAYS:  # somebody has put it there
            self._last, self._agreed = self._new, 0
            return sighting
        since = 1e-9 * (stamp_ns - self._last[0])
        return replace(sighting, seen=False, reason=f"the marker jumped {100 * away:.1f} cm within {since:.2f} s")

    def forget(self) -> None:
        """Somebody puts the object elsewhere: the next place is as good as any."""
        self._last, self._new, self._agreed = None, None, 0


def _reachable(last: tuple[int, FloatArray], place: FloatArray, stamp_ns: int) -> bool:
    passed = 1e-9 * (stamp_ns - last[0])
    return float(np.linalg.norm(place - last[1])) <= SLACK + SPEED * max(0.0, passed)
