"""Which checkpoints a session can begin from: the shipped ones, and those under the folder of runs.

A name from outside is looked up among these and never becomes part of a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import yaml

from gmps_robot.errors import CheckpointError, nearest
from gmps_robot.panel.schema_archive import CheckpointRow

DEPTH = 4  # folders below the runs that may hold a checkpoint
CONFIG, WEIGHTS = "config.yaml", "weights.safetensors"


def known(runs: Path) -> dict[str, CheckpointRow]:
    """Return name -> checkpoint; a shipped one goes by its name, another by its path below `runs`."""
    shipped = Path(str(files("gmps_robot") / "checkpoints"))
    found = [row for path in sorted(shipped.iterdir()) if (row := _row(path, path.name, shipped=True))]
    trained = ((path, path.relative_to(runs).as_posix()) for path in _folders(runs, DEPTH))
    found += [row for path, name in trained if (row := _row(path, name, shipped=False))]
    return {row.name: row for row in found}


def find(name: str, runs: Path) -> str:
    """Return what the adaptation loads for `name`: itself for a shipped one, else a path.

    Raises:
        CheckpointError: there is none of that name.
    """
    names = known(runs)
    if name not in names:
        raise CheckpointError(f"no checkpoint {name!r}{nearest(name, names)}")
    return name if names[name].shipped else str(runs / name)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    if depth == 0 or not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield path
            yield from _folders(path, depth - 1)


def _row(path: Path, name: str, shipped: bool) -> CheckpointRow | None:
    if not (path / WEIGHTS).is_file() or not (path / CONFIG).is_file():
        return None
    try:
        policy = yaml.safe_load((path / CONFIG).read_text(encoding="utf-8"))["policy"]
        return CheckpointRow(name=name, kind=str(policy["kind"]), family=str(policy["family"]), shipped=shipped)
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError):
        return None  # not one of ours
