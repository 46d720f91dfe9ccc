"""OpenGL frames for people: panel, video, pictures. Needs EGL or OSMesa; policy images never do."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import weakref
from typing import Any

import mujoco as mj
import numpy as np

from gmps_robot.errors import RenderError
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera

INSTALL_EGL = "apt-get install -y --no-install-recommends libegl1 libopengl0 libgl1-mesa-dri"
INSTALL_OSMESA = "apt-get install -y --no-install-recommends libosmesa6"
GOAL_COLOR = (0.1, 0.75, 0.2, 0.5)
_NEAR, _FAR = 0.01, 10.0  # clipping planes [m]
_MAX_SHAPES = 200


class GlRenderer:
    """Frames of one scene through MuJoCo's OpenGL renderer. One per thread; `close` frees the context."""

    def __init__(self, model: mj.MjModel, width: int, height: int, *, shadows: bool = False) -> None:
        """Open a context of its own for frames of up to `width` x `height` pixels.

        Raises:
            RenderError: this machine has no EGL or OSMesa; the message holds the command that installs one.
        """
        self._backend = os.environ.get("MUJOCO_GL", "egl").lower()
        self.name = f"OpenGL ({self._backend})"
        self._model, self._shadows = model, shadows
        self._width, self._height = width, height
        _load_triton_first()
        try:
            self._context = _context_class(self._backend)(width, height)
            self._context.make_current()
            model.vis.global_.offwidth, model.vis.global_.offheight = width, height
            self._mjr = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_100)
            mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
        # PyOpenGL reports a missing library as ImportError, AttributeError or its own GLError, by library and version.
        except (ImportError, AttributeError, RuntimeError, mj.FatalError, *_gl_errors()) as error:
            raise RenderError(
                f"no {self._backend} on this machine ({error}); install it with: "
                f"{INSTALL_OSMESA if self._backend == 'osmesa' else INSTALL_EGL}"
            ) from error
        self._closed = False
        # At exit contexts must go before the display does, whose own hook was registered when it was opened, above.
        atexit.register(_close_if_alive, weakref.ref(self))
        self._scene = mj.MjvScene(model, maxgeom=_MAX_SHAPES)
        self._scene.flags[mj.mjtRndFlag.mjRND_SHADOW] = shadows
        for flag in (mj.mjtRndFlag.mjRND_REFLECTION, mj.mjtRndFlag.mjRND_SKYBOX, mj.mjtRndFlag.mjRND_HAZE):
            self._scene.flags[flag] = False

    def frame(self, data: mj.MjData, camera: Camera, goal: FloatArray | None = None) -> ImageArray:
        """Return what `camera` sees of `data`, (height, width, 3), with a flat disc at `goal` (x, y, radius) [m].

        Raises:
            RenderError: the camera's image is larger than the renderer was made for, or the renderer is closed.
        """
        if self._closed:
            raise RenderError("this video renderer is closed")
        if camera.width > self._width or camera.height > self._height:
            raise RenderError(
                f"image {camera.width}x{camera.height} is larger than this renderer's {self._width}x{self._height}"
            )
        self._context.make_current()
        mj.mjv_updateScene(
            self._model, data, mj.MjvOption(), None, mj.MjvCamera(), mj.mjtCatBit.mjCAT_ALL, self._scene
        )
        if goal is not None:
            self._add_disc(goal)
        _aim(self._scene, camera)
        image = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        viewport = mj.MjrRect(0, 0, camera.width, camera.height)
        mj.mjr_render(viewport, self._scene, self._mjr)
        mj.mjr_readPixels(image, None, viewport, self._mjr)
        return image[::-1].copy()

    def close(self) -> None:
        """Free the context; again does nothing."""
        if not self._closed:
            self._closed = True
            self._context.make_current()
            self._mjr.free()
            self._context.free()

    def _add_disc(self, goal: FloatArray) -> None:
        disc = self._scene.geoms[self._scene.ngeom]
        mj.mjv_initGeom(
            disc, mj.mjtGeom.mjGEOM_CYLINDER, np.array([goal[2], 0.0005, 0.0]), np.array([*goal[:2], 0.0005]),
            np.eye(3).ravel(), np.array(GOAL_COLOR, dtype=np.float32),
        )
        self._scene.ngeom += 1


def _aim(scene: mj.MjvScene, camera: Camera) -> None:
    """Give `scene` the pose and the intrinsics of `camera`; the frustum takes an off-centre principal point too."""
    rotation = camera.rotation_matrix
    per_pixel_x, per_pixel_y = _NEAR / camera.fx, _NEAR / camera.fy
    for eye in scene.camera:
        eye.pos[:], eye.forward[:], eye.up[:] = camera.position, rotation[:, 2], -rotation[:, 1]
        eye.frustum_near, eye.frustum_far = _NEAR, _FAR
        eye.frustum_center = per_pixel_x * ((camera.width - 1) / 2 - camera.cx)
        eye.frustum_width = per_pixel_x * camera.width / 2
        eye.frustum_top = per_pixel_y * (camera.cy + 0.5)
        eye.frustum_bottom = -per_pixel_y * (camera.height - 0.5 - camera.cy)
        eye.orthographic = 0
    for light in scene.lights[: scene.nlight]:
        if light.headlight:
            light.pos[:], light.dir[:] = camera.position, rotation[:, 2]


def _load_triton_first() -> None:
    """Load the compiler of torch's CUDA build before Mesa's: each brings an LLVM, and the other order ends the process.

    torch itself loads it when the first optimiser is made.
    """
    if importlib.util.find_spec("triton") is not None:
        importlib.import_module("triton._C.libtriton")


def _close_if_alive(renderer: weakref.ref[GlRenderer]) -> None:
    alive = renderer()
    if alive is not None:
        alive.close()


def _context_class(backend: str) -> Any:
    if backend not in ("egl", "osmesa"):
        raise RenderError(f"MUJOCO_GL = {backend!r}; headless rendering here takes egl or osmesa")
    return importlib.import_module(f"mujoco.{backend}").GLContext


def _gl_errors() -> tuple[type[BaseException], ...]:
    """PyOpenGL's own error, where PyOpenGL can be imported at all."""
    try:
        from OpenGL.error import Error  # PyOpenGL loads libraries at import
    except (ImportError, AttributeError):
        return ()
    return (Error,)
