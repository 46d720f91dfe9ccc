"""The link to the arm: what a joint command costs, and how long it travels to a rospy node and back.

    python benchmarks/bench_link.py [--seconds 20] [--json FILE]

Needs rospy on the system (Debian: python3-rospy, python3-rosmaster). A rospy node sends every command back at once; the
round trip is two ways through both clients, from `publish` to our callback. The period is what our own 100 Hz loop had.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from gmps_robot.sawyer import messages
from tests.ros1.ros1_world import ROSPY, ros1

PERIOD = 0.01  # [s]
JOINTS = "intera_core_msgs/JointCommand"
NAMES = [f"right_j{number}" for number in range(7)]


def command(label: str) -> Any:
    """Return a velocity command of the arm whose header carries `label`; rospy numbers its own messages in `seq`."""
    made = messages.make(JOINTS, mode=2, names=NAMES, velocity=np.full(7, 0.1))
    made.header.frame_id = label
    return made


def costs(repeats: int = 20_000) -> dict[str, float]:
    """Return the time of building, writing and reading a command, and its size."""
    codec, made = messages.codec(JOINTS), command("base")
    data = codec.encode(made)
    times = {
        "build_us": timeit.timeit(lambda: command("base"), number=repeats // 10) / (repeats // 10),
        "serialise_us": timeit.timeit(lambda: codec.encode(made), number=repeats) / repeats,
        "parse_us": timeit.timeit(lambda: codec.decode(data), number=repeats) / repeats,
    }
    return {**{name: 1e6 * value for name, value in times.items()}, "bytes": len(data)}


def round_trips(seconds: float) -> dict[str, float]:
    """Return percentiles of the round trip and of our own period at 100 Hz, in ms, and how many came back."""
    sent: dict[str, float] = {}
    trips: list[float] = []
    with ros1() as world, world.node("bench") as node:
        peer = world.peer("echo")
        peer.echo("/there", "/back", JOINTS)

        def back(message: Any, receipt_s: float) -> None:
            trips.append(receipt_s - sent[message.header.frame_id])

        node.subscribe("/back", JOINTS, back)
        publisher = node.advertise("/there", JOINTS)
        publisher.wait_for_subscribers(10.0)
        time.sleep(0.5)  # until the way back is connected too
        due, starts = time.monotonic(), []
        for number in range(int(seconds / PERIOD)):
            time.sleep(max(0.0, due - time.monotonic()))
            label = str(number)
            made = command(label)
            starts.append(time.monotonic())
            sent[label] = starts[-1]
            publisher.publish(made)
            due += PERIOD
        time.sleep(0.5)
    result = {"sent": len(starts), "came_back": len(trips)}
    for name, values in (("round_trip_ms", np.array(trips)), ("period_ms", np.diff(starts))):
        result |= {f"{name}_p{q}": float(np.percentile(1e3 * values, q)) for q in (50, 99)}
        result |= {f"{name}_max": float(1e3 * values.max())}
    return result


def main() -> int:
    """Print the figures; returns 1 where there is no rospy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"joint_command": costs()}
    if ROSPY:
        result["link_100_hz"] = round_trips(options.seconds)
    else:
        print("link at 100 Hz: not available, no rospy on this system")
    for part, figures in result.items():
        print(part + ": " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
