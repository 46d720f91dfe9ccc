"""The meta-policy: a conv encoder (slow, frozen on the robot) and an FC Gaussian head with an episode latent (fast).

Everything is a pure function of parameter dictionaries; `MetaPolicy` only holds them together. Head parameters may
carry a leading task axis T, so that adapted policies of many tasks run as one batched forward. Symbols as in the
paper: theta is (slow, fast) before adaptation, phi the fast part after it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gmps_robot.errors import ConfigError, ObservationError
from gmps_robot.types import FloatArray, ImageArray

Params = Mapping[str, Tensor]
KEYPOINT_GAIN = 4.0  # spreads keypoints from [-1, 1] to the scale of the other features
TEMPERATURE_GAIN = 3.0
PIXEL_MEAN = 0.4


@dataclass(frozen=True)
class PolicySpec:
    """What a policy is made of; saved in the checkpoint. Kind `state` sees tip and object, `vision` tip and image."""

    kind: Literal["state", "vision"]
    family: str = "push"
    observation_center: tuple[float, ...] = (0.55, 0.0, 0.03, 0.6, 0.0, 0.02)  # frozen statistics, tip then object
    observation_scale: tuple[float, ...] = (0.1, 0.1, 0.02, 0.1, 0.1, 0.02)
    action_size: int = 3
    latent_size: int = 3
    hidden: tuple[int, ...] = (100, 100)
    image_height: int = 48
    image_width: int = 64
    channels: int = 16
    strides: tuple[int, ...] = (2, 2, 1)
    rig: str = "nominal"  # content id of the rig calibration it was trained for

    def __post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            ConfigError: centre and scale of the observation differ in length.
        """
        if len(self.observation_center) != len(self.observation_scale):
            raise ConfigError(
                f"policy spec: observation_center has {len(self.observation_center)} entries, observation_scale "
                f"{len(self.observation_scale)}; both describe the same observation"
            )

    @property
    def proprio_size(self) -> int:
        """How many leading entries of the family's observation the head sees directly."""
        return 3 if self.kind == "vision" else len(self.observation_center)

    @property
    def feature_size(self) -> int:
        """Size of the encoder's output, keypoints and proprioception together."""
        return self.proprio_size + (2 * self.channels if self.kind == "vision" else 0)


def init_slow(spec: PolicySpec, generator: torch.Generator) -> dict[str, Tensor]:
    """Conv encoder: Xavier weights, zero biases, a learned spatial-softmax temperature. Empty for `state`."""
    if spec.kind == "state":
        return {}
    slow: dict[str, Tensor] = {"temperature": torch.zeros(1)}
    inputs = 3
    for i, kernel in enumerate((5, *(3 for _ in spec.strides[1:]))):
        limit = math.sqrt(6.0 / ((inputs + spec.channels) * kernel * kernel))
        weight = (torch.rand(spec.channels, inputs, kernel, kernel, generator=generator) * 2 - 1) * limit
        slow[f"conv{i}.weight"] = weight.contiguous(memory_format=torch.channels_last)
        slow[f"conv{i}.bias"] = torch.zeros(spec.channels)
        inputs = spec.channels
    return slow


def init_fast(spec: PolicySpec, generator: torch.Generator, log_std: float) -> dict[str, Tensor]:
    """FC head, latent centre (zero) and log standard deviation. The last layer starts small."""
    sizes = (spec.feature_size + spec.latent_size, *spec.hidden, spec.action_size)
    fast: dict[str, Tensor] = {}
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        limit = math.sqrt(6.0 / (inputs + outputs)) * (0.1 if i == len(sizes) - 2 else 1.0)
        fast[f"fc{i}.weight"] = (torch.rand(inputs, outputs, generator=generator) * 2 - 1) * limit
        fast[f"fc{i}.bias"] = torch.zeros(outputs)
    fast["latent"] = torch.zeros(spec.latent_size)
    fast["log_std"] = torch.full((spec.action_size,), log_std)
    return fast


def keypoints(spec: PolicySpec, slow: Params, images: Tensor) -> Tensor:
    """Conv layers and spatial softmax: uint8 images (N, h, w, 3) -> keypoint coordinates (N, 2 x channels)."""
    x = images.permute(0, 3, 1, 2).to(slow["temperature"].dtype).div(255.0).sub(PIXEL_MEAN)
    x = x.contiguous(memory_format=torch.channels_last)
    for i, stride in enumerate(spec.strides):
        weight = slow[f"conv{i}.weight"]
        x = F.conv2d(x, weight, slow[f"conv{i}.bias"], stride=stride, padding=weight.shape[-1] // 2)
        if i < len(spec.strides) - 1:
            x = torch.relu(x)
    n, channels, height, width = x.shape
    attention = torch.softmax(x.reshape(n, channels, -1) * (slow["temperature"].exp() * TEMPERATURE_GAIN), dim=-1)
    across = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).repeat(height)
    down = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).repeat_interleave(width)
    return torch.cat([attention @ across, attention @ down], dim=1) * KEYPOINT_GAIN


def encode(spec: PolicySpec, slow: Params, proprio: Tensor, images: Tensor | None) -> Tensor:
    """Normalised proprioception (N, P) and images (N, h, w, 3) -> features (N, F), keypoints first."""
    if spec.kind == "state":
        return proprio
    if images is None:
        raise ObservationError("a vision policy needs an image with every observation; got none")
    return torch.cat([keypoints(spec, slow, images), proprio], dim=1)


def head(fast: Params, features: Tensor, latents: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Gaussian head of T tasks: features (T, N, F), latent draws (T, N, L) -> mean (T, N, A), log_std (T, 1, A).

    `fast` carries a leading task axis. The latent input is the centre `fast["latent"]` plus the draw; None is zero.
    """
    latent = fast["latent"].unsqueeze(1)
    latent = latent.expand(-1, features.shape[1], -1) if latents is None else latent + latents
    x = torch.cat([features, latent], dim=-1)
    layers = sum(1 for name in fast if name.endswith(".weight"))
    for i in range(layers):
        x = torch.baddbmm(fast[f"fc{i}.bias"].unsqueeze(1), x, fast[f"fc{i}.weight"])
        if i < layers - 1:
            x = torch.relu(x)
    return x, fast["log_std"].unsqueeze(1)


def log_prob(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """Gaussian log-density summed over action axes, up to the constant: (..., A) -> (...)."""
    return (-log_std - 0.5 * ((actions - mean) * torch.exp(-log_std)) ** 2).sum(-1)


def expand(fast: Params, tasks: int) -> dict[str, Tensor]:
    """Give every parameter a leading task axis of size `tasks`, sharing storage and gradient."""
    return {name: value.unsqueeze(0).expand(tasks, *value.shape) for name, value in fast.items()}


def mirrored_normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal draws (..., K, L) in mirrored pairs along axis K: pairs halve the gradient's variance."""
    draw = torch.randn(*shape, generator=generator)
    pairs = shape[-2] // 2
    draw[..., 1 : 2 * pairs : 2, :] = -draw[..., 0 : 2 * pairs : 2, :]
    return draw


@dataclass(frozen=True)
class MetaPolicy:
    """A policy with everything adaptation needs: encoder, head, learned step sizes, exploration scale."""

    spec: PolicySpec
    slow: Params
    fast: Params
    step_sizes: Params  # one learned step per adapted scalar (alpha of the paper, as the authors coded it)
    latent_std: float = 1.0  # scale of the latent drawn per episode
    belief: Params = field(default_factory=dict)  # success model and belief over tasks, if fitted
    meta: Mapping[str, str] = field(default_factory=dict)  # provenance: recipe, seed, parent

    def features(
        self, tip: FloatArray, image: ImageArray | None = None, object_position: FloatArray | None = None
    ) -> Tensor:
        """Encode N observations: tip (N, 3) [m], image (N, h, w, 3) or object_position (N, 3) [m] -> (N, F).

        Raises:
            ObservationError: an input is missing, of the wrong shape, or not finite.
        """
        parts = [np.asarray(tip, dtype=np.float64)]
        if self.spec.kind == "state":
            if object_position is None:
                raise ObservationError("a state policy needs the object's position; this source gives only images")
            parts.append(np.asarray(object_position, dtype=np.float64))
        elif image is None:
            raise ObservationError("a vision policy needs an image with every observation; got none")
        elif image.shape[1:] != (self.spec.image_height, self.spec.image_width, 3) or image.dtype != np.uint8:
            raise ObservationError(
                f"policy image is {image.dtype} {image.shape[1:]}; this checkpoint was trained on uint8 "
                f"({self.spec.image_height}, {self.spec.image_width}, 3)"
            )
        proprio = self.normalise(np.concatenate(parts, axis=-1))
        images = None if image is None or self.spec.kind == "state" else torch.from_numpy(np.ascontiguousarray(image))
        with torch.no_grad():
            return encode(self.spec, self.slow, proprio, images)

    def normalise(self, observation: FloatArray) -> Tensor:
        """Raw observation (N, >= P) in SI units -> normalised proprioception (N, P), with the frozen statistics."""
        size = self.spec.proprio_size
        center = np.array(self.spec.observation_center[:size])
        scale = np.array(self.spec.observation_scale[:size])
        scaled = (observation[..., :size] - center) / scale
        if not np.all(np.isfinite(scaled)):
            raise ObservationError(f"observation is not finite: {observation.tolist()}")
        return torch.from_numpy(scaled.astype(np.float32))

    def act(self, features: Tensor, latents: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features (N, F) and latent draws (N, L) or None -> mean and log_std, both (N, A)."""
        with torch.no_grad():
            draws = None if latents is None else latents.unsqueeze(0)
            mean, log_std = head(expand(self.fast, 1), features.unsqueeze(0), draws)
            return mean[0], log_std[0].expand_as(mean[0])

    def draw_latents(self, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
        """Draw the latents of `n` episodes (n, L), mirrored in pairs, scaled by `latent_std`."""
        draw = rng.standard_normal((n, self.spec.latent_size))
        pairs = n // 2
        draw[1 : 2 * pairs : 2] = -draw[0 : 2 * pairs : 2]
        return (draw * self.latent_std).astype(np.float32)

    def with_fast(self, fast: Params, latent_std: float | None = None) -> MetaPolicy:
        """Return the same policy with another head, as after adaptation; None keeps the exploration scale."""
        std = self.latent_std if latent_std is None else latent_std
        return replace(self, fast={k: v.detach().clone() for k, v in fast.items()}, latent_std=std)
