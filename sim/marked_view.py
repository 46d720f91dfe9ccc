"""What a marker tracker's camera would see of the twin: the whole sensor, and a printed marker on the object.

Policy images never show the marker; this is a picture of its own, drawn only where somebody tracks.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gmps_robot.rig import RigCalibration
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.choose import policy_renderer
from sim.render.shapes import AMBIENT, HEADLIGHT, SKY
from sim.scenes import OBJECT_JOINT
from sim.twin import Twin

SAMPLES = 4  # rays per pixel and axis, on the marker
BLACK, WHITE = 0.05, 0.95
ON_HAND, BELOW = 0.08, 0.08  # of the print from the middle of the hand, towards the camera and down [m]
_FACE = 1e-3  # what is nearer than the marker by more than this hides it [m]


class MarkedView:
    """Pictures of one twin through the whole, undistorted sensor of its rig, with a marker on object or hand."""

    def __init__(
        self, twin: Twin, cells: NDArray[np.bool_], size: float, carrier: Literal["object", "hand"] = "object"
    ) -> None:
        """Prepare the pictures.

        Args:
            twin: the world.
            cells: (n, n) white cells of the marker with its white edge, row by row as printed.
            size: side of the whole print [m].
            carrier: the marker lies on top of the object, or stands on the hand and faces the camera.
        """
        sensor = whole_sensor(twin.rig)
        self.camera = sensor.at(twin.camera.position_array, twin.camera.rotation_matrix)
        self._twin, self._cells, self._size = twin, cells, size
        model = twin.model
        self._geom = int(model.geom(OBJECT_JOINT if carrier == "object" else "hand").id)
        self._centre = np.array([0.0, 0.0, float(model.geom_size[self._geom, 2])])
        self._turn = np.eye(3)
        if carrier == "hand":
            self._centre, self._turn = self._towards_camera()
        pose = self.camera.position_array[None], self.camera.rotation_matrix[None]
        self._renderer = policy_renderer("auto", model, self.camera, *pose)
        self._image = np.empty((1, self.camera.height, self.camera.width, 3), dtype=np.uint8)
        self._depth = np.empty((1, self.camera.height, self.camera.width))

    def image(self) -> ImageArray:
        """Return what the camera sees, (height, width, 3), as late as the rig's camera."""
        return self._drawn(*self._twin.shapes())

    def image_at(self, place: FloatArray, turn: float) -> ImageArray:
        """Return the same with the marked body at `place` (2,) [m] on the table, turned by `turn` [rad]."""
        positions, rotations = (array.copy() for array in self._twin.shapes())
        c, s = np.cos(turn), np.sin(turn)
        positions[0, self._geom, :2] = place
        rotations[0, self._geom] = np.array([c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0]).reshape(rotations.shape[2:])
        return self._drawn(positions, rotations)

    def _drawn(self, positions: FloatArray, rotations: FloatArray) -> ImageArray:
        self._renderer.render(positions, rotations, self._image, self._depth)
        body = rotations[0, self._geom].reshape(3, 3)
        centre, rotation = positions[0, self._geom] + body @ self._centre, body @ self._turn
        image: ImageArray = self._image[0].copy()
        paint(image, self._depth[0], self.camera, centre, rotation, self._cells, self._size)
        return image


    def _towards_camera(self) -> tuple[FloatArray, FloatArray]:
        """Centre (3,) and rotation (3, 3) in the hand of a print that now faces the camera, upright."""
        positions, rotations = self._twin.shapes()
        body, middle = rotations[0, self._geom].reshape(3, 3), positions[0, self._geom]
        normal = self.camera.position_array - middle
        normal /= np.linalg.norm(normal)
        across = np.cross((0.0, 0.0, 1.0), normal)
        across /= np.linalg.norm(across)
        turn = np.stack([across, np.cross(normal, across), normal], axis=1)
        return body.T @ (ON_HAND * normal - np.array([0.0, 0.0, BELOW])), body.T @ turn


def whole_sensor(rig: RigCalibration) -> Camera:
    """Return the camera of `rig` with all its pixels, undistorted and not cropped."""
    lens, pose = rig.camera.pinhole, rig.camera_to_base
    rows = [(float(a), float(b), float(c)) for a, b, c in pose.rotation]
    return Camera(
        pose.position, (rows[0], rows[1], rows[2]), lens.fx, lens.fy, lens.cx, lens.cy, lens.width, lens.height
    )


def paint(
    image: ImageArray, depth: FloatArray, camera: Camera, centre: FloatArray, rotation: FloatArray,
    cells: NDArray[np.bool_], size: float,
) -> None:
    """Draw a print of `cells` (n, n), `size` [m] wide, into `image` where nothing nearer than it stands in `depth`.

    The print lies at `centre` (3,) [m]; its first row points along y of `rotation` (3, 3), its normal is z.
    """
    corners = centre + 0.5 * size * np.array([[a, b, 0.0] for a in (-1, 1) for b in (-1, 1)]) @ rotation.T
    pixels = camera.project(corners)
    low = np.maximum(np.floor(pixels.min(0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(pixels.max(0)).astype(int) + 2, (camera.width, camera.height))
    if (low >= high).any():
        return
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    u = (np.arange(low[0], high[0])[:, None] + steps).ravel()
    v = (np.arange(low[1], high[1])[:, None] + steps).ravel()
    rays = np.stack(
        np.broadcast_arrays((u[None] - camera.cx) / camera.fx, (v[:, None] - camera.cy) / camera.fy, 1.0), axis=-1
    )
    axes = camera.rotation_matrix.T @ rotation  # of the print in the optical frame
    origin = camera.rotation_matrix.T @ (centre - camera.position_array)
    along = rays @ axes[:, 2]
    distance = np.where(along < 0.0, (origin @ axes[:, 2]) / np.where(along == 0.0, 1.0, along), np.inf)
    x, y = np.moveaxis((distance[..., None] * rays - origin) @ axes[:, :2], -1, 0)
    n = len(cells)
    column, row = np.floor((x / size + 0.5) * n), np.floor((0.5 - y / size) * n)
    on = (column >= 0) & (column < n) & (row >= 0) & (row < n) & (along < 0.0)
    white = cells[np.clip(row, 0, n - 1).astype(int), np.clip(column, 0, n - 1).astype(int)]
    facing = -along / np.linalg.norm(rays, axis=-1)
    shade = AMBIENT + HEADLIGHT * facing + SKY * max(0.0, float(rotation[2, 2]))
    grey = 255.0 * shade * np.where(white, WHITE, BLACK)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    seen = on & (distance <= np.repeat(np.repeat(depth[part], SAMPLES, 0), SAMPLES, 1) + _FACE)
    share, light = _per_pixel(seen.astype(float)), _per_pixel(np.where(seen, grey, 0.0))
    image[part] = np.clip(image[part] * (1.0 - share[..., None]) + light[..., None], 0.0, 255.0).astype(np.uint8)


def _per_pixel(samples: FloatArray) -> FloatArray:
    """Mean of the samples of each pixel."""
    height, width = samples.shape[0] // SAMPLES, samples.shape[1] // SAMPLES
    return np.asarray(samples.reshape(height, SAMPLES, width, SAMPLES).mean((1, 3)))
