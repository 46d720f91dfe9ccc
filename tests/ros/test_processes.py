"""The supervisor's children end in an order in which nobody talks to a robot that is gone."""

from __future__ import annotations

import os
import sys
import time

from gmps_robot_nodes.processes import Processes

CHILD = """
import signal, sys, time
def end(*_):
    print("asked", time.monotonic(), flush=True)
    time.sleep(float(sys.argv[1]))
    print("ended", time.monotonic(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_was_started_first_ends_when_the_others_have() -> None:
    said: dict[str, dict[str, float]] = {"robot": {}, "policy": {}, "panel": {}}

    def note(name: str, line: str) -> None:
        word, _, when = line.partition(" ")
        said[name][word] = float(when or 0.0)

    processes = Processes(note)
    processes.start({name: [sys.executable, "-c", CHILD, "0.3"] for name in said}, os.environ)
    end = time.monotonic() + 20.0
    while not all("ready" in words for words in said.values()):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert processes.ended() is None
    processes.end()
    assert said["robot"]["asked"] >= max(said["policy"]["ended"], said["panel"]["ended"])
    assert abs(said["policy"]["asked"] - said["panel"]["asked"]) < 0.25  # these two at the same time


def test_ending_before_anything_has_started_is_nothing() -> None:
    lines: list[str] = []
    processes = Processes(lambda _name, line: lines.append(line))
    processes.end()
    assert processes.ended() is None
    assert lines == []
