"""What renderers draw: the primitive shapes of a scene, split into those that never move and those that do."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco as mj
import numpy as np
from numpy.typing import NDArray

from gmps_robot.errors import RenderError
from gmps_robot.types import FloatArray

PLANE, SPHERE, CAPSULE, CYLINDER, BOX = (
    int(mj.mjtGeom.mjGEOM_PLANE), int(mj.mjtGeom.mjGEOM_SPHERE), int(mj.mjtGeom.mjGEOM_CAPSULE),
    int(mj.mjtGeom.mjGEOM_CYLINDER), int(mj.mjtGeom.mjGEOM_BOX),
)
MISS = 1e9  # depth where nothing is hit [m]
BACKGROUND = 30  # grey level where nothing is hit
# Shade = ambient + headlight * cos(surface, ray) + sky * cos(surface, up), the same in every renderer of policy images.
AMBIENT, HEADLIGHT, SKY = 0.35, 0.35, 0.35


@dataclass(frozen=True)
class Shapes:
    """The shapes of one compiled scene; g of them."""

    kinds: NDArray[np.int64]  # (g,) mjtGeom
    sizes: FloatArray  # (g, 3) as in MjModel.geom_size
    colors: FloatArray  # (g, 3) 0 ... 1
    still: NDArray[np.int64]  # indices of shapes that belong to the world body
    moving: NDArray[np.int64]

    @staticmethod
    def of(model: mj.MjModel) -> Shapes:
        """Read the shapes of `model`.

        Raises:
            RenderError: the scene has a shape that is no plane, sphere, capsule, cylinder or box.
        """
        kinds = model.geom_type.astype(np.int64)
        for index in np.flatnonzero(~np.isin(kinds, (PLANE, SPHERE, CAPSULE, CYLINDER, BOX))):
            name = model.geom(int(index)).name or f"number {index}"
            raise RenderError(
                f"shape {name} is a {mj.mjtGeom(int(kinds[index])).name}; policy images know plane, sphere, capsule, "
                "cylinder and box"
            )
        still = model.body_weldid[model.geom_bodyid] == 0
        return Shapes(
            kinds, model.geom_size.copy(), model.geom_rgba[:, :3].astype(np.float64),
            np.flatnonzero(still), np.flatnonzero(~still),
        )
