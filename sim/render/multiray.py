"""Policy images through MuJoCo's own rays: the fallback where numba is missing. Same images, some 40 times slower."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.shapes import AMBIENT, BACKGROUND, HEADLIGHT, MISS, SKY, Shapes


class MultiRay:
    """Drop-in for `RayCaster` that needs nothing but MuJoCo."""

    name = "multiray (MuJoCo rays)"

    def __init__(self, model: mj.MjModel, camera: Camera, positions: FloatArray, rotations: FloatArray) -> None:
        """Prepare cameras at `positions` (c, 3), `rotations` (c, 3, 3) optical to base; c is 1, or one per world."""
        self._shapes, self._camera = Shapes.of(model), camera
        self._model = _loose_shapes(model, self._shapes)
        self._positions, self._rotations = positions, rotations
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
        self._rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)  # (pixels, 3) in the optical frame

    def render(
        self, shape_positions: FloatArray, shape_rotations: FloatArray, images: ImageArray,
        depths: FloatArray | None = None, first: int = 0,
    ) -> None:
        """Draw k worlds; arguments as in `RayCaster.render`."""
        data = mj.MjData(self._model)
        for k in range(len(images)):
            camera = first + k if len(self._positions) > 1 else 0
            self._place(data, shape_positions[k], shape_rotations[k].reshape(-1, 9))
            image, depth = self._cast(data, self._positions[camera], self._rotations[camera])
            images[k] = image
            if depths is not None:
                depths[k] = depth

    def _place(self, data: mj.MjData, positions: FloatArray, rotations: FloatArray) -> None:
        quaternion = np.empty(4)
        for body, k in enumerate(self._shapes.moving):
            mj.mju_mat2Quat(quaternion, rotations[k])
            data.mocap_pos[body], data.mocap_quat[body] = positions[k], quaternion
        mj.mj_kinematics(self._model, data)
        data.geom_xpos[:], data.geom_xmat[:] = positions, rotations  # undo the rounding of the quaternions

    def _cast(self, data: mj.MjData, position: FloatArray, rotation: FloatArray) -> tuple[ImageArray, FloatArray]:
        pixels = len(self._rays)
        rays = self._rays @ rotation.T
        hit, distance, normal = np.empty(pixels, dtype=np.int32), np.empty(pixels), np.empty((pixels, 3))
        mj.mj_multiRay(
            self._model, data, position, rays.ravel(), None, True, -1, hit, distance, normal.ravel(), pixels, MISS
        )
        facing = -(normal * rays).sum(axis=1) / np.linalg.norm(rays, axis=1)
        shade = AMBIENT + HEADLIGHT * np.maximum(0.0, facing) + SKY * np.maximum(0.0, normal[:, 2])
        colors = np.minimum(255.0, 255.0 * self._shapes.colors[hit] * shade[:, None]).astype(np.uint8)
        size = (self._camera.height, self._camera.width)
        image = np.where((hit < 0)[:, None], np.uint8(BACKGROUND), colors)
        return image.reshape(*size, 3), np.where(hit < 0, MISS, distance).reshape(size)


def _loose_shapes(model: mj.MjModel, shapes: Shapes) -> mj.MjModel:
    """Return a model of the same shapes in the same order, each free to be put anywhere.

    MuJoCo's rays skip whole bodies by their bounding boxes, so shapes cannot be moved without their bodies.
    """
    data = mj.MjData(model)
    mj.mj_kinematics(model, data)
    spec = mj.MjSpec()
    quaternion = np.empty(4)
    for k, kind in enumerate(shapes.kinds):
        if k in shapes.still:
            mj.mju_mat2Quat(quaternion, data.geom_xmat[k])
            body = spec.worldbody.add_body(pos=data.geom_xpos[k], quat=quaternion)
        else:
            body = spec.worldbody.add_body(mocap=True)
        body.add_geom(type=mj.mjtGeom(int(kind)), size=shapes.sizes[k])
    return spec.compile()
