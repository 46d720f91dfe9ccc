"""The recorder node beside a camera of 640x480 at 30 Hz and an arm at 100 Hz: what it misses and what it costs.

    .venv/bin/python benchmarks/bench_recorder.py [--seconds 20] [--json FILE]     the bar is that of --seconds 600

A second process publishes JPEG pictures (80 kB, as of a noisy scene at quality 90) and the arm's four state topics. CPU
time is the recorder's own, start-up left out. Bars: nothing missing, 15 % of one core, saved within 5 s however long.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from gmps_msgs.msg import RecorderStatus
from gmps_msgs.srv import RecorderSave, RecorderStart
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.arm_topics import ArmTopics
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from gmps_robot.data import definitions as names
from gmps_robot.data import folder
from gmps_robot.data.check import check
from gmps_robot.families import family
from gmps_robot.types import ArmState
from tests.ros.conftest import Graph

ARM, CAMERA = 100.0, 30.0  # [1/s]
JPEG_BYTES = 80_000
MOST_CPU = 0.15  # of one core
MOST_SAVE = 5.0  # from the request to save to its answer [s]
STATE = (names.JOINTS, names.POSE, "arm/ee_twist", "arm/wrench")


def publish(seconds: float) -> None:
    """Be the arm and its camera for `seconds`, then say what was sent."""
    import rclpy

    rclpy.init()
    node = Node("rig")
    arm = ArmTopics(node, "envelope")
    camera = node.create_publisher(CompressedImage, names.IMAGE, qos.STATE)
    jpeg = np.random.default_rng(0).integers(0, 255, JPEG_BYTES, dtype=np.uint8).tobytes()
    while camera.get_subscription_count() == 0 or node.count_subscribers("arm/wrench") == 0:
        time.sleep(0.05)
    time.sleep(1.0)
    begin, pictures, states = time.monotonic(), 0, 0
    while (now := time.monotonic() - begin) < seconds:
        stamp = time.time_ns()
        if now * CAMERA >= pictures:
            camera.publish(conversions.jpeg_message(jpeg, stamp))
            pictures += 1
        if now * ARM >= states:
            state = ArmState(stamp, np.zeros(7), np.zeros(7), np.zeros(3), np.zeros(4), np.zeros(3), np.zeros(6), 0.0)
            arm.publish_state(state, stamp)
            states += 1
        due = min(pictures / CAMERA, states / ARM) - (time.monotonic() - begin)
        time.sleep(max(0.0, due))
    time.sleep(1.0)  # for the last to arrive
    print(json.dumps({"pictures": pictures, "states": states}), flush=True)
    rclpy.shutdown()


def measure(seconds: float, place: Path) -> dict[str, float]:
    """Record for `seconds` and return what was sent, kept, missed and spent."""
    graph = Graph(place)
    graph.environment["GMPS_DATA"] = str(place / "data")
    try:
        recorder = psutil.Process(graph.start("recorder").pid)
        status = graph.listen(RecorderStatus, "recorder/status", qos.STATUS)
        graph.until(lambda: status)
        task = family("push").sample("train", 1, 0)[0].to_json()
        request = RecorderStart.Request(task=task, source="demo", operator_name="bench")
        episode = graph.call(RecorderStart, "recorder/start", request).episode
        rig = subprocess.Popen(
            [sys.executable, __file__, "--publish", str(seconds)], env=graph.environment, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        graph.until(lambda: status[-1].bytes > 0)
        spent, begin = cpu(recorder), time.monotonic()
        sent, _ = rig.communicate(timeout=seconds + 60)
        share = (cpu(recorder) - spent) / (time.monotonic() - begin)
        save = graph.probe.create_client(RecorderSave, "recorder/save")
        graph.until(save.service_is_ready)
        begin = time.monotonic()
        graph.result(save.call_async(RecorderSave.Request(episode=episode)), 60.0 + seconds)
        saved_in = time.monotonic() - begin
        kept = check(folder.find(place / "data", episode))
        reported = graph.until(lambda: status[-1].state == "idle" and status[-1]).dropped
    finally:
        graph.close()
    told = json.loads(sent)
    missing = told["pictures"] - kept.messages[names.IMAGE] + sum(told["states"] - kept.messages[t] for t in STATE)
    return {
        "seconds": seconds, **told, "missing": missing, "reported_missing": int(reported), "cpu_share": round(share, 4),
        "save_s": round(saved_in, 2),
        "file_mb": round(kept.bytes / 1e6, 1), "largest_chunk": kept.largest_chunk,
    }  # fmt: skip


def cpu(process: psutil.Process) -> float:
    """Processor time so far [s]."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> int:
    """Run with the arguments of this process; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="the recorder beside a camera and an arm")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish is not None:
        publish(options.publish)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-recorder-") as place:
        figures = measure(options.seconds, Path(place))
    for name, value in figures.items():
        print(f"{name:20} {value}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    kept = figures["missing"] == 0 and figures["cpu_share"] <= MOST_CPU and figures["save_s"] <= MOST_SAVE
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
