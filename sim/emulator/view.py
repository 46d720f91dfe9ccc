"""Draws the emulator's scene in the caller's process, so that pictures never hold up the robot."""

from __future__ import annotations

import mujoco as mj
import numpy as np

from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import FloatArray, ImageArray
from sim.render.camera import POLICY_CAMERA, Camera
from sim.render.choose import policy_renderer
from sim.render.video import VideoRenderer, video_renderer
from sim.worlds import start_scene


class View:
    """A copy of the scene that is set, not simulated."""

    def __init__(self, family: Family, camera: Camera = POLICY_CAMERA) -> None:
        """Build the scene.

        Raises:
            TaskError: there is no scene for the family.
        """
        self._family, self._camera = family, camera
        self._model, _ = start_scene(family)
        self._data = mj.MjData(self._model)
        poses = camera.position_array[None], camera.rotation_matrix[None]
        self._renderer = policy_renderer("auto", self._model, camera, *poses)
        self._video: dict[tuple[int, int], VideoRenderer] = {}

    def set(self, qpos: FloatArray, table: float) -> None:
        """Take over all joints and the height of the table [m]."""
        self._data.qpos[:] = qpos
        self._model.geom_pos[self._model.geom("table").id, 2] = table
        mj.mj_forward(self._model, self._data)

    def image(self) -> ImageArray:
        """What the policy sees, (height, width, 3)."""
        images = np.empty((1, self._camera.height, self._camera.width, 3), dtype=np.uint8)
        shapes = np.array(self._data.geom_xpos)[None], np.array(self._data.geom_xmat)[None]
        self._renderer.render(*shapes, images)
        image: ImageArray = images[0]
        return image

    def video_frame(self, height: int, width: int, task: Task | None) -> ImageArray:
        """The view for people, with the goal of `task` as a disc; from one thread only."""
        if (width, height) not in self._video:
            self._video[width, height] = video_renderer("auto", self._model, width, height)
        goal = None
        if task is not None and self._family.context_size == 2:
            goal = np.array([*task.context, self._family.success_radius])
        return self._video[width, height].frame(self._data, self._camera.scaled(width, height), goal)

    def close(self) -> None:
        """Give back the OpenGL contexts."""
        for renderer in self._video.values():
            renderer.close()
        self._video.clear()
