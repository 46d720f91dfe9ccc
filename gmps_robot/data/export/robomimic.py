"""robomimic's HDF5: one group per episode. Layout read in robomimic 0.3 (docs/datasets/overview, utils/dataset.py).

Frames are compressed without loss, so what is read back is what the policy was taught from, to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from gmps_robot.data.export.chosen import Exported
from gmps_robot.errors import ConfigError

GYM = 2  # robomimic's number of environments that are not its own
IMAGE = "agentview_image"  # robomimic takes a name that ends in `image` for one
VALIDATION = 10  # every tenth episode


def write(path: Path, episodes: Iterable[Exported], family: str) -> int:
    """Write `episodes` to the new file `path`; returns how many.

    Raises:
        ConfigError: the file is there already.
    """
    if path.exists():
        raise ConfigError(f"{path} is there already: choose another place, or delete it")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w") as file:
        data = file.create_group("data")
        masks: dict[str, list[str]] = {"train": [], "valid": [], "success": []}
        total = 0
        for k, episode in enumerate(episodes):
            name = f"demo_{k}"
            _episode(data.create_group(name), episode)
            masks["valid" if k % VALIDATION == VALIDATION - 1 else "train"].append(name)
            if episode.success:
                masks["success"].append(name)
            total += len(episode.derived)
        data.attrs["total"] = total
        data.attrs["env_args"] = json.dumps({"env_name": f"gmps_{family}", "type": GYM, "env_kwargs": {}})
        for key, names in masks.items():
            file.create_dataset(f"mask/{key}", data=np.array(names, dtype="S"))
    part.replace(path)
    return sum(len(masks[key]) for key in ("train", "valid"))


def observations(episode: Exported) -> dict[str, NDArray[Any]]:
    """What an episode shows, by robomimic's names: (T, ...) each. What nobody measured is left out."""
    derived = episode.derived
    shown: dict[str, NDArray[Any]] = {"robot0_eef_pos": derived.tips}
    if derived.joints.shape[1]:
        shown["robot0_joint_pos"] = derived.joints
    if len(derived.objects):
        shown["object"] = derived.objects
    if len(derived.frames):
        shown[IMAGE] = derived.frames
    return shown


def _episode(group: Any, episode: Exported) -> None:
    derived, steps = episode.derived, len(episode.derived)
    group.attrs["num_samples"] = steps
    for key, value in _origin(episode).items():
        group.attrs[key] = value
    dones = np.zeros(steps, dtype=np.int64)
    dones[-1] = 1
    group.create_dataset("actions", data=derived.commanded)
    group.create_dataset("applied_actions", data=derived.applied)
    group.create_dataset("rewards", data=episode.rewards)
    group.create_dataset("dones", data=dones)
    group.create_dataset("states", data=derived.objects if len(derived.objects) else derived.tips)
    group.create_dataset("stamps_ns", data=derived.stamps_ns)
    for key, values in observations(episode).items():
        how = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "shuffle": True} if key == IMAGE else {}
        group.create_dataset(f"obs/{key}", data=values, **how)
        following = np.concatenate([values[1:], values[-1:]])
        group.create_dataset(f"next_obs/{key}", data=following, **how)


def _origin(episode: Exported) -> Mapping[str, str]:
    row = episode.row
    return {
        "episode": row.id, "task": row.task, "instruction": episode.sentence, "source": row.source, "mode": row.mode,
        "operator": row.operator, "rig": row.rig, "revision": row.revision,
    }  # fmt: skip
