"""VecSim: many worlds of one task family in lock-step, behind the robot's limits. No reward, no auto-reset."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gmps_robot.control.limits import LimitFlags, advance, limit_velocity
from gmps_robot.errors import ActionError, ConfigError, RenderError
from gmps_robot.families.family import Family
from gmps_robot.types import FloatArray, ImageArray, SceneState
from sim.randomize import Variation
from sim.render.camera import Camera
from sim.render.choose import policy_renderer
from sim.worlds import Worlds


class VecSim:
    """`n` worlds of `family`. World i is the same whatever the number of worlds, their order and the threads.

    The command path is that of the twin and the robot: wanted velocity, limits, commanded tip, inverse kinematics,
    joint servos, physics.
    """

    def __init__(
        self, family: Family, n: int, *, threads: int = 1, camera: Camera | None = None,
        variation: Variation | None = None, renderer: str = "auto",
    ) -> None:
        """Build the worlds and reset them.

        Args:
            family: gives scene, start pose, rates and limits.
            n: number of worlds.
            threads: for physics and images; results do not depend on it.
            camera: what `images` sees; None for a simulator without images.
            variation: what differs from the nominal rig, in all worlds or per world.
            renderer: "auto", "rays" or "multiray" (see `sim.render.choose`).

        Raises:
            ConfigError: a size below 1, or a variation that does not fit `n`.
            RenderError: the renderer asked for cannot run here.
        """
        self.family, self.n, self._threads = family, n, threads
        self._source = family.envelope.policy
        self._worlds = Worlds(family, n, threads)
        self._variation = (variation or Variation()).spread(n)
        self._variation.apply(self._worlds.batch)
        self._velocity = np.zeros((n, 3))
        self._applied = np.zeros((n, 4))
        self.flags = LimitFlags(*(np.zeros(n, dtype=np.bool_) for _ in LimitFlags._fields))
        self.camera = camera
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        if camera is not None:
            self._shape_positions = self._worlds.bind("geom_xpos")
            self._shape_rotations = self._worlds.bind("geom_xmat")
            self._renderer = policy_renderer(
                renderer, self._worlds.model, camera, *self._variation.camera_poses(camera)
            )
        self.reset()

    def reset(self, seeds: Sequence[int] | None = None, worlds: Sequence[int] | None = None) -> SceneState:
        """Put worlds at the family's start and return the scene of all worlds.

        Args:
            seeds: one per world that is reset; they draw the block jitter. None: 0, 1, 2 ... by world index.
            worlds: which; None for all.

        Raises:
            ConfigError: `seeds` has the wrong length, or a world index is out of range.
        """
        chosen = np.arange(self.n) if worlds is None else np.array(worlds, dtype=np.int64)
        drawn = chosen.tolist() if seeds is None else [int(seed) for seed in seeds]
        if len(drawn) != len(chosen):
            raise ConfigError(f"{len(drawn)} seeds for {len(chosen)} worlds: one seed per world that is reset")
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= self.n):
            raise ConfigError(f"worlds = {chosen.tolist()}: valid are 0 to {self.n - 1}")
        self._worlds.reset(self._variation.object_offsets(drawn, chosen), chosen)
        self._velocity[chosen], self._applied[chosen] = 0.0, 0.0
        return self.scene()

    def step(self, arm_action: FloatArray) -> SceneState:
        """Carry out `arm_action` (n, 4) in [-1, 1] for one control period and return the scene after it.

        Raises:
            ActionError: wrong shape, or not finite.
            SimulationError: some worlds diverged; `worlds` of the error lists them.
        """
        action = self._checked(arm_action)
        speed = self._source.speed
        wanted = action[:, :3] * speed * self._variation.action_gain[:, None]
        tip, dt = self._worlds.tip_target, self._worlds.dt
        self._velocity, self.flags = limit_velocity(
            wanted, self._velocity, tip, self._source, self.family.envelope, dt
        )
        gripper = np.clip(action[:, 3], -1.0, 1.0)
        self._applied = np.concatenate([self._velocity / speed, gripper[:, None]], axis=1)
        self._worlds.advance(advance(tip, self._velocity, self._source, dt), gripper)
        return self.scene()

    def scene(self) -> SceneState:
        """Return the scene of all worlds now; `tip` is what the arm reports, with the variation's offset."""
        worlds = self._worlds
        return SceneState(worlds.tip + self._variation.tip_offset, worlds.object_pose, worlds.time)

    @property
    def renderer(self) -> str:
        """Name of the renderer that draws `images`."""
        return "none (no camera)" if self.camera is None else self._renderer.name

    @property
    def applied(self) -> FloatArray:
        """(n, 4) what the limits let through of the last action, in action units."""
        return self._applied.copy()

    @property
    def tip_target(self) -> FloatArray:
        """(n, 3) commanded tip position [m]."""
        return self._worlds.tip_target.copy()

    def images(self) -> ImageArray:
        """Return what the camera of each world sees, (n, height, width, 3). Nothing in it depends on a task's goal.

        Raises:
            RenderError: the simulator was built without a camera.
        """
        if self.camera is None:
            raise RenderError("this VecSim has no camera: build it with VecSim(..., camera=POLICY_CAMERA)")
        images = np.empty((self.n, self.camera.height, self.camera.width, 3), dtype=np.uint8)
        if self._pool is None:
            self._draw(images, 0, self.n)
        else:
            edges = np.linspace(0, self.n, self._threads + 1).astype(int).tolist()
            jobs = [self._pool.submit(self._draw, images, a, b) for a, b in pairwise(edges)]
            for job in jobs:
                job.result()
        return images

    def _draw(self, images: ImageArray, start: int, stop: int) -> None:
        part = slice(start, stop)
        self._renderer.render(
            self._shape_positions[part], self._shape_rotations[part], images[part], first=start
        )

    def _checked(self, arm_action: FloatArray) -> NDArray[np.float64]:
        action = np.asarray(arm_action, dtype=np.float64)
        if action.shape != (self.n, 4):
            raise ActionError(f"action has shape {action.shape}; {self.n} worlds need ({self.n}, 4)")
        if not np.isfinite(action).all():
            bad = np.flatnonzero(~np.isfinite(action).all(axis=1))
            raise ActionError(f"action of world {bad[0]} is not finite: {action[bad[0]]}")
        return action
