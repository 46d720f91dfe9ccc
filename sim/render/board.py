"""A printed sheet in front of a camera, drawn by OpenGL: pictures with edges, light and sampling of a renderer."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.rig import Pinhole
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.gl import GlRenderer

SAMPLES = 8  # per pixel


class SheetRenderer:
    """Draws one sheet as a pinhole camera sees it; `close` gives the OpenGL context back.

    The sheet's frame has its origin in the corner of `picture` that is drawn top left, x right, y down, z into it.
    """

    def __init__(self, picture: ImageArray, width: float, height: float, pinhole: Pinhole) -> None:
        """Put `picture` (rows, columns), grey, on a sheet of `width` x `height` [m].

        Raises:
            RenderError: this machine has neither EGL nor OSMesa.
        """
        self._pinhole = pinhole
        self._model = _sheet(picture, width, height)
        self._data = mj.MjData(self._model)
        mj.mj_forward(self._model, self._data)
        self._renderer = GlRenderer(self._model, pinhole.width, pinhole.height)
        self._turn, self._corner = np.diag([1.0, -1.0, -1.0]), np.array([-width / 2.0, height / 2.0, 0.0])

    def image(self, rotation: FloatArray, position: FloatArray) -> ImageArray:
        """Return (height, width, 3), the sheet's frame at `rotation` (3, 3), `position` (3,) in the optical frame."""
        towards = self._turn @ rotation.T  # optical frame to world
        camera = _camera(self._pinhole, self._corner - towards @ position, towards)
        return self._renderer.frame(self._data, camera)

    def close(self) -> None:
        """Free the context."""
        self._renderer.close()


def _camera(pinhole: Pinhole, position: FloatArray, rotation: FloatArray) -> Camera:
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    camera = Camera(
        (0.0, 0.0, 0.0), identity, pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy, pinhole.width, pinhole.height
    )
    return camera.at(position, rotation)


def _sheet(picture: ImageArray, width: float, height: float) -> mj.MjModel:
    spec = mj.MjSpec()
    spec.visual.quality.offsamples = SAMPLES
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.75] * 3, [0.2] * 3
    spec.visual.headlight.specular = [0.0] * 3
    rows, columns = picture.shape
    texture = spec.add_texture(name="sheet", type=mj.mjtTexture.mjTEXTURE_2D, width=columns, height=rows, nchannel=3)
    texture.data = np.repeat(picture[..., None], 3, axis=2).tobytes()
    material = spec.add_material(name="sheet", texrepeat=(1, 1), texuniform=False, specular=0, reflectance=0)
    material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = "sheet"
    spec.worldbody.add_geom(
        type=mj.mjtGeom.mjGEOM_PLANE, size=(width / 2.0, height / 2.0, 0.01), material="sheet",
        contype=0, conaffinity=0,
    )
    return spec.compile()
