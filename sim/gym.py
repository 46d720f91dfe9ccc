"""Gymnasium adaptors of the batch simulator, for other people's learners. Autoreset lives here and nowhere else.

The goal is in neither observation: it is a hidden task, drawn anew at each reset. `info` tells task and success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from gmps_robot.errors import ConfigError, nearest
from gmps_robot.families.family import REWARD_KINDS, Family, RewardKind
from gmps_robot.tasks import Split, Task, contexts
from gmps_robot.types import FloatArray, ImageArray, SceneState
from sim.randomize import Variation
from sim.render.camera import POLICY_CAMERA
from sim.vector import VecSim

OBSERVATIONS = ("state", "image")
POOL = 100  # tasks of the split that resets draw from
_EVERY_STEP = ("dense", "sparse")

Observed = FloatArray | ImageArray


class VectorTasks(VectorEnv[Any, Any, Any]):
    """`n` worlds of `family`, each on its own task of `split`; episodes last the family's horizon.

    A world whose episode is over is reset by the next `step`, whose action it ignores (`AutoresetMode.NEXT_STEP`).
    """

    def __init__(
        self, family: Family, n: int, *, split: Split = "train", seed: int = 0, observation: str = "state",
        reward: RewardKind = "dense", variation: Variation | None = None, threads: int = 1,
        render_mode: str | None = None,
    ) -> None:
        """Build the worlds; `seed` draws the pool of tasks.

        Raises:
            ConfigError: unknown observation or reward.
        """
        if observation not in OBSERVATIONS:
            raise ConfigError(f"observation = {observation!r}{nearest(observation, OBSERVATIONS)}")
        if reward not in REWARD_KINDS:
            raise ConfigError(f"reward = {reward!r}{nearest(reward, REWARD_KINDS)}")
        self.family, self.num_envs, self.render_mode = family, n, render_mode
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": ["rgb_array"], "render_fps": family.control_hz,
        }
        self._seen, self._reward = observation, reward
        sees = observation == "image" or render_mode is not None
        self._simulator = VecSim(
            family, n, threads=threads, camera=POLICY_CAMERA if sees else None, variation=variation
        )
        self._pool = family.sample(split, POOL, seed)
        self._tasks: list[Task] = [self._pool[0]] * n
        self._steps = np.zeros(n, dtype=np.int64)
        self._over = np.zeros(n, dtype=np.bool_)
        self.single_observation_space = self._observation_space()
        self.single_action_space = gymnasium.spaces.Box(-1.0, 1.0, (family.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Draw a task for each world and put it at the start; `options["reset_mask"]` (n,) chooses worlds."""
        super().reset(seed=seed if seed is None or isinstance(seed, int) else seed[0])
        mask = np.ones(self.num_envs, dtype=np.bool_) if not options else np.asarray(options["reset_mask"], np.bool_)
        scene = self._restart(np.flatnonzero(mask))
        return self._observe(scene), self._info(scene)

    def step(
        self, actions: FloatArray
    ) -> tuple[Observed, FloatArray, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Carry out policy actions (n, A) for one control period."""
        starting = self._over
        scene = self._simulator.step(self.family.arm_action(np.asarray(actions, dtype=np.float64)))
        self._steps += 1
        self._over = (self._steps >= self.family.horizon) & ~starting
        rewards = np.where(starting, 0.0, self._rewards(scene))
        if starting.any():
            scene = self._restart(np.flatnonzero(starting))
        ended = np.zeros(self.num_envs, dtype=np.bool_)  # success does not end an episode: the horizon does
        return self._observe(scene), rewards, ended, self._over.copy(), self._info(scene)

    def render(self) -> tuple[ImageArray, ...] | None:
        """Return the policy camera's view of every world, or None without a render mode."""
        return tuple(self._simulator.images()) if self.render_mode == "rgb_array" else None

    def _restart(self, worlds: NDArray[np.int64]) -> SceneState:
        for world in worlds:
            self._tasks[world] = self._pool[int(self.np_random.integers(POOL))]
        seeds = self.np_random.integers(2**31, size=len(worlds)).tolist()
        self._steps[worlds], self._over[worlds] = 0, False
        return self._simulator.reset(seeds, worlds.tolist())

    def _rewards(self, scene: SceneState) -> FloatArray:
        one_step = SceneState(scene.tip[:, None], scene.object_pose[:, None], scene.time[:, None])
        rewards = self.family.reward(one_step, contexts(tuple(self._tasks)), self._reward)[:, 0]
        return rewards if self._reward in _EVERY_STEP else np.where(self._over, rewards, 0.0)

    def _observe(self, scene: SceneState) -> Observed:
        return self._simulator.images() if self._seen == "image" else self.family.observation(scene)

    def _info(self, scene: SceneState) -> dict[str, Any]:
        goals = contexts(tuple(self._tasks))
        return {
            "task": np.array([task.task_id for task in self._tasks], dtype=object),
            "success": self.family.success(scene, goals), "distance": self.family.distance(scene, goals),
        }

    def _observation_space(self) -> gymnasium.spaces.Box:
        if self._seen == "image":
            return gymnasium.spaces.Box(0, 255, (POLICY_CAMERA.height, POLICY_CAMERA.width, 3), np.uint8)
        size = len(self.family.observation_center)
        return gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float64)


class SingleTask(gymnasium.Env[Any, Any]):
    """One world of `family` as a plain environment: a new hidden task at each reset, truncated at the horizon."""

    def __init__(self, family: Family, *, render_mode: str | None = None, **settings: Any) -> None:
        """Build the world; `settings` are those of `VectorTasks`."""
        self._worlds = VectorTasks(family, 1, render_mode=render_mode, **settings)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": family.control_hz}
        self.render_mode = render_mode
        self.observation_space = self._worlds.single_observation_space
        self.action_space = self._worlds.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Draw a task and put the world at the start."""
        del options  # gymnasium's signature; one world leaves nothing to choose
        super().reset(seed=seed)
        observation, info = self._worlds.reset(seed=seed)
        return observation[0], _first(info)

    def step(self, action: FloatArray) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Carry out a policy action (A,) for one control period."""
        observation, reward, ended, truncated, info = self._worlds.step(np.asarray(action)[None])
        return observation[0], float(reward[0]), bool(ended[0]), bool(truncated[0]), _first(info)

    def render(self) -> ImageArray | None:
        """Return the policy camera's view, or None without a render mode."""
        frames = self._worlds.render()
        return None if frames is None else frames[0]


def _first(info: dict[str, Any]) -> dict[str, Any]:
    return {name: values[0] for name, values in info.items()}
