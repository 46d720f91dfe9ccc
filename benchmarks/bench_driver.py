"""The link to the arm and the driver's control period at 100 Hz, against the emulated robot.

    python benchmarks/bench_driver.py [--seconds 30] [--json FILE]

`link`: each JointCommand carries a speed that none of the last fifty had; the time until a state that shows this speed
as the commanded one has come back. The wait for the robot's own 100 Hz is in it, 0 to 10 ms: the commands go at 99 Hz
and so meet every phase of it, where at 100 one phase, good or bad, stays all along. `tick`: the driver moves the
arm up and down, 20 requests per second, through the guard; the time from one control period to the next, and how busy
each is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gmps_robot import families
from gmps_robot.control.timing import CycleTimer, Pacer, prefer_this_process
from gmps_robot.sawyer.driver import PERIOD, SawyerArm
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.sawyer.wire import LIMB, Wire
from gmps_robot.types import ArmCommand
from sim.intera_emulator import Emulator

LINK_P50_MS, LINK_P99_MS, TICK_P99_MS = 8.0, 15.0, 12.0
SPEEDS = 50
LINK_PERIOD = PERIOD / 0.99  # [s]
SMALL = 1e-4  # between two speeds of the last joint [rad/s]


def link_latencies(ear: RosNode, wire: Wire, seconds: float) -> list[float]:
    """Return the time from each command to the first state that shows it [s]."""
    sent: dict[int, float] = {}
    latencies: list[float] = []

    def on_state(message: Any, receipt_s: float) -> None:
        speed = round(float(message.commanded_velocity[-1]) / SMALL)
        if speed in sent:
            latencies.append(receipt_s - sent.pop(speed))

    ear.subscribe(f"{LIMB}/gravity_compensation_torques", "intera_core_msgs/SEAJointState", on_state).wait(5.0)
    pacer = Pacer(LINK_PERIOD, time.monotonic, time.sleep)
    for k in range(round(seconds / LINK_PERIOD)):
        pacer.wait()
        speed = k % SPEEDS - SPEEDS // 2
        sent[speed] = time.monotonic()
        wire.move(np.array([0.0] * 6 + [speed * SMALL]))
    return latencies


def drive(arm: SawyerArm, seconds: float) -> CycleTimer:
    """Run the control loop; the arm goes up and down."""
    timer = CycleTimer(PERIOD, time.monotonic)
    pacer = Pacer(PERIOD, time.monotonic, time.sleep)
    for k in range(round(seconds / PERIOD)):
        pacer.wait()
        with timer.cycle():
            now, command = time.monotonic(), None
            if k % 5 == 0:
                velocity = np.array([0.0, 0.0, 0.1 if k // 100 % 2 == 0 else -0.1])
                command = ArmCommand(round(now * 1e9), k + 1, "reset", velocity, -0.5)
            arm.apply(command, now)
    return timer


def run(seconds: float) -> dict[str, Any]:
    """Measure; return plain numbers."""
    preferred = prefer_this_process()
    family = families.family("push")
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(family))
        wire = Wire(stack.enter_context(RosNode("bench_driver", emulator.master_uri)))
        ear = stack.enter_context(RosNode("bench_ear", emulator.master_uri))  # the driver hears that topic itself
        arm = SawyerArm(family, wire)
        arm.enable(True)
        latencies = 1e3 * np.array(link_latencies(ear, wire, seconds))
        arm.enable(False)
        arm.enable(True)
        timing = drive(arm, seconds).report()
    return {
        "seconds": seconds,
        "preferred": preferred,
        "link_ms": {f"p{rank}": float(np.percentile(latencies, rank)) for rank in (50, 99, 100)},
        "link_commands": len(latencies),
        "tick_ms": {"p50": 1e3 * timing.period_p50, "p99": 1e3 * timing.period_p99},
        "busy_ms": {"p50": 1e3 * timing.busy_p50, "p99": 1e3 * timing.busy_p99, "max": 1e3 * timing.busy_max},
        "late_ticks": timing.missed,
        "load_average": os.getloadavg()[0],
    }


def main() -> int:
    """Measure, print and write; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = run(options.seconds)
    link, tick, busy = report["link_ms"], report["tick_ms"], report["busy_ms"]
    met = link["p50"] <= LINK_P50_MS and link["p99"] <= LINK_P99_MS and tick["p99"] <= TICK_P99_MS
    print(f"arm at 100 Hz, {report['seconds']:g} s each (load average {report['load_average']:.1f})")
    print(f"  link  p50 {link['p50']:.1f} ms, p99 {link['p99']:.1f} ms (bars {LINK_P50_MS:g}, {LINK_P99_MS:g})")
    print(f"  tick  p50 {tick['p50']:.1f} ms, p99 {tick['p99']:.1f} ms (bar {TICK_P99_MS:g})")
    print(f"  busy  p50 {busy['p50']:.2f} ms, p99 {busy['p99']:.2f} ms, most {busy['max']:.2f} ms")
    print(f"  bars  {'met' if met else 'NOT met'}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({**report, "met": met}, indent=1), encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
