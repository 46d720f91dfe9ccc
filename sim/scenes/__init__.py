"""What stands in front of the arm: specification builders only, no reward and no goal."""

from __future__ import annotations

from collections.abc import Callable

import mujoco as mj

from gmps_robot.errors import TaskError, nearest
from sim.scenes.push import push_spec

OBJECT_JOINT = "object"  # every scene names the free joint of its movable object so


def scene_spec(family: str) -> mj.MjSpec:
    """Return the specification of the scene of task family `family`.

    Raises:
        TaskError: there is no scene for it.
    """
    builders: dict[str, Callable[[], mj.MjSpec]] = {"push": push_spec}
    if family not in builders:
        raise TaskError(f"no scene for task family {family!r}{nearest(family, builders)}")
    return builders[family]()
