"""Checkpoints as folders: where one is, and the id by which a record names it. Nothing is loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gmps_robot.errors import CheckpointError, nearest

SHIPPED = Path(__file__).with_name("checkpoints")
WEIGHTS = "weights.safetensors"


def resolve_checkpoint(name_or_path: str | Path) -> Path:
    """Return the directory of a checkpoint given by path, or by the name of a shipped one.

    Raises:
        CheckpointError: neither exists.
    """
    for directory in (Path(name_or_path), SHIPPED / str(name_or_path)):
        if (directory / "config.yaml").is_file():
            return directory
    shipped = [p.name for p in SHIPPED.iterdir() if p.is_dir()] if SHIPPED.is_dir() else []
    name = str(name_or_path)
    raise CheckpointError(f"no checkpoint at {name!r} (no config.yaml there){nearest(name, shipped)}")


def checkpoint_id(name_or_path: str | Path) -> str:
    """Return name and content of a checkpoint, as `push-vision@1a2b3c4d5e6f`: the same weights have the same id.

    Raises:
        CheckpointError: there is none, or it has no weights.
    """
    directory = resolve_checkpoint(name_or_path)
    try:
        weights = (directory / WEIGHTS).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the weights {directory / WEIGHTS}: {error}") from error
    return f"{directory.name}@{hashlib.sha256(weights).hexdigest()[:12]}"
