"""Control step plus 84x84 image of the push twin per CPU-second, against Meta-World's push-v3.

    python benchmarks/bench_twin_pixels.py [--blocks 7] [--json FILE]

A step of ours is 50 ms, of the peer 12.5 ms; `simulated_s_per_cpu_s` tells that ratio too. The pictures differ: the
peer draws meshes, textures and shadows by OpenGL on the CPU, ours shaded primitives by casting rays. Processes of one
thread take turns (Mesa's too); the unit is process CPU time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twin_speed import WORLDS, Settings, measure, report, summary

BAR = 200.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    times = measure(True, Settings(options.blocks, {"gmps": 10 * WORLDS, "metaworld": 8}))
    return report(summary("twin_push_pixels_84", times, BAR, per_step=True), options.json)


if __name__ == "__main__":
    sys.exit(main())
