"""Simulated seconds of the push twin per CPU-second, full state, against Meta-World's push-v3.

    python benchmarks/bench_twin_state.py [--blocks 9] [--json FILE]

Both sides step, observe and compute a dense reward; ours 256 worlds at 20 Hz (10 x 5 ms), the peer one at 80 Hz
(5 x 2.5 ms), each as published. They are processes of one thread and take turns; the unit is process CPU time. The
peer lives in `build/peers/metaworld`, which is made on the first run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twin_speed import WORLDS, Settings, measure, report, summary

BAR = 15.0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    times = measure(False, Settings(options.blocks, {"gmps": 25 * WORLDS, "metaworld": 500}))
    return report(summary("twin_push_state", times, BAR, per_step=False), options.json)


if __name__ == "__main__":
    sys.exit(main())
