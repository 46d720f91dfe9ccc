"""Privileged experts: they see the scene and the task. Their labels are what the meta-policy imitates.

`ScriptedExpert` is the family's own; `SacExpert` is a trained contextual policy. Both answer `act`, both are loaded by
`load_expert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from gmps_robot import config
from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.families.family import Family
from gmps_robot.learning.sac import Parameters, best_action
from gmps_robot.tasks import contexts
from gmps_robot.types import Float32Array, FloatArray, SceneState

WEIGHTS, CARD = "expert.safetensors", "expert.yaml"
REFERENCE_TASKS = 400  # training tasks whose contexts give the scale of the context features
SCENE_SIZE = 10  # tip xyz, object position and quaternion


class Expert(Protocol):
    """Acts with full knowledge, for n worlds at once."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def act(self, scene: SceneState, contexts: FloatArray, applied: FloatArray) -> FloatArray:
        """Policy actions (n, A) for contexts (n, C); `applied` (n, 4) is what the limits let through last time."""
        ...


@dataclass(frozen=True)
class ScriptedExpert:
    """The family's scripted expert."""

    family: Family
    name: str = "scripted"

    def act(self, scene: SceneState, contexts: FloatArray, applied: FloatArray) -> FloatArray:  # noqa: ARG002
        """See `Expert.act`; the script needs no memory of the last action."""
        return self.family.expert(scene, contexts)


@dataclass(frozen=True)
class PrivilegedProblem:
    """A task family as `gmps_robot.learning.replay.Problem`: what the contextual learner sees and earns.

    A state is the scene (tip xyz, object pose) and the action applied last, because the limits on acceleration make
    the tip's velocity part of the state.
    """

    family: Family
    context_center: tuple[float, ...]
    context_scale: tuple[float, ...]
    reward_scale: float

    @staticmethod
    def of(family: Family, reward_scale: float) -> PrivilegedProblem:
        """Scale the contexts by the family's training tasks."""
        known = contexts(family.sample("train", REFERENCE_TASKS, seed=0))
        center, scale = known.mean(axis=0), known.std(axis=0)
        return PrivilegedProblem(
            family, tuple(float(c) for c in center.round(6)), tuple(float(s) for s in scale.round(6)), reward_scale
        )

    @property
    def state_size(self) -> int:
        """S."""
        return SCENE_SIZE + self.family.action_size

    @property
    def context_size(self) -> int:
        """C."""
        return self.family.context_size

    @property
    def feature_size(self) -> int:
        """F: observation, last action, context, context relative to what is achieved."""
        return len(self.family.observation_center) + self.family.action_size + 2 * self.family.context_size

    @property
    def action_size(self) -> int:
        """A."""
        return self.family.action_size

    @property
    def horizon(self) -> int:
        """H."""
        return self.family.horizon

    def state(self, scene: SceneState, applied: FloatArray) -> Float32Array:
        """Pack worlds into states (n, S)."""
        return self.pack(scene, self.family.policy_action(applied))

    def pack(self, scene: SceneState, last_action: NDArray[np.floating]) -> Float32Array:
        """Pack scenes (...) and the actions (..., A) applied before them into states (..., S)."""
        return np.concatenate([scene.tip, scene.object_pose, last_action], axis=-1).astype(np.float32)

    def features(self, states: Float32Array, contexts: Float32Array) -> Float32Array:
        """See `Problem.features`."""
        scene = _scene(states)
        center, scale = np.array(self.family.observation_center), np.array(self.family.observation_scale)
        seen = (self.family.observation(scene) - center) / scale
        wanted = (contexts - np.array(self.context_center)) / np.array(self.context_scale)
        missing = (contexts - self.family.achieved(scene)) / np.array(self.context_scale)
        return np.concatenate([seen, states[..., SCENE_SIZE:], wanted, missing], axis=-1).astype(np.float32)

    def rewards(self, next_states: Float32Array, contexts: Float32Array) -> Float32Array:
        """The family's dense reward of single steps, scaled. See `Problem.rewards`."""
        one_step_episodes = _scene(next_states[:, None])
        dense = self.family.reward(one_step_episodes, contexts.astype(np.float64), "dense")[:, 0]
        return (self.reward_scale * dense).astype(np.float32)

    def achieved(self, states: Float32Array) -> Float32Array:
        """See `Problem.achieved`."""
        return self.family.achieved(_scene(states)).astype(np.float32)


@dataclass(frozen=True)
class ExpertCard:
    """What `expert.yaml` holds: enough to run the weights beside it, and where they come from."""

    family: str
    context_center: tuple[float, ...]
    context_scale: tuple[float, ...]
    reward_scale: float
    seed: int
    samples: int
    """Control steps in training, demonstrations included, up to these weights."""
    validation_success: float


@dataclass(frozen=True)
class SacExpert:
    """A trained contextual policy; deterministic."""

    problem: PrivilegedProblem
    actor: Parameters
    name: str = "sac"

    def act(self, scene: SceneState, contexts: FloatArray, applied: FloatArray) -> FloatArray:
        """See `Expert.act`."""
        states = self.problem.state(scene, applied)
        features = torch.from_numpy(self.problem.features(states, contexts.astype(np.float32)))
        return best_action(self.actor, features).double().numpy()


def save_expert(expert: SacExpert, directory: Path, *, seed: int, samples: int, validation_success: float) -> None:
    """Write `expert.safetensors` and `expert.yaml`; each file is replaced as a whole."""
    directory.mkdir(parents=True, exist_ok=True)
    problem = expert.problem
    card = ExpertCard(
        problem.family.name, problem.context_center, problem.context_scale, problem.reward_scale, seed, samples,
        validation_success,
    )  # fmt: skip
    weights = {k: w.detach().contiguous() for k, w in expert.actor.items()}
    save_file(weights, directory / (WEIGHTS + ".part"))
    config.save(card, directory / (CARD + ".part"))
    for name in (WEIGHTS, CARD):
        (directory / (name + ".part")).replace(directory / name)


def load_expert(name: str, family: Family) -> Expert:
    """Return the scripted expert for "scripted", else the SAC expert saved in the directory `name`.

    Raises:
        CheckpointError: there is no expert in that directory, it does not fit, or is of another family.
    """
    if name == "scripted":
        return ScriptedExpert(family)
    directory = Path(name)
    if not (directory / WEIGHTS).is_file():
        raise CheckpointError(f"no expert in {directory}: expected {WEIGHTS} and {CARD}; or say `scripted`")
    try:
        card = config.load(ExpertCard, directory / CARD)
    except ConfigError as error:
        raise CheckpointError(f"{directory / CARD} is damaged: {error}") from error
    if card.family != family.name:
        raise CheckpointError(f"the expert in {directory} is of family {card.family!r}, not {family.name!r}")
    problem = PrivilegedProblem(family, card.context_center, card.context_scale, card.reward_scale)
    actor = load_file(directory / WEIGHTS)
    shape = (problem.feature_size, 2 * problem.action_size)
    layers = [w for k, w in sorted(actor.items()) if k.startswith("weight")]
    if not layers or (layers[0].shape[0], layers[-1].shape[1]) != shape:
        raise CheckpointError(f"{directory / WEIGHTS} does not map {shape[0]} features to {shape[1]} outputs")
    if not all(bool(torch.isfinite(w).all()) for w in actor.values()):
        raise CheckpointError(f"{directory / WEIGHTS} holds numbers that are not finite")
    return SacExpert(problem, actor)


def _scene(states: Float32Array) -> SceneState:
    wide = states.astype(np.float64)
    return SceneState(wide[..., :3], wide[..., 3:SCENE_SIZE], np.zeros(states.shape[:-1]))
