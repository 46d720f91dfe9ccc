"""The twin's table with a calibration board on it or in the hand: what a camera sees while a rig is calibrated."""

from __future__ import annotations

from typing import Literal

import mujoco as mj
import numpy as np

from gmps_robot.rig import Pinhole
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.gl import GlRenderer
from sim.sawyer import TIP_SITE
from sim.scenes.push import push_spec

SAMPLES = 8  # per pixel
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class BoardScene:
    """Draws arm, table and one printed sheet as a pinhole camera sees them; `close` gives the OpenGL context back.

    The sheet's frame has its origin in the corner of `picture` that is drawn top left, x right, y down, z into it.
    """

    def __init__(
        self, picture: ImageArray | None, size: tuple[float, float], carrier: Literal["hand", "base"],
        sheet: FloatArray, pinhole: Pinhole,
    ) -> None:
        """Build the scene.

        Args:
            picture: (rows, columns), grey; None for a table without a sheet.
            size: width and height of the sheet [m].
            carrier: what the sheet is fixed to; the hand's frame is that of the gripper's tip.
            sheet: pose (4, 4) of the sheet's frame in its carrier.
            pinhole: the camera.

        Raises:
            RenderError: this machine has neither EGL nor OSMesa.
        """
        spec = push_spec()
        spec.visual.quality.offsamples = SAMPLES
        spec.delete(spec.body("object"))
        if picture is not None:
            _add_sheet(spec, picture, size, carrier, sheet)
        self._model = spec.compile()
        self._data = mj.MjData(self._model)
        self._joints = [self._model.joint(f"right_j{k}").qposadr[0] for k in range(7)]
        self._pinhole = pinhole
        self._renderer = GlRenderer(self._model, pinhole.width, pinhole.height)

    def image(self, joints: FloatArray, camera: FloatArray) -> ImageArray:
        """Return (height, width, 3), the arm at `joints` (7,) [rad], seen from the optical frame `camera` (4, 4)."""
        self._data.qpos[self._joints] = joints
        mj.mj_forward(self._model, self._data)
        p = self._pinhole
        seen_by = Camera((0.0, 0.0, 0.0), _IDENTITY, p.fx, p.fy, p.cx, p.cy, p.width, p.height)
        return self._renderer.frame(self._data, seen_by.at(camera[:3, 3], camera[:3, :3]))

    def close(self) -> None:
        """Free the context."""
        self._renderer.close()


def _add_sheet(
    spec: mj.MjSpec, picture: ImageArray, size: tuple[float, float], carrier: str, sheet: FloatArray
) -> None:
    """A rectangle of two triangles: planes do not move with a body, and boxes have no texture coordinates."""
    width, height = size
    rows, columns = picture.shape
    texture = spec.add_texture(name="sheet", type=mj.mjtTexture.mjTEXTURE_2D, width=columns, height=rows, nchannel=3)
    texture.data = np.repeat(picture[..., None], 3, axis=2).tobytes()
    material = spec.add_material(name="sheet", specular=0, shininess=0, reflectance=0, emission=0.4)
    material.textures[mj.mjtTextureRole.mjTEXROLE_RGB] = "sheet"
    thin = 1e-4  # a mesh needs a volume
    corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]], dtype=float)
    vertices = np.concatenate([corners, corners + np.array([0.0, 0.0, thin])])
    texcoords = np.array([[0, 0], [1, 0], [1, 1], [0, 1]] * 2, dtype=float)
    faces = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4], [1, 2, 6], [1, 6, 5], [2, 3, 7],
             [2, 7, 6], [3, 0, 4], [3, 4, 7]]  # fmt: skip
    spec.add_mesh(
        name="sheet", uservert=vertices.ravel().tolist(), userface=np.ravel(faces).tolist(),
        usertexcoord=texcoords.ravel().tolist(), inertia=mj.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    quaternion = np.empty(4)
    body = spec.worldbody
    place = sheet
    if carrier == "hand":
        body = spec.body("hand")
        place = sheet.copy()
        place[:3, 3] += np.array(spec.site(TIP_SITE).pos)
    mj.mju_mat2Quat(quaternion, place[:3, :3].ravel())
    body.add_geom(
        type=mj.mjtGeom.mjGEOM_MESH, meshname="sheet", pos=place[:3, 3].tolist(), quat=quaternion.tolist(),
        material="sheet", contype=0, conaffinity=0, mass=0.0,
    )
