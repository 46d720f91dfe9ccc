"""Trainings in the catalogue: what ran with which settings, how it ended, what it saved. Curves stay in its folder."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.models import Checkpoint, Run, RunKind, RunState
from gmps_robot.data.revision import revision
from gmps_robot.errors import ConfigError

WEIGHTS = "weights.safetensors"


@contextlib.contextmanager
def written_down(
    catalog: Catalog,
    kind: RunKind,
    name: str,
    path: Path,
    config: Mapping[str, Any],
    seed: int,
    dataset: str = "",
) -> Iterator[Run]:
    """Keep a run in the catalogue: `running` inside, then `done`, `stopped` by a person, or `failed`.

    The run in a folder has one row, also when it was interrupted and goes on. So has the checkpoint it leaves there.
    """
    place = str(path.resolve())
    run = Run(
        id=uuid.uuid5(uuid.NAMESPACE_URL, place).hex, kind=kind, name=name, path=place, config=dict(config), seed=seed,
        revision=revision(), state="running", started_ns=catalog.now_ns(), dataset=dataset or None,
    )  # fmt: skip
    before = catalog.find(Run, run.id)
    catalog.put(run)
    try:
        yield run
    except ConfigError:  # refused, such as a folder that holds another run: that one's row stays as it was
        _end(catalog, run, "failed")
        if before is not None:
            catalog.put(before)
        raise
    except KeyboardInterrupt:
        _end(catalog, run, "stopped")
        raise
    except BaseException:
        _end(catalog, run, "failed")
        raise
    _end(catalog, run, "done")
    if (path / WEIGHTS).is_file():
        catalog.put(checkpoint(path, run.id, catalog.now_ns()))


def checkpoint(directory: Path, run: str | None, now_ns: int, parent: str = "") -> Checkpoint:
    """The row of the checkpoint saved in `directory`; its id is its content."""
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    return Checkpoint(
        id=digest[:32], run=run, parent=parent, path=str(directory.resolve()), sha256=digest, created_ns=now_ns
    )


def _end(catalog: Catalog, run: Run, state: RunState) -> None:
    run.state, run.ended_ns = state, catalog.now_ns()
    catalog.put(run)
