"""Demonstrations on disk: one compressed .npz per task and a manifest that is written last.

A folder without a manifest is unfinished. Each file is written beside its place and moved there, so that a crash
leaves no half file under a final name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gmps_robot.data.demonstrations import FEWEST_TASKS, TaskDemonstrations
from gmps_robot.errors import ConfigError
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from sim.demonstrations import Demonstrations

MANIFEST = "manifest.json"
ARRAYS = ("observations", "labels", "actions", "applied", "tips", "object_poses", "success")


def claim_folder(folder: Path) -> None:
    """Create `folder`.

    Raises:
        ConfigError: it already holds finished demonstrations.
    """
    if (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder} already holds demonstrations: choose another --out, or delete it")
    folder.mkdir(parents=True, exist_ok=True)


def save_demonstrations(
    demonstrations: Demonstrations, folder: Path, settings: Mapping[str, Any], *, keep_failures: bool
) -> dict[str, Any]:
    """Write `demonstrations` to `folder` and return the manifest; failed ones only when `keep_failures`."""
    claim_folder(folder)
    files = []
    for i, task in enumerate(demonstrations.tasks):
        keep = np.ones_like(demonstrations.success[i]) if keep_failures else demonstrations.success[i]
        arrays = {name: getattr(demonstrations, name)[i][keep] for name in ARRAYS}
        if demonstrations.images is not None:
            arrays["images"] = demonstrations.images[i][keep]
        path = folder / f"{task.task_id}.npz"
        part = path.with_suffix(".npz.part")
        with part.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        part.replace(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"file": path.name, "task": task.to_json(), "kept": int(keep.sum()), "sha256": digest})
    manifest = {
        "settings": dict(settings), "collected": int(demonstrations.success.size),
        "kept": sum(int(str(f["kept"])) for f in files), "success": demonstrations.success_rate,
        "samples": demonstrations.steps, "period_s": demonstrations.period, "files": files,
    }  # fmt: skip
    part = folder / (MANIFEST + ".part")
    part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / MANIFEST)
    return manifest


def load_demonstrations(folder: Path) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Yield each task with its arrays, (N, H, ...) as in `Demonstrations`; N differs from task to task.

    Raises:
        ConfigError: the folder is unfinished or not one of demonstrations, or a file is missing or was changed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no {MANIFEST} in {folder}: collecting was not finished") from error
    for entry in manifest["files"]:
        path = folder / str(entry["file"])
        if not path.is_file():
            raise ConfigError(f"{path} is missing although {MANIFEST} lists it")
        if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            raise ConfigError(f"{path} is not the file that {MANIFEST} describes: collect the demonstrations again")
        with np.load(path) as arrays:
            yield Task.from_json(entry["task"]), dict(arrays)


def shown_in(folder: Path, family: Family, kind: str) -> tuple[tuple[TaskDemonstrations, ...], str]:
    """Read a folder for meta-training a policy of `kind`: its tasks, and the id of exactly these demonstrations.

    Raises:
        ConfigError: as in `load_demonstrations`; or they are of another family, of too few tasks, or lack images.
    """
    tasks = []
    for task, arrays in load_demonstrations(folder):
        if task.family != family.name:
            raise ConfigError(f"{folder} demonstrates the family {task.family!r}, the recipe is for {family.name!r}")
        if kind == "vision" and "images" not in arrays:
            raise ConfigError(f"{folder} has no images: collect them with --images, or train a state recipe")
        if len(arrays["labels"]):
            flat = {name: arrays[name].reshape(-1, *arrays[name].shape[2:]) for name in arrays if name != "success"}
            frames = flat["images"] if kind == "vision" else None
            tasks.append(TaskDemonstrations(task, flat["observations"], flat["labels"], frames, len(arrays["labels"])))
    if len(tasks) < FEWEST_TASKS:
        raise ConfigError(f"{folder} demonstrates {len(tasks)} tasks, meta-training needs {FEWEST_TASKS} at least")
    return tuple(tasks), hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:32]
