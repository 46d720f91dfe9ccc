"""What every task family offers to the trainer, the twin and the session."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from gmps_robot.tasks import Split, Task
from gmps_robot.types import FloatArray, SafetyEnvelope, SceneState

RewardKind = Literal["dense", "sparse", "binary", "distance", "stars"]
REWARD_KINDS: tuple[str, ...] = get_args(RewardKind)


class Family(Protocol):
    """One family of tasks. Batched: (...) are any leading axes, H the steps of an episode, C the context size."""

    @property
    def name(self) -> str:
        """Name of the family."""
        ...

    @property
    def horizon(self) -> int:
        """Steps per episode."""
        ...

    @property
    def control_hz(self) -> float:
        """Control steps per second."""
        ...

    @property
    def action_size(self) -> int:
        """A, the axes the policy drives."""
        ...

    @property
    def context_size(self) -> int:
        """C."""
        ...

    @property
    def observation_center(self) -> tuple[float, ...]:
        """Frozen statistics of `observation`, shipped in checkpoints."""
        ...

    @property
    def observation_scale(self) -> tuple[float, ...]:
        """As `observation_center`."""
        ...

    @property
    def success_radius(self) -> float:
        """[m]."""
        ...

    @property
    def start_tip(self) -> tuple[float, float, float]:
        """Commanded tip at reset [m]."""
        ...

    @property
    def start_object(self) -> tuple[float, float, float]:
        """Object position at reset [m]."""
        ...

    @property
    def envelope(self) -> SafetyEnvelope:
        """The limits of the arm."""
        ...

    def sample(self, split: Split, n: int, seed: int) -> tuple[Task, ...]:
        """Draw `n` tasks of `split`."""
        ...

    def arm_action(self, action: FloatArray) -> FloatArray:
        """Scale and mask a policy action (..., A) to an arm action (..., 4) in [-1, 1]."""
        ...

    def policy_action(self, arm_action: FloatArray) -> FloatArray:
        """Drop the masked axes of an arm action (..., 4), giving (..., A)."""
        ...

    def observation(self, scene: SceneState) -> FloatArray:
        """Full-state policy observation (..., O) in SI units. Never the goal."""
        ...

    def reward(self, scene: SceneState, context: FloatArray, kind: RewardKind) -> FloatArray:
        """Rewards (..., H) of whole episodes; `scene` arrays have a step axis H, after each action."""
        ...

    def distance(self, scene: SceneState, context: FloatArray) -> FloatArray:
        """Distance to the goal (...,) [m]."""
        ...

    def success(self, scene: SceneState, context: FloatArray) -> NDArray[np.bool_]:
        """Whether the task is solved (...,)."""
        ...

    def achieved(self, scene: SceneState) -> FloatArray:
        """The context (..., C) that this scene would solve best."""
        ...

    def expert(self, scene: SceneState, context: FloatArray) -> FloatArray:
        """Scripted privileged expert: policy action (..., A)."""
        ...
