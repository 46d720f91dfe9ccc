"""A training batch out of the cache: 256 random frames of many episodes, at the policy's size and at 84x84.

    .venv/bin/python benchmarks/bench_cache.py [--json FILE]

Bar: 5 ms at the median. Episodes are noise, which no JPEG makes smaller; the files have just been written, so what is
measured is reading through the page cache, as in the second pass of any training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from gmps_robot.data.cache import Cache, Derived, Frames

BATCH, ROUNDS, BAR = 256, 200, 5.0
EPISODES, STEPS = 300, 100


def measure(folder: Path, size: tuple[int, int]) -> dict[str, float]:
    """Milliseconds per batch: median and 95th percentile."""
    rng = np.random.default_rng(0)
    width, height = size
    cache = Cache(folder, size)
    cache.folder.mkdir(parents=True)
    episodes: list[Derived] = []
    for k in range(EPISODES):
        zeros = {name: np.zeros((STEPS, n), np.float32) for name, n in WIDTHS.items()}
        np.savez(cache.folder / f"{k}.npz", **zeros, stamps_ns=np.zeros(STEPS, np.int64))
        np.save(cache.folder / f"{k}.npy", rng.integers(0, 256, (STEPS, height, width, 3), np.uint8))
        episodes.append(cache.get(folder / "not needed", str(k)))
    frames, taken = Frames(episodes), []
    for _ in range(ROUNDS):
        rows = rng.integers(len(frames), size=BATCH)
        started = time.perf_counter()
        frames.batch(rows)
        taken.append(1000 * (time.perf_counter() - started))
    return {"median_ms": float(np.median(taken)), "p95_ms": float(np.quantile(taken, 0.95))}


WIDTHS = {"tips": 3, "joints": 7, "objects": 7, "commanded": 4, "applied": 4}


def main() -> int:
    """Measure and print; the exit code says whether the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    report = {}
    for size in ((64, 48), (84, 84)):
        with tempfile.TemporaryDirectory() as name:
            report[f"{size[0]}x{size[1]}"] = measure(Path(name), size)
    for size, numbers in report.items():
        print(f"{BATCH} frames {size} of {EPISODES} episodes: median {numbers['median_ms']:.2f} ms, "
              f"p95 {numbers['p95_ms']:.2f} ms (bar {BAR:.0f} ms)")  # fmt: skip
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"batch": BATCH, "episodes": EPISODES, **report}, indent=1) + "\n")
    return 0 if all(numbers["median_ms"] <= BAR for numbers in report.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
