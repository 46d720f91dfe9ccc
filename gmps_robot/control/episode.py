"""One episode while it happens: steps go in, a Trajectory comes out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gmps_robot.errors import SessionError
from gmps_robot.policy import MetaPolicy
from gmps_robot.types import Float32Array, FloatArray, ImageArray, Observation, Trajectory


class EpisodeStep(NamedTuple):
    """What is kept of one step. A is the policy's action size, F the size of the encoder's output."""

    stamp_ns: int
    tip: FloatArray  # (3,)
    features: Float32Array  # (F,)
    action: Float32Array  # (A,) as drawn, before any limit
    mean: Float32Array  # (A,)
    log_std: Float32Array  # (A,)
    image: ImageArray | None


def choose(
    policy: MetaPolicy,
    observation: Observation,
    latent: Float32Array,
    rng: np.random.Generator | None,
    *,
    keep_image: bool = False,
) -> EpisodeStep:
    """Encode `observation` once and draw an action; the features are kept, so that updates never touch pixels.

    Args:
        policy: acts.
        observation: what the arm sees.
        latent: (L,) draw of this episode.
        rng: draws the action noise; None for the mean action with no latent draw.
        keep_image: keep the image with the step.

    Raises:
        ObservationError: the observation does not fit the policy.
    """
    image = None if observation.image is None else observation.image[None]
    place = None if observation.object_position is None else observation.object_position[None]
    tip = np.asarray(observation.tip, dtype=np.float64)
    features = policy.features(tip[None], image, place)
    draw = None if rng is None else torch.from_numpy(latent)[None]
    mean, log_std = (t[0].numpy() for t in policy.act(features, draw))
    action = mean if rng is None else mean + np.exp(log_std) * rng.standard_normal(mean.shape)
    kept = observation.image if keep_image else None
    return EpisodeStep(
        observation.stamp_ns, tip, features[0].numpy(), np.asarray(action, dtype=np.float32), mean, log_std, kept
    )


class EpisodeBuffer:
    """Collects the steps of one episode. What the guard let through arrives after the step it belongs to."""

    def __init__(self, latent: Float32Array) -> None:
        """Begin an episode with the latent draw (L,) that it keeps throughout."""
        self.latent = latent
        self._steps: list[EpisodeStep] = []
        self._applied: list[FloatArray | None] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: EpisodeStep) -> None:
        """Append a step."""
        self._steps.append(step)
        self._applied.append(None)

    def set_applied(self, action: FloatArray, stamp_ns: int) -> None:
        """Note what was applied (A,) of the step on the observation of `stamp_ns`, in action units."""
        for k in reversed(range(len(self._steps))):
            if self._steps[k].stamp_ns == stamp_ns:
                self._applied[k] = np.asarray(action, dtype=np.float64)
                return

    def finish(self, task_id: str, rewards: FloatArray, success: bool, info: dict[str, float]) -> Trajectory:
        """Return the episode. An applied action that never arrived is NaN: it is not known.

        Raises:
            SessionError: the episode has no step.
        """
        if not self._steps:
            raise SessionError(f"the episode of {task_id} ended before its first step; nothing was recorded")
        unknown = np.full_like(self._steps[0].action, np.nan, dtype=np.float64)
        images = [step.image for step in self._steps if step.image is not None]
        return Trajectory(
            task_id=task_id,
            tips=self._stack("tip"),
            features=self._stack("features"),
            actions=self._stack("action"),
            applied=np.array([unknown if a is None else a for a in self._applied], dtype=np.float32),
            means=self._stack("mean"),
            log_stds=self._stack("log_std"),
            latent=self.latent,
            rewards=np.asarray(rewards, dtype=np.float32),
            stamps_ns=self._stamps(),
            success=success,
            images=np.stack(images) if len(images) == len(self._steps) else None,
            info=info,
        )

    def _stack(self, name: str) -> Float32Array:
        return np.stack([getattr(step, name) for step in self._steps]).astype(np.float32)

    def _stamps(self) -> NDArray[np.int64]:
        return np.array([step.stamp_ns for step in self._steps], dtype=np.int64)
