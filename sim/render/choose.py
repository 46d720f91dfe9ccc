"""Which renderer runs: an explicit choice, else the best this machine can do. Each one says which it is.

Policy images: "rays" (numba) before "multiray" (MuJoCo's rays); both give the same images. Video for people: "gl"
before "rays".
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from typing import Protocol

import mujoco as mj

from gmps_robot.errors import RenderError, nearest
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.multiray import MultiRay
from sim.render.shapes import Shapes

POLICY_RENDERERS = ("auto", "rays", "multiray")
_log = logging.getLogger(__name__)


class PolicyRenderer(Protocol):
    """Draws policy images of many worlds."""

    name: str

    def render(
        self, shape_positions: FloatArray, shape_rotations: FloatArray, images: ImageArray,
        depths: FloatArray | None = None, first: int = 0,
    ) -> None:
        """Draw worlds `first`, `first` + 1 ... into `images`, and their depths [m] into `depths` if given."""
        ...


def policy_renderer(
    choice: str, model: mj.MjModel, camera: Camera, positions: FloatArray, rotations: FloatArray
) -> PolicyRenderer:
    """Return the renderer for images of `model` from cameras at `positions` (c, 3), `rotations` (c, 3, 3).

    Raises:
        RenderError: `choice` is unknown, or is "rays" and numba is not installed.
    """
    if choice not in POLICY_RENDERERS:
        raise RenderError(f"unknown renderer {choice!r}{nearest(choice, POLICY_RENDERERS)}")
    if choice == "multiray":
        return MultiRay(model, camera, positions, rotations)
    if numba_present():
        from sim.render.rays import RayCaster  # numba takes a second to import

        return RayCaster(Shapes.of(model), camera, positions, rotations)
    if choice == "rays":
        raise RenderError("renderer 'rays' needs numba: pip install numba")
    warn_once("policy images come from MuJoCo's rays, some 40 times slower: pip install numba for the fast ray caster")
    return MultiRay(model, camera, positions, rotations)


def numba_present() -> bool:
    """Whether the fast ray caster can run."""
    return find_spec("numba") is not None


@cache
def warn_once(message: str) -> None:
    """Log a warning the first time it is given."""
    _log.warning(message)
