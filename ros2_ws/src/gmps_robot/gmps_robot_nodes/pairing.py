"""Messages of one stamp belong together: an image is paired with the arm state and the scene of the same instant."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gmps_robot.types import AppliedCommand, FloatArray, ImageArray, SceneState

Part = Literal["camera", "arm", "scene"]
KEPT = 16  # instants; more than any sane difference between topics


@dataclass
class Moment:
    """What is known of one instant; filled as messages arrive."""

    stamp_ns: int
    image: ImageArray | None = None
    tip: FloatArray | None = None  # (3,) [m]
    scene: SceneState | None = None

    def has(self, needs: frozenset[Part]) -> bool:
        """Whether every part of `needs` has come."""
        parts = {"camera": self.image, "arm": self.tip, "scene": self.scene}
        return all(parts[part] is not None for part in needs)


class Pairing:
    """Collects parts of instants and hands out the newest complete one, each at most once."""

    def __init__(self, needs: frozenset[Part], clock: Callable[[], float]) -> None:
        self._needs, self._clock = needs, clock
        self._moments: OrderedDict[int, Moment] = OrderedDict()
        self._applied: OrderedDict[int, AppliedCommand] = OrderedDict()
        self._heard: dict[Part, float] = dict.fromkeys(needs, clock())
        self.handed_out = 0  # stamp of the last moment [ns]

    def add_image(self, stamp_ns: int, image: ImageArray) -> None:
        """Note an image."""
        self._at(stamp_ns, "camera").image = image

    def add_tip(self, stamp_ns: int, tip: FloatArray) -> None:
        """Note the measured tip (3,) [m]."""
        self._at(stamp_ns, "arm").tip = tip

    def add_scene(self, stamp_ns: int, scene: SceneState) -> None:
        """Note the scene."""
        self._at(stamp_ns, "scene").scene = scene

    def add_applied(self, answers_ns: int, applied: AppliedCommand) -> None:
        """Note what was applied on the observation of `answers_ns`."""
        self._applied[answers_ns] = applied
        _trim(self._applied)

    def applied(self, answers_ns: int) -> AppliedCommand | None:
        """Return what was applied on the observation of `answers_ns`; None while that is not known."""
        return self._applied.get(answers_ns)

    def newest(self) -> Moment | None:
        """Return the newest complete moment unless it was handed out already; older ones are dropped."""
        for stamp_ns in reversed(self._moments):
            if stamp_ns == self.handed_out:
                return None
            if self._moments[stamp_ns].has(self._needs):
                self.handed_out = stamp_ns
                return self._moments[stamp_ns]
        return None

    def forget_before(self, stamp_ns: int) -> None:
        """Drop what is older than `stamp_ns`: it shows a scene that is gone."""
        for old in [stamp for stamp in self._moments if stamp < stamp_ns]:
            del self._moments[old]
        self._applied.clear()

    def silent(self, limit: float) -> tuple[Part, ...]:
        """Return the parts that have not been heard for `limit` [s]."""
        now = self._clock()
        return tuple(sorted(part for part, heard in self._heard.items() if now - heard > limit))

    def _at(self, stamp_ns: int, part: Part) -> Moment:
        self._heard[part] = self._clock()
        moment = self._moments.get(stamp_ns)
        if moment is None:
            moment = self._moments[stamp_ns] = Moment(stamp_ns)
            _trim(self._moments)
        return moment


def _trim(entries: OrderedDict[int, Moment] | OrderedDict[int, AppliedCommand]) -> None:
    while len(entries) > KEPT:
        entries.popitem(last=False)
