"""How fast this core multiplies matrices: the yardstick beside every CPU time in `benchmarks/`.

    python benchmarks/calibrate.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch


def gflops(size: int = 256, repeats: int = 9, seconds: float = 0.05) -> float:
    """Return fp32 GFLOP per CPU-second of one thread on `size`^3 products: the median of `repeats` blocks."""
    torch.set_num_threads(1)
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    count, took = 1, 0.0
    while took < seconds:  # grow the block until the clock can see it
        count *= 2
        took = _cpu_seconds(a, b, out, count)
    rates = sorted(2e-9 * size**3 * count / _cpu_seconds(a, b, out, count) for _ in range(repeats))
    return rates[repeats // 2]


def _cpu_seconds(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        torch.mm(a, b, out=out)
    return time.process_time() - started


def main() -> None:
    """Print the calibration, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {f"gflops_{size}": round(gflops(size), 1) for size in (128, 256, 1024)}
    print(json.dumps(result))
    if options.json:
        options.json.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
