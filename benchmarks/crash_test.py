"""kill -9 of the recorder at random points: what is saved stays whole, and of the open episode half a second is lost.

    make crash-test                 100 points, a few minutes
    .venv/bin/python benchmarks/crash_test.py --points 10 --json runs/bench/crash_test.json

A process records short episodes in real time (JPEG of a 640x480 camera at 30 Hz, state at 100 Hz) and says which are
saved; it is killed at a random moment, also in the middle of a save. Then every file is looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from gmps_robot.data import definitions as names
from gmps_robot.data import encode, folder
from gmps_robot.data.check import check
from gmps_robot.data.recorder import Message, Recorder, Rig, Take
from gmps_robot.data.recover import recover
from gmps_robot.errors import EpisodeError
from gmps_robot.families import family

EPISODE = 1.2  # [s]; short, so that many a kill meets a save
LONGEST = 3.0  # a process lives this long at most after its first message [s]
BAR = 0.5  # of the open episode may be lost [s]
JPEG_BYTES = 80_000  # of a noisy 640x480 picture at quality 90


@dataclass(frozen=True)
class Point:
    """What one kill left."""

    after: float  # since the first message [s]
    saved: int  # episodes said to be saved
    damaged: int  # of them, missing or not whole
    halves: int  # files that have the name of a whole episode and are none
    lost: float | None  # of the open episode [s]; None where none was open, or its beginning only


def record(data: Path) -> None:
    """Record until killed; a line per saved episode."""
    push = family("push")
    rig = Rig("push", "twin", "rig", "revision", 20.0, 0.2)
    recorder = Recorder(
        data, rig, "envelope", free=lambda _: 2**40, now_ns=time.time_ns, steady_ns=time.monotonic_ns
    )
    task = push.sample("train", 1, 0)[0].to_json()
    pixels = np.random.default_rng(0).integers(0, 255, JPEG_BYTES, dtype=np.uint8)
    image = encode.encode(names.IMAGE, header=encode.header(0), format="jpeg", data=pixels)
    pose = encode.encode(names.POSE, header=encode.header(0))
    begin = time.monotonic()
    ticks = 0
    episode, began = recorder.start(Take(task, "demo")), begin
    say("recording")
    while True:
        now = time.time_ns()
        for topic in (names.POSE, names.JOINTS, "arm/ee_twist", "arm/wrench"):
            recorder.hear(Message(topic, pose, now, now, ticks))
        if ticks % 10 in (0, 3, 7):
            recorder.hear(Message(names.IMAGE, image, now, now, ticks))
        recorder.tick()
        if time.monotonic() - began > EPISODE:
            recorder.save(episode)
            say(f"saved {episode}")
            episode, began = recorder.start(Take(task, "demo")), time.monotonic()
        ticks += 1
        time.sleep(max(0.0, begin + 0.01 * ticks - time.monotonic()))


def say(line: str) -> None:
    """Write a line at once: what is said was so before."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def kill_once(data: Path, after: float) -> Point:
    """Record into the empty folder `data`, kill `after` [s], and look at what is there."""
    command = [sys.executable, __file__, "--record", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        if process.stdout is None or process.stdout.readline() != "recording\n":
            raise RuntimeError("the recording process did not begin")
        time.sleep(after)
        killed_ns = time.time_ns()
        process.send_signal(signal.SIGKILL)
        said = [line.split()[1] for line in process.stdout]
    return look(data, said, after, killed_ns)


def look(data: Path, said: list[str], after: float, killed_ns: int) -> Point:
    """What is there, and what of it is whole."""
    whole = {path.name.removesuffix(folder.SUFFIX) for path in folder.saved(data) if is_whole(path)}
    halves = len(list(folder.saved(data))) - len(whole)
    lost = None
    for part in list(folder.parts(data)):
        try:
            last_ns = recover(part).summary.last_ns
        except EpisodeError:
            last_ns = 0
        open_for = (killed_ns - part.stat().st_ctime_ns) * 1e-9 if part.exists() else LONGEST
        if last_ns or open_for > BAR:
            lost = (killed_ns - last_ns) * 1e-9
    return Point(after, len(said), len(set(said) - whole), halves, lost)


def is_whole(path: Path) -> bool:
    """Whether `path` is what its name says."""
    try:
        check(path)
    except EpisodeError:
        return False
    return True


def run(points: int, seed: int) -> list[Point]:
    """Kill `points` times."""
    moments = random.Random(seed)
    found = []
    for _ in range(points):
        with tempfile.TemporaryDirectory(prefix="crash-") as place:
            found.append(kill_once(Path(place), moments.uniform(0.05, LONGEST)))
    return found


def report(found: list[Point]) -> bool:
    """Print the table; return whether the bars are met."""
    losses = sorted(point.lost for point in found if point.lost is not None)
    saved, damaged = sum(p.saved for p in found), sum(p.damaged for p in found)
    halves = sum(p.halves for p in found)
    print(f"{'kills':44} {len(found):6}")
    print(f"{'episodes said to be saved':44} {saved:6}")
    print(f"{'... of them missing or damaged':44} {damaged:6}   bar 0")
    print(f"{'half files with the name of a whole one':44} {halves:6}   bar 0")
    print(f"{'open episodes recovered':44} {len(losses):6}")
    if losses:
        print(f"{'... lost of them, median [s]':44} {losses[len(losses) // 2]:6.3f}")
        print(f"{'... lost of them, most [s]':44} {losses[-1]:6.3f}   bar {BAR}")
    return damaged == 0 and halves == 0 and all(loss <= BAR for loss in losses)


def main() -> int:
    """Run with the arguments of this process; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="kill -9 of the recorder at random points")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record is not None:
        record(options.record)
    found = run(options.points, options.seed)
    met = report(found)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([asdict(point) for point in found], indent=1) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
