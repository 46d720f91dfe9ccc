"""Analytic ray caster over primitive shapes: policy images without OpenGL, some 50 microseconds each.

Every shape is tested only inside its rectangle on the screen, and shapes that never move are cast once per camera.
Depths agree with MuJoCo's own rays on every pixel. The kernels release the GIL and use one thread each; a caller with
several threads hands each its own worlds.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.shapes import (
    AMBIENT,
    BACKGROUND,
    BOX,
    CAPSULE,
    CYLINDER,
    HEADLIGHT,
    MISS,
    PLANE,
    SKY,
    SPHERE,
    Shapes,
)


class RayCaster:
    """Policy images and depths of many worlds that show the same shapes from their own cameras."""

    name = "rays (numba)"

    def __init__(self, shapes: Shapes, camera: Camera, positions: FloatArray, rotations: FloatArray) -> None:
        """Prepare cameras at `positions` (c, 3), `rotations` (c, 3, 3) optical to base; c is 1 (shared) or the worlds.

        `camera` gives size and intrinsics.
        """
        self._shapes, self._camera = shapes, camera
        self._positions = np.ascontiguousarray(positions, dtype=np.float64)
        self._rotations = np.ascontiguousarray(rotations, dtype=np.float64)
        self._lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        self._still: tuple[ImageArray, FloatArray] | None = None

    def render(
        self, shape_positions: FloatArray, shape_rotations: FloatArray, images: ImageArray,
        depths: FloatArray | None = None, first: int = 0,
    ) -> None:
        """Draw k worlds into `images` (k, height, width, 3) and, if given, `depths` (k, height, width) [m].

        Args:
            shape_positions: (k, g, 3) [m].
            shape_rotations: (k, g, 9) or (k, g, 3, 3).
            images: written in place.
            depths: distance along the optical axis, `MISS` where there is nothing; written in place.
            first: index of the first of these worlds among the cameras.
        """
        shape_rotations = shape_rotations.reshape(*shape_positions.shape[:2], 3, 3)
        if self._still is None:
            self._still = self._cast_still(shape_positions[0], shape_rotations[0])
        still_images, still_depths = self._still
        if depths is None:
            depths = np.empty((1, self._camera.height, self._camera.width))
        _cast_worlds(
            self._shapes.moving, self._shapes.kinds, self._shapes.sizes, self._shapes.colors, shape_positions,
            shape_rotations, self._positions, self._rotations, self._lens, still_images, still_depths, first,
            images, depths,
        )

    def _cast_still(self, shape_positions: FloatArray, shape_rotations: FloatArray) -> tuple[ImageArray, FloatArray]:
        """Images and depths (c, ...) of the shapes that never move."""
        c, size = len(self._positions), (self._camera.height, self._camera.width)
        images = np.empty((c, *size, 3), dtype=np.uint8)
        depths = np.empty((c, *size))
        empty = np.full((1, *size, 3), BACKGROUND, dtype=np.uint8)
        _cast_worlds(
            self._shapes.still, self._shapes.kinds, self._shapes.sizes, self._shapes.colors,
            np.repeat(shape_positions[None], c, axis=0), np.repeat(shape_rotations[None], c, axis=0),
            self._positions, self._rotations, self._lens, empty, np.full((1, *size), MISS), 0, images, depths,
        )
        return images, depths


@njit(nogil=True, cache=True)
def _cast_worlds(
    chosen: NDArray[np.int64], kinds: NDArray[np.int64], sizes: FloatArray, colors: FloatArray, positions: FloatArray,
    rotations: FloatArray, camera_positions: FloatArray, camera_rotations: FloatArray, lens: FloatArray,
    start_images: ImageArray, start_depths: FloatArray, first: int, images: ImageArray, depths: FloatArray,
) -> None:  # pragma: no cover - compiled
    cameras, starts = len(camera_positions), len(start_images)
    for world in range(len(images)):
        camera = min(first + world, cameras - 1) if cameras > 1 else 0
        start = camera if starts > 1 else 0
        depth = depths[world] if len(depths) > 1 else depths[0]
        images[world] = start_images[start]
        depth[:] = start_depths[start]
        for k in chosen:
            _cast_shape(
                kinds[k], sizes[k], colors[k], positions[world, k], rotations[world, k], camera_positions[camera],
                camera_rotations[camera], lens, images[world], depth,
            )


@njit(nogil=True, cache=True)
def _cast_shape(
    kind: int, size: FloatArray, color: FloatArray, position: FloatArray, rotation: FloatArray,
    camera_position: FloatArray, camera_rotation: FloatArray, lens: FloatArray, image: ImageArray, depth: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Draw one shape where it is nearer than `depth`."""
    r0 = camera_position[0] - position[0]
    r1 = camera_position[1] - position[1]
    r2 = camera_position[2] - position[2]
    left, right, top, bottom = _rectangle(
        kind, size, position, rotation, camera_position, camera_rotation, lens, image.shape[1], image.shape[0]
    )
    if left >= right or top >= bottom:
        return
    # Ray origin and the camera's axes in the frame of the shape: a ray is o + t (x ex + y ey + ez).
    o = (
        rotation[0, 0] * r0 + rotation[1, 0] * r1 + rotation[2, 0] * r2,
        rotation[0, 1] * r0 + rotation[1, 1] * r1 + rotation[2, 1] * r2,
        rotation[0, 2] * r0 + rotation[1, 2] * r1 + rotation[2, 2] * r2,
    )
    axes = rotation.T @ camera_rotation
    for v in range(top, bottom):
        y = (v - lens[3]) / lens[1]
        for u in range(left, right):
            x = (u - lens[2]) / lens[0]
            d = (
                axes[0, 0] * x + axes[0, 1] * y + axes[0, 2],
                axes[1, 0] * x + axes[1, 1] * y + axes[1, 2],
                axes[2, 0] * x + axes[2, 1] * y + axes[2, 2],
            )
            t, n0, n1, n2 = _hit(kind, size, o, d)
            if t < depth[v, u]:
                depth[v, u] = t
                facing = -(n0 * d[0] + n1 * d[1] + n2 * d[2]) / math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
                up = rotation[2, 0] * n0 + rotation[2, 1] * n1 + rotation[2, 2] * n2
                shade = AMBIENT + HEADLIGHT * max(0.0, facing) + SKY * max(0.0, up)
                for c in range(3):
                    image[v, u, c] = min(255.0, 255.0 * color[c] * shade)


@njit(nogil=True, cache=True)
def _rectangle(
    kind: int, size: FloatArray, position: FloatArray, rotation: FloatArray, camera_position: FloatArray,
    camera_rotation: FloatArray, lens: FloatArray, width: int, height: int,
) -> tuple[int, int, int, int]:  # pragma: no cover - compiled
    """Pixels left, right, top, bottom (ends excluded) that hold the projection of a shape's bounding box."""
    if kind == PLANE:
        return 0, width, 0, height
    half_x = size[0]
    half_y = size[1] if kind == BOX else size[0]
    half_z = size[2]
    if kind == CAPSULE:
        half_z = size[1] + size[0]
    elif kind == CYLINDER:
        half_z = size[1]
    elif kind == SPHERE:
        half_z = size[0]
    u_low, u_high, v_low, v_high = 1e9, -1e9, 1e9, -1e9
    behind = 0
    for corner in range(8):
        a = half_x if corner & 1 else -half_x
        b = half_y if corner & 2 else -half_y
        c = half_z if corner & 4 else -half_z
        p0 = position[0] + rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c - camera_position[0]
        p1 = position[1] + rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c - camera_position[1]
        p2 = position[2] + rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c - camera_position[2]
        z = camera_rotation[0, 2] * p0 + camera_rotation[1, 2] * p1 + camera_rotation[2, 2] * p2
        if z < 1e-3:
            behind += 1
            continue
        x = camera_rotation[0, 0] * p0 + camera_rotation[1, 0] * p1 + camera_rotation[2, 0] * p2
        y = camera_rotation[0, 1] * p0 + camera_rotation[1, 1] * p1 + camera_rotation[2, 1] * p2
        u, v = lens[2] + lens[0] * x / z, lens[3] + lens[1] * y / z
        u_low, u_high, v_low, v_high = min(u_low, u), max(u_high, u), min(v_low, v), max(v_high, v)
    if behind == 8:
        return 0, 0, 0, 0
    if behind > 0:
        return 0, width, 0, height
    left = max(0, int(min(math.ceil(u_low), width)))
    right = min(width, int(max(math.floor(u_high), -1.0)) + 1)
    top = max(0, int(min(math.ceil(v_low), height)))
    bottom = min(height, int(max(math.floor(v_high), -1.0)) + 1)
    return left, right, top, bottom


@njit(nogil=True, cache=True)
def _hit(
    kind: int, size: FloatArray, o: tuple[float, float, float], d: tuple[float, float, float]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    """Ray parameter and outward normal of the first hit with a shape at the origin; MISS and zeros if there is none."""
    if kind == PLANE:
        return _hit_plane(size, o, d)
    if kind == BOX:
        return _hit_box(size, o, d)
    if kind == SPHERE:
        return _hit_ball(size[0], 0.0, 0.0, o, d)
    return _hit_round(kind, size, o, d)


@njit(nogil=True, cache=True)
def _hit_plane(
    size: FloatArray, o: tuple[float, float, float], d: tuple[float, float, float]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    """Seen from above only; size 0 is endless."""
    if d[2] < -1e-15 and o[2] > 0.0:
        t = -o[2] / d[2]
        if (size[0] <= 0.0 or abs(o[0] + t * d[0]) <= size[0]) and (size[1] <= 0.0 or abs(o[1] + t * d[1]) <= size[1]):
            return t, 0.0, 0.0, 1.0
    return MISS, 0.0, 0.0, 0.0


@njit(nogil=True, cache=True)
def _hit_box(
    size: FloatArray, o: tuple[float, float, float], d: tuple[float, float, float]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    near, far = -MISS, MISS
    near_axis, far_axis = 0, 0
    for axis in range(3):
        if abs(d[axis]) < 1e-15:
            if abs(o[axis]) > size[axis]:
                return MISS, 0.0, 0.0, 0.0
            continue
        middle = -o[axis] / d[axis]
        half = size[axis] / abs(d[axis])
        if middle - half > near:
            near, near_axis = middle - half, axis
        if middle + half < far:
            far, far_axis = middle + half, axis
    if near > far or far < 0.0:
        return MISS, 0.0, 0.0, 0.0
    axis = near_axis if near >= 0.0 else far_axis
    sign = -1.0 if d[axis] > 0.0 else 1.0
    normal = sign if near >= 0.0 else -sign
    return (
        near if near >= 0.0 else far, normal if axis == 0 else 0.0, normal if axis == 1 else 0.0,
        normal if axis == 2 else 0.0,
    )


@njit(nogil=True, cache=True)
def _hit_ball(
    radius: float, z: float, cap: float, o: tuple[float, float, float], d: tuple[float, float, float]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    """A ball at height `z`; with `cap` 1 or -1 only the half that ends a capsule there."""
    oz = o[2] - z
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = o[0] * d[0] + o[1] * d[1] + oz * d[2]
    c = o[0] * o[0] + o[1] * o[1] + oz * oz - radius * radius
    inside = b * b - a * c
    if inside >= 0.0:
        root = math.sqrt(inside)
        for k in range(2):
            t = (-b - root) / a if k == 0 else (-b + root) / a
            height = oz + t * d[2]
            if t >= 0.0 and height * cap >= 0.0:
                return t, (o[0] + t * d[0]) / radius, (o[1] + t * d[1]) / radius, height / radius
    return MISS, 0.0, 0.0, 0.0


@njit(nogil=True, cache=True)
def _hit_round(
    kind: int, size: FloatArray, o: tuple[float, float, float], d: tuple[float, float, float]
) -> tuple[float, float, float, float]:  # pragma: no cover - compiled
    """Capsule or cylinder about z: the side first, then the ends."""
    radius, half = size[0], size[1]
    a = d[0] * d[0] + d[1] * d[1]
    b = o[0] * d[0] + o[1] * d[1]
    c = o[0] * o[0] + o[1] * o[1] - radius * radius
    inside = b * b - a * c
    best, n0, n1, n2 = MISS, 0.0, 0.0, 0.0
    if inside < 0.0:
        return best, n0, n1, n2
    if a > 1e-15:
        root = math.sqrt(inside)
        t = (-b - root) / a
        if t < 0.0 or abs(o[2] + t * d[2]) > half:
            t = (-b + root) / a
        if t >= 0.0 and abs(o[2] + t * d[2]) <= half:
            best, n0, n1 = t, (o[0] + t * d[0]) / radius, (o[1] + t * d[1]) / radius
    for k in range(2):
        end = -1.0 if k == 0 else 1.0
        if kind == CAPSULE:
            hit = _hit_ball(radius, end * half, end, o, d)
            if hit[0] < best:
                best, n0, n1, n2 = hit
        elif abs(d[2]) > 1e-15:
            t = (end * half - o[2]) / d[2]
            x, y = o[0] + t * d[0], o[1] + t * d[1]
            if 0.0 <= t < best and x * x + y * y <= radius * radius:
                best, n0, n1, n2 = t, 0.0, 0.0, end
    return best, n0, n1, n2
