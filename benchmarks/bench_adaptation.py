"""CPU time of one online update from 20 x 50 image transitions: cached features against recomputing them.

    python benchmarks/bench_adaptation.py [--rounds 9] [--json FILE]

Both sides run `adapt_policy` of the shipped recipe; the second encodes the 1000 images again first, as a learner
without the cache must. One process, one thread, interleaved; the unit is process CPU time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from calibrate import gflops

from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.learning.inner import AdaptSettings, adapt_policy
from gmps_robot.policy import MetaPolicy
from gmps_robot.types import ImageArray, Trajectory

EPISODES, STEPS = 20, 50
BAR_MS, BAR_RATIO = 10.0, 20.0


def episodes(policy: MetaPolicy, rng: np.random.Generator) -> tuple[list[Trajectory], ImageArray]:
    """Episodes with random images; every third succeeds."""
    height, width = policy.spec.image_height, policy.spec.image_width
    images = rng.integers(0, 256, (EPISODES, STEPS, height, width, 3), dtype=np.uint8)
    made = []
    for k, latent in enumerate(policy.draw_latents(rng, EPISODES)):
        tips = np.array([0.5, 0.0, 0.025]) + 0.05 * rng.normal(size=(STEPS, 3))
        features = policy.features(tips, images[k])
        mean, log_std = policy.act(features, torch.from_numpy(latent).expand(STEPS, -1))
        actions = mean.numpy() + 0.2 * rng.normal(size=(STEPS, 3)).astype(np.float32)
        rewards = np.zeros(STEPS, dtype=np.float32)
        rewards[-1] = float(k % 3 == 0)
        made.append(
            Trajectory(
                "push-test-s0-0", tips.astype(np.float32), features.numpy(), actions, actions, mean.numpy(),
                log_std.numpy(), latent, rewards, np.arange(STEPS), k % 3 == 0,
            )
        )
    return made, images


def main() -> None:
    """Measure both sides; print and write the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    policy = load_checkpoint("push-vision")
    made, images = episodes(policy, np.random.default_rng(0))
    settings = AdaptSettings()
    cached, recomputed = [], []
    for _ in range(options.rounds + 1):
        started = time.process_time()
        adapt_policy(policy, made, settings)
        middle = time.process_time()
        again = [
            replace(t, features=policy.features(t.tips, images[k]).numpy()) for k, t in enumerate(made)
        ]
        adapt_policy(policy, again, settings)
        cached.append(1e3 * (middle - started))
        recomputed.append(1e3 * (time.process_time() - middle))
    fast, slow = statistics.median(cached[1:]), statistics.median(recomputed[1:])
    result = {
        "cached_cpu_ms": round(fast, 2), "recomputed_cpu_ms": round(slow, 1), "ratio": round(slow / fast, 1),
        "gflops": round(gflops(), 1), "bar_ms": BAR_MS, "bar_ratio": BAR_RATIO,
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
