"""Batched episodes of many per-task policies in VecSim: the `Simulator` of meta-training and of evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gmps_robot.families.family import Family
from gmps_robot.learning.pool import RollOut
from gmps_robot.policy import Params, PolicySpec, encode, head, log_prob
from gmps_robot.types import FloatArray, SceneState
from sim.randomize import Variation, around_nominal
from sim.render.camera import POLICY_CAMERA, Camera
from sim.vector import VecSim

WORLDS_AT_ONCE = 2000  # larger batches are rolled out in parts of whole tasks
Source = torch.Generator | Sequence[torch.Generator]  # one for all tasks, or one per task


class VecSimulator:
    """Rolls out heads (T, ...) in worlds = task x episode. `steps` counts control steps of all worlds."""

    def __init__(
        self, family: Family, *, threads: int = 1, variation: Variation | None = None,
        randomise: Mapping[str, tuple[float, ...]] | None = None, camera: Camera = POLICY_CAMERA,
    ) -> None:  # fmt: skip
        """Either one `variation` of all worlds, or half-widths within which every episode has its own.

        `camera` is that of the rig, from which they vary.
        """
        self.family, self.threads, self.variation, self.randomise = family, threads, variation, randomise
        self.camera = camera
        self.steps = 0
        self._sims: dict[int, VecSim] = {}

    def roll_out(
        self,
        spec: PolicySpec,
        slow: Params,
        fast: Params,
        contexts: FloatArray,
        latents: Tensor,
        generator: Source | None,
        *,
        label: bool = False,
        keep_images: bool = False,
    ) -> RollOut:
        """See `gmps_robot.learning.pool.Simulator.roll_out`.

        With a generator per task, what is drawn for a task does not depend on how many others there are.
        """
        tasks, episodes = latents.shape[:2]
        at_once = max(1, WORLDS_AT_ONCE // episodes)
        if tasks > at_once:
            parts = [
                self.roll_out(
                    spec, slow, {k: v[i : i + at_once] for k, v in fast.items()}, contexts[i : i + at_once],
                    latents[i : i + at_once], _part(generator, i, at_once), label=label, keep_images=keep_images,
                )
                for i in range(0, tasks, at_once)
            ]  # fmt: skip
            return join(parts, axis=0)
        return self._episodes(spec, slow, fast, contexts, latents, generator, label, keep_images)

    def _episodes(
        self,
        spec: PolicySpec,
        slow: Params,
        fast: Params,
        contexts: FloatArray,
        latents: Tensor,
        generator: Source | None,
        label: bool,
        keep_images: bool,
    ) -> RollOut:
        tasks, episodes = latents.shape[:2]
        sim = self._sim(tasks * episodes, generator)
        scene = sim.reset(seeds=None if generator is None else _seeds(generator, tasks, episodes))
        goals = np.repeat(contexts, episodes, axis=0)
        center, scale = np.array(spec.observation_center), np.array(spec.observation_scale)
        steps: dict[str, list[Tensor]] = {k: [] for k in ("features", "proprio", "actions", "log_probs")}
        labels: list[Tensor] = []
        frames: list[Tensor] = []
        after: list[SceneState] = []
        with torch.no_grad():
            for _ in range(self.family.horizon):
                seen = ((self.family.observation(scene) - center) / scale)[:, : spec.proprio_size]
                proprio = torch.from_numpy(seen.astype(np.float32))
                images = torch.from_numpy(sim.images()) if spec.kind == "vision" else None
                features = _encode_in_parts(spec, slow, proprio, images).view(tasks, episodes, -1)
                mean, log_std = head(fast, features, latents)
                action = mean if generator is None else mean + log_std.exp() * _normal(generator, *mean.shape)
                if label:
                    expert = self.family.expert(scene, goals)
                    labels.append(torch.from_numpy(expert.astype(np.float32)).view(tasks, episodes, -1))
                if keep_images and images is not None:
                    frames.append(images.view(tasks, episodes, *images.shape[1:]))
                scene = sim.step(self.family.arm_action(action.reshape(sim.n, -1).double().numpy()))
                after.append(scene)
                step = (features, proprio.view(tasks, episodes, -1), action, log_prob(mean, log_std, action))
                for key, value in zip(steps, step, strict=True):
                    steps[key].append(value)
        self.steps += sim.n * self.family.horizon
        stacked = {k: torch.stack(v, dim=2) for k, v in steps.items()}
        return RollOut(
            **stacked,
            latents=latents,
            scene=_stack_scene(after, tasks, episodes),
            labels=torch.stack(labels, dim=2) if labels else None,
            images=torch.stack(frames, dim=2) if frames else None,
        )

    def _sim(self, n: int, generator: Source | None) -> VecSim:
        if self.randomise:
            rng = np.random.default_rng(0 if generator is None else _seeds(generator, 1, 1)[0])
            return self._build(n, around_nominal(rng, n, self.randomise))
        if n not in self._sims:  # building one costs more than resetting it
            self._sims[n] = self._build(n, self.variation)
        return self._sims[n]

    def _build(self, n: int, variation: Variation | None) -> VecSim:
        return VecSim(self.family, n, threads=self.threads, camera=self.camera, variation=variation)


def _part(source: Source | None, start: int, tasks: int) -> Source | None:
    return source if source is None or isinstance(source, torch.Generator) else source[start : start + tasks]


def _seeds(source: Source, tasks: int, episodes: int) -> list[int]:
    """A seed per world, task by task."""
    if isinstance(source, torch.Generator):
        drawn = torch.randint(2**31, (tasks * episodes,), generator=source)
    else:
        drawn = torch.cat([torch.randint(2**31, (episodes,), generator=each) for each in source[:tasks]])
    return [int(seed) for seed in drawn]


def _normal(source: Source, tasks: int, *shape: int) -> Tensor:
    if isinstance(source, torch.Generator):
        return torch.randn(tasks, *shape, generator=source)
    return torch.stack([torch.randn(*shape, generator=each) for each in source])


def _encode_in_parts(spec: PolicySpec, slow: Params, proprio: Tensor, images: Tensor | None) -> Tensor:
    if images is None:
        return encode(spec, slow, proprio, None)
    parts = zip(proprio.split(WORLDS_AT_ONCE), images.split(WORLDS_AT_ONCE), strict=True)
    return torch.cat([encode(spec, slow, p, i) for p, i in parts])


def _stack_scene(scenes: list[SceneState], tasks: int, episodes: int) -> SceneState:
    def stack(name: str) -> FloatArray:
        array = np.stack([getattr(s, name) for s in scenes], axis=1)
        return array.reshape(tasks, episodes, *array.shape[1:])

    return SceneState(stack("tip"), stack("object_pose"), stack("time"))


def join(parts: list[RollOut], axis: int) -> RollOut:
    """Join roll-outs along the task axis (0) or the episode axis (1)."""

    def tensor(name: str) -> Tensor:
        return torch.cat([getattr(p, name) for p in parts], dim=axis)

    def optional(name: str) -> Tensor | None:
        return None if getattr(parts[0], name) is None else tensor(name)

    def scene(name: str) -> FloatArray:
        return np.concatenate([getattr(p.scene, name) for p in parts], axis=axis)

    return RollOut(
        tensor("features"), tensor("proprio"), tensor("actions"), tensor("log_probs"), tensor("latents"),
        SceneState(scene("tip"), scene("object_pose"), scene("time")), optional("labels"), optional("images"),
    )  # fmt: skip
