"""Demonstrations in the simulator: an expert's labels along trajectories that noise has pushed off its path.

What is carried out is the expert's action plus noise; what is stored is the expert's action alone, so that the
imitator learns to come back (Laskey et al. 2017, arXiv 1703.09327). The noise level differs from episode to episode,
from none to the given maximum: a part of it is white, a part a bias that is redrawn every half second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmps_robot.errors import ConfigError
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task, contexts
from gmps_robot.types import Float32Array, FloatArray, ImageArray, SceneState
from sim.experts import Expert, ScriptedExpert
from sim.randomize import Variation
from sim.render.camera import POLICY_CAMERA, Camera
from sim.vector import VecSim

BIAS_STEPS = 10  # control steps between two draws of the bias
WORLDS_AT_ONCE = 2000


@dataclass(frozen=True)
class Demonstrations:
    """T tasks x N demonstrations of H steps; O observation, A action numbers."""

    tasks: tuple[Task, ...]
    observations: Float32Array  # (T, N, H, O) full-state, SI units, before each action
    labels: Float32Array  # (T, N, H, A) what the expert would do there
    actions: Float32Array  # (T, N, H, A) what was commanded: label plus noise, clipped to [-1, 1]
    applied: Float32Array  # (T, N, H, A) what the limits let through
    tips: Float32Array  # (T, N, H + 1, 3) [m]
    object_poses: Float32Array  # (T, N, H + 1, 7) [m], quaternion x y z w
    success: NDArray[np.bool_]  # (T, N) solved at the end of the episode
    images: ImageArray | None  # (T, N, H, height, width, 3) before each action
    steps: int  # control steps simulated, failed episodes included
    period: float  # of one control step [s]

    @property
    def success_rate(self) -> float:
        """Share of demonstrations that solve their task."""
        return float(self.success.mean())

    def scenes(self) -> SceneState:
        """The scenes (T, N, H + 1, ...) of all episodes, for rewards and privileged learners."""
        tips, poses = self.tips.astype(np.float64), self.object_poses.astype(np.float64)
        return SceneState(tips, poses, np.broadcast_to(np.arange(tips.shape[2]) * self.period, tips.shape[:3]))


def collect_demonstrations(
    family: Family,
    tasks: Sequence[Task],
    per_task: int,
    noise: float,
    seed: int,
    expert: Expert | None = None,
    images: bool = False,
    *,
    camera: Camera = POLICY_CAMERA,
    variation: Variation | None = None,
    threads: int = 1,
    on_step: Callable[[int], None] | None = None,
) -> Demonstrations:
    """Roll out `expert` (default: the scripted one) `per_task` times per task, with growing noise, and label each step.

    Demonstration j of a task has noise level `noise` j / (per_task - 1). The result depends on `seed`, not on the
    number of threads; `on_step` is told the control steps done so far.

    Raises:
        ConfigError: no tasks, fewer than one demonstration per task, or negative noise.
    """
    if not tasks or per_task < 1 or noise < 0:
        raise ConfigError(
            f"{len(tasks)} tasks x {per_task} demonstrations with noise {noise}: need at least one of each, noise >= 0"
        )
    chosen_expert: Expert = ScriptedExpert(family) if expert is None else expert
    at_once = max(1, WORLDS_AT_ONCE // per_task)
    parts = []
    done = 0
    for start in range(0, len(tasks), at_once):
        chosen = tuple(tasks[start : start + at_once])
        sim = VecSim(
            family, len(chosen) * per_task, threads=threads, camera=camera if images else None, variation=variation
        )
        seeds = np.random.SeedSequence([seed, start]).generate_state(sim.n + 1)
        noises = _noise(family, len(chosen), per_task, noise, np.random.default_rng(seeds[-1]))
        report = None if on_step is None else _offset(on_step, done)
        parts.append(_episodes(sim, chosen_expert, chosen, noises, [int(s) for s in seeds[:-1]], report))
        done += parts[-1].steps
    return parts[0] if len(parts) == 1 else _join(parts)


def noise_levels(per_task: int, noise: float) -> FloatArray:
    """Noise level of each demonstration of a task (per_task,): from 0 to `noise`, evenly spaced."""
    return np.linspace(0.0, noise, per_task)


def _noise(family: Family, tasks: int, per_task: int, noise: float, rng: np.random.Generator) -> FloatArray:
    """Noise (H, worlds, A): white, plus a bias that is redrawn every `BIAS_STEPS`, both of the world's level."""
    worlds = tasks * per_task
    level = np.tile(noise_levels(per_task, noise), tasks)[:, None]
    white = rng.normal(size=(family.horizon, worlds, family.action_size))
    draws = -(-family.horizon // BIAS_STEPS)
    bias = np.repeat(rng.normal(size=(draws, worlds, family.action_size)), BIAS_STEPS, axis=0)[: family.horizon]
    return np.asarray(level * (white + bias))


def _episodes(
    sim: VecSim,
    expert: Expert,
    tasks: tuple[Task, ...],
    noises: FloatArray,
    seeds: list[int],
    on_step: Callable[[int], None] | None,
) -> Demonstrations:
    family, per_task = sim.family, sim.n // len(tasks)
    goals = np.repeat(contexts(tasks), per_task, axis=0)
    scene = sim.reset(seeds=seeds)
    scenes, labels, actions, applied, frames = [scene], [], [], [], []
    for step, noise in enumerate(noises, start=1):
        if sim.camera is not None:
            frames.append(sim.images())
        label = expert.act(scene, goals, sim.applied)
        action = np.clip(label + noise, -1.0, 1.0)
        scene = sim.step(family.arm_action(action))
        scenes.append(scene)
        labels.append(label)
        actions.append(action)
        applied.append(family.policy_action(sim.applied))
        if on_step is not None:
            on_step(step * sim.n)

    shape = (len(tasks), per_task)

    def by_task(arrays: list[FloatArray]) -> Float32Array:
        stacked = np.stack(arrays, axis=1).astype(np.float32)
        return stacked.reshape(*shape, *stacked.shape[1:])

    return Demonstrations(
        tasks,
        by_task([family.observation(s) for s in scenes[:-1]]),
        by_task(labels), by_task(actions), by_task(applied),
        by_task([s.tip for s in scenes]), by_task([s.object_pose for s in scenes]),
        family.success(scene, goals).reshape(shape),
        np.stack(frames, axis=1).reshape(*shape, family.horizon, *frames[0].shape[1:]) if frames else None,
        sim.n * family.horizon, 1.0 / family.control_hz,
    )  # fmt: skip


def _join(parts: list[Demonstrations]) -> Demonstrations:
    def together(name: str) -> Float32Array:
        return np.concatenate([getattr(p, name) for p in parts])

    images = None if parts[0].images is None else np.concatenate([p.images for p in parts if p.images is not None])
    return Demonstrations(
        tuple(task for p in parts for task in p.tasks), together("observations"), together("labels"),
        together("actions"), together("applied"), together("tips"), together("object_poses"),
        np.concatenate([p.success for p in parts]), images, sum(p.steps for p in parts),
        parts[0].period,
    )  # fmt: skip


def _offset(report: Callable[[int], None], start: int) -> Callable[[int], None]:
    return lambda steps: report(start + steps)

