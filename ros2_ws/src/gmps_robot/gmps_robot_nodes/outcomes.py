"""What came of an episode's actions: the scene at each observation, which a marker tracker tells a little later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gmps_robot.types import SceneState

Near = Callable[[int], SceneState | None]


class Outcomes:
    """The scenes at the stamps of an episode's observations, as they become known."""

    def __init__(self) -> None:
        self._scenes: dict[int, SceneState | None] = {}  # by stamp [ns], in order

    def __len__(self) -> int:
        return len(self._scenes)

    def add(self, stamp_ns: int, near: Near) -> None:
        """Wait for the scene of `stamp_ns`, and take up what `near` has learned of this and earlier stamps."""
        self._scenes[stamp_ns] = None
        self.look(near)

    def look(self, near: Near) -> None:
        """Take up what `near` has learned since."""
        for stamp_ns, scene in self._scenes.items():
            if scene is None:
                self._scenes[stamp_ns] = near(stamp_ns)

    @property
    def final(self) -> SceneState | None:
        """The last scene; None while it is not known."""
        return next(reversed(self._scenes.values()), None)

    def known(self, first: int = 0) -> SceneState:
        """Return the known scenes from observation `first` on as one, with an axis of steps. There is at least one."""
        scenes = [scene for scene in list(self._scenes.values())[first:] if scene is not None]
        return SceneState(*(np.stack([getattr(s, name) for s in scenes]) for name in ("tip", "object_pose", "time")))
