"""Frames for people, with the goal drawn in: OpenGL where there is one, else the renderer of the policy images."""

from __future__ import annotations

from typing import Protocol

import mujoco as mj
import numpy as np

from gmps_robot.errors import RenderError, nearest
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import Camera
from sim.render.choose import numba_present, policy_renderer, warn_once
from sim.render.gl import GOAL_COLOR, GlRenderer

VIDEO_RENDERERS = ("auto", "gl", "rays")
_TOLERANCE = 1e-3  # the disc shows where nothing is this much nearer to the camera [m]


class VideoRenderer(Protocol):
    """Draws one world for people. Use one from one thread only."""

    name: str

    def frame(self, data: mj.MjData, camera: Camera, goal: FloatArray | None = None) -> ImageArray:
        """Return (height, width, 3) with a flat disc at `goal` (x, y, radius) [m]."""
        ...

    def close(self) -> None:
        """Give back what the renderer holds."""
        ...


class RayFrames:
    """Frames from the policy's renderer: plainer, without shadows, but they need no OpenGL."""

    def __init__(self, model: mj.MjModel) -> None:
        """Draw `model` with the fastest policy renderer there is."""
        self._model = model
        self.name = "rays (numba)" if numba_present() else "multiray (MuJoCo rays)"

    def frame(self, data: mj.MjData, camera: Camera, goal: FloatArray | None = None) -> ImageArray:
        """Return (height, width, 3) with a flat disc at `goal` (x, y, radius) [m]."""
        renderer = policy_renderer(
            "auto", self._model, camera, camera.position_array[None], camera.rotation_matrix[None]
        )
        images = np.empty((1, camera.height, camera.width, 3), dtype=np.uint8)
        depths = np.empty(images.shape[:3])
        renderer.render(data.geom_xpos[None], data.geom_xmat[None], images, depths)
        return images[0] if goal is None else _with_disc(images[0], depths[0], camera, goal)

    def close(self) -> None:
        """Hold nothing, give back nothing."""


def video_renderer(choice: str, model: mj.MjModel, width: int, height: int, *, shadows: bool = False) -> VideoRenderer:
    """Return the renderer "gl" or "rays", or with "auto" the first of them that runs; its `name` says which.

    Raises:
        RenderError: `choice` is unknown, or is "gl" on a machine without OpenGL.
    """
    if choice not in VIDEO_RENDERERS:
        raise RenderError(f"unknown video renderer {choice!r}{nearest(choice, VIDEO_RENDERERS)}")
    if choice == "rays":
        return RayFrames(model)
    try:
        return GlRenderer(model, width, height, shadows=shadows)
    except RenderError as error:
        if choice == "gl":
            raise
        warn_once(f"video frames come from the ray caster: {error}")
        return RayFrames(model)


def _with_disc(image: ImageArray, depth: FloatArray, camera: Camera, goal: FloatArray) -> ImageArray:
    """Blend a disc on the table z = 0 into `image` where nothing stands in front of it."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ camera.rotation_matrix.T
    down = rays[..., 2] < -1e-9
    reach = np.where(down, -camera.position[2] / np.where(down, rays[..., 2], -1.0), 0.0)
    points = camera.position_array[:2] + reach[..., None] * rays[..., :2]
    inside = down & (np.linalg.norm(points - goal[:2], axis=-1) < goal[2]) & (depth > reach - _TOLERANCE)
    share = GOAL_COLOR[3]
    blended = (1.0 - share) * image[inside] + share * 255.0 * np.array(GOAL_COLOR[:3])
    image[inside] = blended.astype(np.uint8)
    return image

