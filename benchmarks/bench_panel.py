"""The panel in a real browser: key to command, camera to screen, and what two browsers cost the control loop.

    python benchmarks/bench_panel.py [--seconds 20] [--json FILE]

Key and camera: the panel runs in a process of its own with a bridge that only notes times; the browser is headless. A
key's time is when the browser had the event, a command's when the panel hands it to the robot's side; a picture's time
is when it is published, and then when it is on the canvas. Both clocks are the machine's.

Control loop: the twin in real time, adapt node, panel and recorder are the processes of the real stack; an episode is
being recorded while two pages watch. The twin counts its steps that come more than half a period late; an empty loop of
the same period, in the same seconds, counts its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from playwright.sync_api import Browser, Page

from benchmarks.browser import LAPTOP, browser, log_in, take_the_arm
from benchmarks.control_jitter import control_jitter
from gmps_robot.panel.app import create_app
from gmps_robot.panel.auth import Door, Person
from gmps_robot.panel.bridge import Frame
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import PanelSettings

KEYS = 100
RATE, SIZE = 30, (480, 640)
BARS = {"key p50": 5.0, "key p95": 15.0, "picture p50": 20.0, "shown": 28.0}  # [ms], [pictures/s]
EVENTS = """
window.downs = []; window.shown = [];
addEventListener('keydown', (e) => { if (!e.repeat) downs.push(performance.timeOrigin + e.timeStamp); }, true);
document.getElementById('camera').addEventListener('drawn', (e) =>
  shown.push([Number(e.detail.stamp / 1000n) / 1e3, performance.timeOrigin + performance.now()]));
"""


class TimedBridge(FakeBridge):
    """A robot that is not there: notes when motion began, and shows noise 30 times per second."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[float] = []  # [ms], wall clock
        self._moves = False
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 255, (8, *(n // 8 for n in SIZE), 3), dtype=np.uint8)
        pictures = [np.kron(one, np.ones((8, 8, 1), np.uint8)) for one in coarse]
        self._jpegs = [simplejpeg.encode_jpeg(picture, quality=85) for picture in pictures]

    def teleop(self, velocity: tuple[float, float, float], gripper: float, lease_id: str) -> None:
        """Note when motion begins."""
        moves = any(velocity)
        if moves and not self._moves:
            self.began.append(time.time() * 1e3)
        self._moves = moves
        super().teleop(velocity, gripper, lease_id)

    def frame(self) -> Frame:
        """Return the picture of this thirtieth of a second, stamped with its begin."""
        number = int(time.time() * RATE)
        if self._frame is None or self._frame.seq != number:
            self._frame = Frame(number, time.time_ns(), self._jpegs[number % len(self._jpegs)])
        return self._frame


def serve(pipe: Connection, folder: str) -> None:
    """Serve a panel until told to end; answer with the times."""
    bridge, settings = TimedBridge(), PanelSettings(port=0)
    door = Door(time.monotonic)
    panel = Panel.of(bridge, DemoArchive(Path(folder), bridge), settings, door)
    with PanelServer(create_app(panel), settings) as server:
        pipe.send((server.url, door.issue("link", Person("bench", "operator"))))
        pipe.recv()
        pipe.send(bridge.began)


def measure_page(chromium: Browser, folder: str, seconds: float) -> dict[str, Any]:
    """Press keys and watch pictures; return times [ms]."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, folder))
    process.start()
    url, token = here.recv()
    page = log_in(chromium.new_context(viewport={"width": LAPTOP[0], "height": LAPTOP[1]}), url, token)
    try:
        page.wait_for_function("Number(document.getElementById('camera').dataset.seq) > 0")
        page.evaluate(EVENTS)
        take_the_arm(page)
        shown = watch(page, seconds)
        press(page)
        downs = page.evaluate("downs")
        here.send("end")
        began = here.recv()
    finally:
        page.context.close()
        process.join(10.0)
        process.kill()
    if len(began) != len(downs):
        raise RuntimeError(f"{len(downs)} keys went down and {len(began)} motions began: the page lost or made some")
    keys = np.array(began) - np.array(downs)
    pictures = np.array([drawn - stamp for stamp, drawn in shown])
    return {"key": keys.tolist(), "picture": pictures.tolist(), "shown": len(shown) / seconds}


def watch(page: Page, seconds: float) -> list[list[float]]:
    """Return (published, drawn) of the pictures of some seconds."""
    page.wait_for_timeout(2000)
    page.evaluate("shown.length = 0")
    page.wait_for_timeout(1000 * seconds)
    shown: list[list[float]] = page.evaluate("shown")
    return shown


def press(page: Page) -> None:
    """Press and let go, at times that have nothing to do with the page's own."""
    rng = np.random.default_rng(1)
    for _ in range(KEYS):
        page.keyboard.down("w")
        page.wait_for_timeout(60 + 60 * rng.random())
        page.keyboard.up("w")
        page.wait_for_timeout(60 + 60 * rng.random())


def summary(page: dict[str, Any], loop: dict[str, Any]) -> dict[str, float]:
    """Return the figures of the table."""
    key, picture = np.percentile(page["key"], [50, 95]), np.percentile(page["picture"], [50, 95])
    return {
        "key p50": float(key[0]), "key p95": float(key[1]), "picture p50": float(picture[0]),
        "picture p95": float(picture[1]), "shown": page["shown"], **loop,
    }


def problems(figures: dict[str, float]) -> list[str]:
    """Return which bars were missed."""
    missed = [name for name, bar in BARS.items() if (figures[name] < bar if name == "shown" else figures[name] > bar)]
    if figures["twin missed"] > figures["empty missed"]:
        missed.append("twin missed")
    return missed


def main() -> int:
    """Measure, print, write; the exit code says whether every bar was met."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        page = measure_page(chromium, folder, options.seconds)
        figures = summary(page, control_jitter(chromium, Path(folder), options.seconds))
    missed = problems(figures)
    print(f"the panel in a browser (load average {os.getloadavg()[0]:.1f})")
    print(f"  key down to command     {figures['key p50']:6.1f} ms, p95 {figures['key p95']:.1f} ms   (bars 5, 15)")
    print(f"  published to drawn      {figures['picture p50']:6.1f} ms, p95 {figures['picture p95']:.1f} ms   (bar 20)")
    print(f"  pictures shown          {figures['shown']:6.1f} per second of {RATE}   (bar 28)")
    print(f"  20 Hz loop, late steps  {figures['twin missed']:6.0f} of {figures['twin steps']:.0f}; "
          f"empty loop {figures['empty missed']:.0f} of {figures['empty steps']:.0f}")  # fmt: skip
    print(f"  {'all bars met' if not missed else 'MISSED: ' + ', '.join(missed)}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({**figures, "missed": missed}, indent=1), encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
