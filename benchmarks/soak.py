"""The whole stack on the emulated arm for ten minutes: does it keep time, and does anything grow?

    python benchmarks/soak.py [--minutes 10] [--json FILE]

Emulator, driver, adapt node and conductor run one adaptation after the other. A deadline is missed when two control
periods of the driver begin more than 20 ms apart; an empty loop with the same period, deadline and priority runs in the
same minutes and is preempted by the same machine. Memory, threads and open files (sockets are files) of each process
are read every few seconds, and the last quarter of the run is compared with the second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from gmps_robot_nodes import domain, qos
from gmps_robot_nodes.sawyer_control import CONTROL_PRIORITY, DEADLINE
from rclpy.node import Node
from rclpy.utilities import try_shutdown

from gmps_robot.control.timing import CycleTimer, Pacer, run_in_real_time
from gmps_robot.sawyer.driver import PERIOD

SAMPLE = 5.0  # [s]
WARM_UP = 30.0  # [s]
GROWTH_MB = 8.0  # more resident memory than this is growth


def empty_loop(stop: Event, cycles: Synchronized[int], missed: Synchronized[int]) -> None:
    """Sleep from period to period."""
    run_in_real_time(CONTROL_PRIORITY)
    timer, pacer = CycleTimer(PERIOD, time.monotonic, DEADLINE), Pacer(PERIOD, time.monotonic, time.sleep)
    while not stop.is_set():
        pacer.wait()
        with timer.cycle():
            cycles.value, missed.value = timer.cycles, timer.missed


def sizes(root: psutil.Process) -> dict[str, tuple[float, int, int]]:
    """Return memory [MB], threads and open files of every node under `root`."""
    found = {}
    for process in root.children(recursive=True):
        try:
            module = next((w.rpartition(".")[2] for w in process.cmdline() if w.startswith("gmps_robot_nodes.")), "")
            if module:
                found[module] = (process.memory_info().rss / 1e6, process.num_threads(), process.num_fds())
        except psutil.NoSuchProcess:
            continue
    return found


def growth(history: list[tuple[float, int, int]]) -> dict[str, float]:
    """Compare the last quarter of a process's life with its second quarter, by medians."""
    table = np.array(history)
    quarter = max(1, len(table) // 4)
    before, after = np.median(table[quarter : 2 * quarter], axis=0), np.median(table[-quarter:], axis=0)
    names = ("memory_mb", "threads", "files")
    return {name: round(float(b - a), 2) for name, a, b in zip(names, before, after, strict=True)}


class Health(Node):
    """The driver's own figures, from /diagnostics."""

    def __init__(self) -> None:
        super().__init__("soak")
        self.first: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_message, qos.STATE)

    def _on_message(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "sawyer_driver":
                self.last = {value.key: value.value for value in status.values}
                self.first = self.first or self.last

    def counted(self, name: str) -> int:
        """How much a counter has risen since the beginning."""
        return int(self.last.get(name, 0)) - int(self.first.get(name, 0))


def run(minutes: float, folder: Path) -> dict[str, Any]:
    """Soak; return plain numbers."""
    os.environ.update(domain.environment(os.environ, domain.is_free, os.getpid()))
    words = ["robot:=emulator", "goals:=1000", "panel:=false", "film:=false", f"out:={folder}"]
    log = folder / "stack.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "gmps_robot_nodes.bringup", *words]
        stack = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    context = mp.get_context("spawn")
    stop, cycles, missed = context.Event(), context.Value("l", 0), context.Value("l", 0)
    beside = context.Process(target=empty_loop, args=(stop, cycles, missed))
    rclpy.init()
    health, history = Health(), defaultdict(list)
    try:
        _spin_until(health, time.monotonic() + WARM_UP, stack)
        beside.start()
        health.first = {}
        end, due = time.monotonic() + 60.0 * minutes, 0.0
        while (now := time.monotonic()) < end and stack.poll() is None:
            if now >= due:
                due = now + SAMPLE
                for name, size in sizes(psutil.Process(stack.pid)).items():
                    history[name].append(size)
            rclpy.spin_once(health, timeout_sec=0.5)
    finally:
        stop.set()
        stack.send_signal(signal.SIGINT)
        stack.wait(30.0)
        if beside.pid is not None:
            beside.join(20.0)
        health.destroy_node()  # type: ignore[no-untyped-call]
        try_shutdown()
    return {
        "minutes": minutes,
        "periods": health.counted("control periods"),
        "missed": health.counted("control overruns"),
        "empty_loop": {"cycles": cycles.value, "missed": missed.value},
        "guard": health.last.get("guard", "silent"),
        "episodes": log.read_text(errors="replace").count("success, return"),
        "ended_early": stack.returncode not in (0, 130),
        "growth": {name: growth(values) for name, values in history.items()},
        "load_average": os.getloadavg()[0],
    }


def _spin_until(health: Health, end: float, stack: subprocess.Popen[bytes]) -> None:
    while time.monotonic() < end and stack.poll() is None:
        rclpy.spin_once(health, timeout_sec=0.5)


def problems(report: dict[str, Any]) -> list[str]:
    """Return what is not as it should be."""
    empty = report["empty_loop"]
    allowed = empty["missed"] * report["periods"] / max(1, empty["cycles"])
    found = []
    if report["ended_early"] or report["periods"] < 60.0 * report["minutes"] / PERIOD * 0.8:
        found.append(f"the stack did not last: {report['periods']} control periods")
    if report["missed"] > allowed:
        found.append(f"{report['missed']} deadlines missed, the empty loop allows {allowed:.0f}")
    for name, grown in report["growth"].items():
        if grown["memory_mb"] > GROWTH_MB or grown["threads"] > 0 or grown["files"] > 0:
            found.append(f"{name} has grown: {grown}")
    return found


def main() -> int:
    """Soak, print and write; the exit code says whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(options.minutes, Path(folder))
    found, empty = problems(report), report["empty_loop"]
    print(f"{report['minutes']:g} min on the emulated arm (load average {report['load_average']:.1f})")
    print(f"  deadlines of 20 ms  {report['missed']} of {report['periods']} missed; "
          f"empty loop {empty['missed']} of {empty['cycles']}")  # fmt: skip
    for name, grown in report["growth"].items():
        print(f"  {name:20} {grown['memory_mb']:+.1f} MB, {grown['threads']:+g} threads, {grown['files']:+g} files")
    print(f"  {'all well' if not found else 'NOT well: ' + '; '.join(found)}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({**report, "problems": found}, indent=1), encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
