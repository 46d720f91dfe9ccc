"""Read a data set with robomimic's own loader; runs in robomimic's environment. Prints digests as JSON.

    python read_robomimic.py FILE.hdf5
"""

from __future__ import annotations

import importlib.metadata
import json
import sys

import numpy as np
import torch

# torchvision's published wheel is built for CUDA; robomimic imports it and uses none of its operators here.
LIBRARY = torch.library.Library("torchvision", "DEF")
for OPERATOR in ("nms", "qnms"):
    LIBRARY.define(f"{OPERATOR}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from digests import digests  # noqa: E402
from robomimic.utils import file_utils, obs_utils  # noqa: E402
from robomimic.utils.dataset import SequenceDataset  # noqa: E402


def main() -> None:
    """Read everything, episode by episode, with next observations and the environment's description."""
    path = sys.argv[1]
    obs_utils.initialize_obs_utils_with_obs_specs(
        {"obs": {"low_dim": ["robot0_eef_pos", "robot0_joint_pos", "object"], "rgb": ["agentview_image"]}}
    )
    file_utils.get_env_metadata_from_dataset(path)
    data = SequenceDataset(
        hdf5_path=path, obs_keys=("robot0_eef_pos", "robot0_joint_pos", "object", "agentview_image"),
        dataset_keys=("actions", "rewards", "dones"), load_next_obs=True, frame_stack=1, seq_length=1,
        pad_frame_stack=True, pad_seq_length=True, get_pad_mask=False, goal_mode=None, hdf5_cache_mode=None,
        hdf5_use_swmr=False, hdf5_normalize_obs=False, filter_by_attribute=None,
    )  # fmt: skip
    episodes: list[dict[str, list[np.ndarray]]] = []
    for k in range(len(data)):
        step = data[k]
        if k in data._demo_id_to_start_indices.values():
            episodes.append({"frames": [], "actions": [], "rewards": []})
        image = np.asarray(step["obs"]["agentview_image"][0])  # uint8 as stored; obs_utils scales it for networks
        episodes[-1]["frames"].append(image)
        episodes[-1]["actions"].append(step["actions"][0].astype(np.float32))
        episodes[-1]["rewards"].append(np.float32(step["rewards"][0]))
    arrays = [{key: np.stack(values) for key, values in episode.items()} for episode in episodes]
    print(json.dumps({"version": importlib.metadata.version("robomimic"), "episodes": digests(arrays)}))


if __name__ == "__main__":
    main()
