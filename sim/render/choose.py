"""Which renderer draws policy images: an explicit choice, else the fast ray caster."""

from __future__ import annotations

import mujoco as mj

from gmps_robot.types import FloatArray
from sim.render.camera import Camera
from sim.render.rays import RayCaster
from sim.render.shapes import Shapes


def policy_renderer(
    choice: str, model: mj.MjModel, camera: Camera, positions: FloatArray, rotations: FloatArray
) -> RayCaster:
    """Return the renderer for images of `model` from cameras at `positions` (c, 3), `rotations` (c, 3, 3)."""
    return RayCaster(Shapes.of(model), camera, positions, rotations)
