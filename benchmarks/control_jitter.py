"""The 20 Hz loop of the twin while an episode is recorded and two browsers watch, against an empty loop."""

from __future__ import annotations

import multiprocessing as mp
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from gmps_robot_nodes import qos
from playwright.sync_api import Browser
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from benchmarks.browser import log_in
from benchmarks.panel_stack import PanelStack

PERIOD = 0.05  # of the twin's control [s]
LATE = 0.5  # periods; the twin counts a step that comes later than this


def empty_loop(stop: Event, cycles: Synchronized[int], missed: Synchronized[int]) -> None:
    """Sleep from period to period, and count as the twin does; both run at normal priority."""
    begun = time.monotonic()
    while not stop.is_set():
        time.sleep(max(0.0, begun + PERIOD - time.monotonic()))
        now = time.monotonic()
        late = now - begun - PERIOD
        begun = now if late > PERIOD else begun + PERIOD
        cycles.value += 1
        missed.value += int(late > LATE * PERIOD)


class Listener(Node):
    """The twin's own count."""

    def __init__(self, ros: rclpy.Context) -> None:
        super().__init__("bench", context=ros)
        self.missed = -1
        self._executor = SingleThreadedExecutor(context=ros)
        self._executor.add_node(self)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_message, qos.STATE)

    def _on_message(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "twin":
                self.missed = next(int(v.value) for v in status.values if v.key == "deadlines missed")

    def listen(self, seconds: float) -> None:
        """Hear what comes for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.1)


def control_jitter(chromium: Browser, folder: Path, seconds: float) -> dict[str, float]:
    """Run the stack for `seconds`; return counts."""
    context = mp.get_context("spawn")
    stop, cycles, missed = context.Event(), context.Value("l", 0), context.Value("l", 0)
    beside = context.Process(target=empty_loop, args=(stop, cycles, missed))
    with PanelStack(folder, folder / "data") as stack:
        ros = rclpy.Context()
        rclpy.init(context=ros, domain_id=stack.domain)
        listener = Listener(ros)
        try:
            pages = [log_in(chromium.new_context(), *stack.link()) for _ in range(2)]
            pages[0].click("#teach-next:enabled")
            pages[0].click("#record:enabled")
            pages[0].wait_for_function("document.getElementById('teach-headline').textContent === 'Recording'")
            beside.start()
            while cycles.value == 0:
                listener.listen(0.2)
            before, begun = listener.missed, (cycles.value, missed.value)
            listener.listen(seconds)
            late, empty = listener.missed - before, (cycles.value - begun[0], missed.value - begun[1])
            for page in pages:
                page.context.close()
        finally:
            stop.set()
            if beside.pid is not None:
                beside.join(20.0)
            listener.destroy_node()  # type: ignore[no-untyped-call]
            ros.try_shutdown()
    return {
        "twin missed": late, "twin steps": seconds / PERIOD, "empty missed": empty[1], "empty steps": empty[0],
    }  # fmt: skip
