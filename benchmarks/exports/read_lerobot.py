"""Read a data set with lerobot's own loader; runs in lerobot's environment. Prints digests as JSON.

    python read_lerobot.py FOLDER
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch

# torchvision's published wheel is built for CUDA; lerobot imports it and uses none of its operators here.
LIBRARY = torch.library.Library("torchvision", "DEF")
for OPERATOR in ("nms", "qnms"):
    LIBRARY.define(f"{OPERATOR}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from digests import digests  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402


def main() -> None:
    """Read every frame through the decoder that lerobot chooses."""
    folder = Path(sys.argv[1])
    data = LeRobotDataset("local/export", root=folder)
    episodes: list[dict[str, list[np.ndarray]]] = [
        {"frames": [], "actions": [], "rewards": []} for _ in range(data.num_episodes)
    ]
    for k in range(len(data)):
        step = data[k]
        episode = episodes[int(step["episode_index"])]
        image = step["observation.images.policy"].numpy().transpose(1, 2, 0)  # in [0, 1]
        episode["frames"].append(np.round(image * 255.0).astype(np.uint8))
        episode["actions"].append(step["action"].numpy())
        episode["rewards"].append(step["next.reward"].numpy())
    arrays = [{key: np.stack(values) for key, values in episode.items()} for episode in episodes]
    print(json.dumps({"version": importlib.metadata.version("lerobot"), "episodes": digests(arrays)}))


if __name__ == "__main__":
    main()
