"""Checkpoints: a directory with weights.safetensors, config.yaml and MODEL_CARD.md. Never pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gmps_robot import config
from gmps_robot.checkpoint_files import WEIGHTS
from gmps_robot.checkpoint_files import resolve_checkpoint as resolve_checkpoint
from gmps_robot.errors import CheckpointError
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow

GROUPS = ("slow", "fast", "step_sizes", "belief")


@dataclass(frozen=True)
class CheckpointConfig:
    """What config.yaml of a checkpoint holds."""

    policy: PolicySpec
    latent_std: float
    meta: dict[str, str]


def save_checkpoint(policy: MetaPolicy, directory: Path, card: str = "") -> None:
    """Write `policy` into `directory`; the weights file appears last and at once, so a crash leaves no half of it."""
    directory.mkdir(parents=True, exist_ok=True)
    config.save(CheckpointConfig(policy.spec, policy.latent_std, dict(policy.meta)), directory / "config.yaml")
    (directory / "MODEL_CARD.md").write_text(card or _card(policy), encoding="utf-8")
    tensors = {
        f"{group}.{name}": value.detach().cpu().contiguous()
        for group in GROUPS
        for name, value in getattr(policy, group).items()
    }
    partial = directory / f"{WEIGHTS}.part"
    save_file(tensors, str(partial))
    partial.replace(directory / WEIGHTS)


def load_checkpoint(name_or_path: str | Path, *, family: str | None = None, rig: str | None = None) -> MetaPolicy:
    """Read a checkpoint directory, or a shipped one by name.

    Raises:
        CheckpointError: missing, damaged, not finite, or made for another task family or rig.
    """
    directory = resolve_checkpoint(name_or_path)
    saved = config.load(CheckpointConfig, directory / "config.yaml")
    if family is not None and saved.policy.family != family:
        raise CheckpointError(f"{directory} was trained for the family {saved.policy.family!r}, not {family!r}")
    if rig is not None and saved.policy.rig != rig:
        raise CheckpointError(f"{directory} was trained for the rig {saved.policy.rig!r}, not {rig!r}: recalibrate")
    groups = _read_weights(directory / WEIGHTS)
    _check_shapes(groups, saved.policy, directory)
    slow = {
        k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in groups["slow"].items()
    }
    return MetaPolicy(
        saved.policy, slow, groups["fast"], groups["step_sizes"], saved.latent_std, groups["belief"], saved.meta
    )


def _read_weights(path: Path) -> dict[str, dict[str, Tensor]]:
    try:
        tensors = load_file(str(path))
    except (FileNotFoundError, OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from error
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in GROUPS}
    for full, value in tensors.items():
        group, _, name = full.partition(".")
        if group not in groups:
            raise CheckpointError(f"{path}: unexpected tensor {full!r}; groups are {', '.join(GROUPS)}")
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {full} holds NaN or infinity; the checkpoint is damaged, train it again")
        groups[group][name] = value
    return groups


def _check_shapes(groups: dict[str, dict[str, Tensor]], spec: PolicySpec, directory: Path) -> None:
    generator = torch.Generator()
    fast = init_fast(spec, generator, 0.0)
    wanted = {"slow": init_slow(spec, generator), "fast": fast, "step_sizes": fast}
    for group, params in wanted.items():
        for name, value in params.items():
            got = groups[group].get(name)
            if got is None or got.shape != value.shape:
                found = "nothing" if got is None else tuple(got.shape)
                raise CheckpointError(f"{directory}: {group}.{name} should be {tuple(value.shape)}, found {found}")


def _card(policy: MetaPolicy) -> str:
    lines = [f"# {policy.spec.family} policy ({policy.spec.kind})", "", "Trained in the twin; provenance:", ""]
    lines += [f"- {key}: {value}" for key, value in sorted(policy.meta.items())]
    return "\n".join(lines) + "\n"
