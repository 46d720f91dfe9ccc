"""The stack that faults are put into: emulated arm, the real driver node, a policy process, and a witness of it all."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from gmps_msgs.msg import GuardStatus
from gmps_robot_nodes import domain, qos
from gmps_robot_nodes.activation import Activation
from gmps_robot_nodes.processes import sweep_shared_memory
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from benchmarks.faults.stop import Figures, MissedError, NotReadyError
from gmps_robot import families
from gmps_robot.types import FloatArray
from sim.intera_emulator import Emulator

SILENT = 0.005  # a tip slower than this is at rest [m/s]
LATELY = 0.05  # of the trace, where only the last point counts [s]
FAST = 0.16  # a tip faster than this is in the middle of a sweep [m/s]
ASK_AGAIN = 8.0  # [s]
QUIET = 0.15  # at rest means slower than SILENT for this long [s]
REMEMBERED = 1.0  # for which the guard counts late control periods [s]
POLICY = Path(__file__).with_name("policy.py")
STOPPED = {"HOLD", "FAULT", "ESTOP"}
AT_REST = {"HOLD", "ARMED"}  # a HOLD ends when the tip rests, and the one before the last status may be missed
LATE = ("overrun:", "early:")  # what the guard says when the driver is not run in time
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Rig:
    """One emulated arm with its driver. `seed` is of the arm's noise. Times are on the monotonic clock [s]."""

    def __init__(self, seed: int = 0) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gmps-faults-")
        self.domain = domain.first_free(random.sample(range(1, 102), 20), domain.is_free)
        os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(domain.PROFILE))
        self.environment = domain.environment({**os.environ, "ROS_DOMAIN_ID": str(self.domain)}, domain.is_free, 0)
        self.data = Path(self._folder.name) / "data"
        self.environment["GMPS_DATA"] = str(self.data)
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.node = Node("witness", context=self._context)
        self.statuses: list[tuple[float, GuardStatus]] = []
        self.began = 0.0  # since when what happens decides the figures [s]
        self.node.create_subscription(GuardStatus, "arm/guard_status", self._on_status, qos.STATUS)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._spinner = threading.Thread(target=self._executor.spin, daemon=True)
        self._spinner.start()
        self._clients: dict[str, Any] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.emulator = Emulator(families.family("push"), seed=seed)
        try:
            self.start_driver()
            self.start_policy()
        except BaseException:
            self.close()
            raise

    def start_driver(self) -> None:
        """Start the driver and bring it up."""
        self._start("sawyer_driver", [
            "-m", "gmps_robot_nodes.sawyer_driver_node", "--ros-args", "-r", "__node:=sawyer_driver",
            "-p", f"master_uri:={self.emulator.master_uri}",
        ])  # fmt: skip
        activation = Activation(self.node, "sawyer_driver")
        self.until(lambda: activation.ready, "the driver offers no lifecycle", 60.0)
        activation.bring_up(self._ask)

    def start_policy(self, name: str = "policy") -> None:
        """Start a policy process."""
        self._start(name, [str(POLICY), name], stdin=subprocess.PIPE)

    def start_panel(self, token: str) -> None:
        """Start the panel on a free port, with `token` for the administrator and a catalogue of its own."""
        own = {"GMPS_PANEL_TOKEN": token, "GMPS_DATA": str(Path(self._folder.name) / "panel")}
        parameters = ["-p", "panel_port:=0", "-p", "robot:=emulator"]
        self._start("panel", ["-m", "gmps_robot_nodes.panel_node", "--ros-args", "-r", "__node:=panel", *parameters],
                    env=self.environment | own)

    def start_recorder(self) -> int:
        """Start a recorder process; return its id."""
        self._start("recorder", ["-m", "gmps_robot_nodes.recorder_node", "--ros-args", "-p", "robot:=emulator"])
        return self.processes["recorder"].pid

    def tell(self, order: str, name: str = "policy") -> float:
        """Give the policy process an order; return when."""
        stdin = self.processes[name].stdin
        assert stdin is not None
        stdin.write(json.dumps({"do": order}).encode() + b"\n")
        stdin.flush()
        return time.monotonic()

    def kill(self, name: str, sent: signal.Signals = signal.SIGKILL) -> float:
        """Send a signal to a process; return when."""
        self.processes[name].send_signal(sent)
        if sent == signal.SIGKILL:
            self.processes.pop(name).wait()
        return time.monotonic()

    def dismiss(self, name: str) -> None:
        """Let a policy process end in good order."""
        self.tell("end", name)
        self.processes.pop(name).wait(20.0)

    def sweep(self) -> None:
        """Arm and sweep; returns in the middle of a sweep at full speed.

        Raises:
            NotReadyError: the arm does not get there.
        """
        try:
            self.recover()
            self.tell("sweep")
            self.until(self.in_full_sweep, "the tip does not sweep", 20.0)
        except MissedError as problem:
            raise NotReadyError(str(problem)) from problem
        self.begin()

    def begin(self) -> None:
        """From now on what happens decides the figures; the guard still counts the late periods of the last second."""
        self.began = time.monotonic() - REMEMBERED

    def recover(self) -> None:
        """Bring the arm back to armed and to rest, whatever it is in, two acts of a person where two are needed."""
        self.tell("still")
        if self.mode in ("FAULT", "ESTOP"):
            self.until(lambda: self.call(Trigger, "arm/reset_fault").success, "the fault does not reset", 10.0)
        if not self.statuses[-1][1].enabled:
            answer = self.call(SetBool, "arm/enable", SetBool.Request(data=True))
            if not answer.success:
                raise MissedError(f"arm/enable: {answer.message}")
        self.until(lambda: self.mode in ("ARMED", "MOVING", "HOLD") and self.statuses[-1][1].enabled, "not armed", 10.0)
        # What moved it last may have left just now: its end is not to be taken for the next one's.
        self.until(lambda: self.speeds(QUIET).max() < SILENT, "the tip does not come to rest", 10.0)
        self.begin()

    def speeds(self, seconds: float) -> FloatArray:
        """Of the true tip, (n,) [m/s], in the last `seconds`."""
        return np.asarray(np.linalg.norm(self.emulator.trace(seconds)[:, 4:], axis=1))

    @property
    def mode(self) -> str:
        """The guard's state, as it was last told."""
        self.until(lambda: self.statuses, "no guard status", 10.0)
        return str(self.statuses[-1][1].state)

    def mode_since(self, start: float, modes: set[str], patience: float = 5.0) -> tuple[float, str]:
        """Wait until one of `modes` is told after `start`; return how long that took, and the reason."""

        def found() -> list[tuple[float, str]]:
            told = [(t, s) for t, s in self.statuses if t >= start and s.state in modes]
            return [(t - start, s.reason or "; ".join(s.limits)) for t, s in told[:1]]

        took: tuple[float, str] = self.until(found, f"none of {sorted(modes)}, but {self.mode}", patience)[0]
        return took

    def rest_since(self, start: float, patience: float = 5.0) -> float:
        """Wait until the true tip rests; return how long after `start` it came to rest."""

        def rested() -> float | None:
            trace = self.emulator.trace(time.monotonic() - start + LATELY)
            speeds = np.linalg.norm(trace[:, 4:], axis=1)
            moving = trace[(trace[:, 0] >= start) & (speeds >= SILENT), 0]
            last = float(moving[-1]) if len(moving) else start
            return last - start + 1e-9 if trace[-1, 0] - last > QUIET else None

        return float(self.until(rested, "the tip does not come to rest", patience))

    def stopped(self, since: float, modes: set[str], words: str = "") -> Figures:
        """Return how long after `since` one of `modes` was told, for a reason with `words`, and the tip was at rest.

        Raises:
            NotReadyError: something else had begun to stop the arm before.
        """
        before = [status.state for t, status in self.statuses if t < since]
        if before[-1] in modes:
            raise NotReadyError(f"the arm was in {before[-1]} already")
        seen, reason = self.mode_since(since, modes)
        if words not in reason:
            raise MissedError(f"stopped for another reason: {reason!r}, not {words!r}")
        return {"seen": seen, "rest": self.rest_since(since)}

    def went_on(self, since: float) -> None:
        """Check that nothing stopped the arm; a HOLD because this machine ran the driver too late is no reaction."""
        pairs = list(pairwise(self.statuses))  # a HOLD is told again while it lasts, without what brought it about
        begun = [now for (_, before), (t, now) in pairs if t > since and now.state in STOPPED - {before.state}]
        told = [(status.state, status.reason, *status.limits) for status in begun]
        stops = [words for words in told if not any(late in " ".join(words) for late in LATE)]
        if stops:
            raise MissedError(f"the motion did not go on: {stops}")

    def call(self, kind: Any, name: str, request: Any = None) -> Any:
        """Call a service of the driver."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        self.until(self._clients[name].service_is_ready, f"nobody offers {name}", 20.0)
        return self._ask(self._clients[name], request or kind.Request())

    def until(self, ready: Callable[[], Any], otherwise: str, patience: float) -> Any:
        """Wait until `ready()` is true and return it.

        Raises:
            MissedError: it does not become so.
        """
        end = time.monotonic() + patience
        while not (value := ready()):
            if time.monotonic() > end:
                said = [(status.state, status.reason, list(status.limits)) for _, status in self.statuses[-2:]]
                tip = np.round(self.emulator.trace(LATELY)[-1, 1:], 3).tolist()
                raise MissedError(f"{otherwise} within {patience:.0f} s; {said}; tip {tip}")
            time.sleep(0.005)
        return value

    def log(self, name: str) -> str:
        """What a process has written since it was started."""
        path = Path(self._folder.name) / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(8.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.emulator.close()
        self._executor.shutdown()
        self._spinner.join(2.0)
        self.node.destroy_node()
        self._context.try_shutdown()
        sweep_shared_memory()
        self._folder.cleanup()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, name: str, words: list[str], **options: Any) -> None:
        with (Path(self._folder.name) / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words], stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_die_with_parent, **{"env": self.environment, **options},  # noqa: PLW1509 - nothing but a system call happens there
            )  # fmt: skip

    def _ask(self, client: Any, request: Any) -> Any:
        """Ask until somebody answers: a killed process seems to be there for some more seconds."""
        futures: list[Any] = []
        asked = [0.0]

        def answered() -> list[Any]:
            if time.monotonic() - asked[0] > ASK_AGAIN:
                futures.append(client.call_async(request))
                asked[0] = time.monotonic()
            return [future for future in futures if future.done()]

        return self.until(answered, "no answer", 60.0)[0].result()

    def in_full_sweep(self) -> bool:
        """Whether the true tip is in the middle of a sweep, and nothing has begun to stop it."""
        trace = self.emulator.trace(LATELY)
        return self.mode == "MOVING" and bool(abs(trace[-1, 2]) < 0.06 and np.linalg.norm(trace[-1, 4:]) > FAST)

    def _on_status(self, message: GuardStatus, info: dict[str, int]) -> None:
        """Note a status with when it could be read, which is not when this process, one of many here, came to it."""
        waited = (time.time_ns() - info["received_timestamp"]) * 1e-9
        self.statuses.append((time.monotonic() - waited, message))


def _die_with_parent() -> None:
    """In the child: have the kernel kill it when the witness is gone, however it went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
