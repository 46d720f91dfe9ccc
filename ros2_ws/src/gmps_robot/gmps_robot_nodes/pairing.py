"""Messages of one instant belong together: an image is paired with the arm state and the scene nearest to it in time.

The twin stamps what belongs together alike, so its tolerance is zero. On a rig every part has its own beat; there the
nearest stamp within the tolerance counts, and never simply the latest message.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from gmps_robot.types import AppliedCommand, FloatArray, ImageArray, SceneState

Part = Literal["camera", "arm", "scene"]
T = TypeVar("T")
KEPT = 64  # messages per part: more than half a second of a 100 Hz topic
APPLIED_KEPT = 16
SKEWS_KEPT = 1200  # a minute at 20 Hz
RIG_TOLERANCE_NS = 20_000_000


@dataclass(frozen=True)
class Moment:
    """What is known of one instant."""

    stamp_ns: int
    image: ImageArray | None = None
    tip: FloatArray | None = None  # (3,) [m]
    scene: SceneState | None = None


class Pairing:
    """Collects parts of instants and hands out the newest complete one, each at most once."""

    def __init__(self, needs: frozenset[Part], clock: Callable[[], float], tolerance_ns: int = 0) -> None:
        self._needs, self._clock, self._tolerance = needs, clock, tolerance_ns
        self._images, self._tips, self._scenes = Stamped[ImageArray](), Stamped[FloatArray](), Stamped[SceneState]()
        self._parts: dict[Part, Stamped[Any]] = {"camera": self._images, "arm": self._tips, "scene": self._scenes}
        self._leader: Part = "camera" if "camera" in needs else "arm"
        self._applied: OrderedDict[int, AppliedCommand] = OrderedDict()
        self._heard: dict[Part, float] = dict.fromkeys(needs, clock())
        self.handed_out = 0  # stamp of the last moment [ns]
        self.skews_ns: deque[int] = deque(maxlen=SKEWS_KEPT)  # of the moments handed out, between their parts

    def add_image(self, stamp_ns: int, image: ImageArray) -> None:
        """Note an image."""
        self._images.add(stamp_ns, image)
        self._heard["camera"] = self._clock()

    def add_tip(self, stamp_ns: int, tip: FloatArray) -> None:
        """Note the measured tip (3,) [m]."""
        self._tips.add(stamp_ns, tip)
        self._heard["arm"] = self._clock()

    def add_scene(self, stamp_ns: int, scene: SceneState) -> None:
        """Note the scene."""
        self._scenes.add(stamp_ns, scene)
        self._heard["scene"] = self._clock()

    def add_applied(self, answers_ns: int, applied: AppliedCommand) -> None:
        """Note what was applied on the observation of `answers_ns`."""
        self._applied[answers_ns] = applied
        while len(self._applied) > APPLIED_KEPT:
            self._applied.popitem(last=False)

    def take_applied(self) -> dict[int, AppliedCommand]:
        """Return what was applied since the last call, by the observation that it answered; each once."""
        taken = dict(self._applied)
        self._applied.clear()
        return taken

    def newest(self) -> Moment | None:
        """Return the newest complete moment unless it was handed out already; older ones are dropped."""
        for stamp_ns in self._parts[self._leader].after(self.handed_out):
            near = {part: messages.nearest(stamp_ns, self._tolerance) for part, messages in self._parts.items()}
            if all(near[part] is not None for part in self._needs):
                return self._hand_out(stamp_ns)
        return None

    def scene_near(self, stamp_ns: int) -> SceneState | None:
        """Return the scene at `stamp_ns`, also where nobody needed it then; None while there is none."""
        found = self._scenes.nearest(stamp_ns, self._tolerance)
        return None if found is None else found[1]

    def forget_before(self, stamp_ns: int) -> None:
        """Drop what is older than `stamp_ns`: it shows a scene that is gone."""
        for messages in self._parts.values():
            messages.forget_before(stamp_ns)
        self._applied.clear()

    def silent(self, limit: float) -> tuple[Part, ...]:
        """Return the needed parts that have not been heard for `limit` [s]."""
        now = self._clock()
        return tuple(sorted(part for part in self._needs if now - self._heard[part] > limit))

    def _hand_out(self, stamp_ns: int) -> Moment:
        self.handed_out = stamp_ns
        image, tip, scene = (messages.nearest(stamp_ns, self._tolerance) for messages in self._parts.values())
        stamps = [found[0] for found in (image, tip, scene) if found is not None]
        self.skews_ns.append(max(stamps) - min(stamps))
        return Moment(
            stamp_ns, None if image is None else image[1], None if tip is None else tip[1],
            None if scene is None else scene[1],
        )


class Stamped(Generic[T]):
    """The newest messages of one part, by stamp."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._values: dict[int, T] = {}

    def add(self, stamp_ns: int, value: T) -> None:
        """Note `value`; what is older than the newest `KEPT` is dropped."""
        if stamp_ns not in self._values:
            self._stamps.insert(bisect_left(self._stamps, stamp_ns), stamp_ns)
        self._values[stamp_ns] = value
        if len(self._stamps) > KEPT:
            del self._values[self._stamps.pop(0)]

    def nearest(self, stamp_ns: int, tolerance_ns: int) -> tuple[int, T] | None:
        """Return stamp and value nearest to `stamp_ns`; None where nothing lies within the tolerance."""
        place = bisect_left(self._stamps, stamp_ns)
        around = self._stamps[max(0, place - 1) : place + 1]
        near = min(around, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        return None if near is None or abs(near - stamp_ns) > tolerance_ns else (near, self._values[near])

    def after(self, stamp_ns: int) -> list[int]:
        """Return the stamps after `stamp_ns`, newest first."""
        return self._stamps[bisect_right(self._stamps, stamp_ns) :][::-1]

    def forget_before(self, stamp_ns: int) -> None:
        """Drop what is older than `stamp_ns`."""
        while self._stamps and self._stamps[0] < stamp_ns:
            del self._values[self._stamps.pop(0)]
