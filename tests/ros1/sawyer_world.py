"""The driver of the arm on an emulated robot, over the wire, with its control thread and a spy on all that it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from gmps_robot.control.timing import Pacer, prefer_this_process
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.sawyer.wire import LIMB, Wire, connect
from sim.intera_emulator import Emulator
from tests.driven import FAMILY, Driven


class OverTheWire(Driven):
    """Keeps real time in a thread of its own."""

    late = 0.03

    def __init__(self, emulator: Emulator, wire: Wire, spy: RosNode) -> None:
        super().__init__(emulator, SawyerArm(FAMILY, wire), wire, [])
        spy.subscribe(f"{LIMB}/joint_command", "intera_core_msgs/JointCommand", lambda m, t: self.words.append((m, t)))
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._running.set()
        self._thread.start()

    @property
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def end(self) -> None:
        self._running.clear()
        self._thread.join(2.0)

    def connect(self, name: str) -> Wire:
        return connect(name, self.emulator.master_uri, 2.0)

    def published(self) -> set[str]:
        topics = self.wire.node.master.ask("getSystemState")[0]
        return {name for name, nodes in topics if "/driver" in nodes}

    def _run(self) -> None:
        pacer = Pacer(self.arm.period, time.monotonic, time.sleep)
        while self._running.is_set():
            pacer.wait()
            self.tick()


@contextmanager
def driven(**options: Any) -> Iterator[Driven]:
    """An emulated robot, driven."""
    prefer_this_process()  # test machines are shared
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(FAMILY, **options))
        spy = stack.enter_context(RosNode("spy", emulator.master_uri))
        wire = Wire(stack.enter_context(RosNode("driver", emulator.master_uri)))
        made = OverTheWire(emulator, wire, spy)
        stack.callback(made.end)
        yield made
