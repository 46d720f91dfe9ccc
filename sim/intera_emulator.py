"""A Sawyer that speaks ROS 1 Intera, backed by the twin's physics: for tests and rehearsals without the arm.

    with Emulator(families.family("push"), seed=0) as emulator:
        ...  # a ROS 1 client at emulator.master_uri
        emulator.inject("estop_press")

    python -m sim.intera_emulator --help
"""

from __future__ import annotations

import argparse
import json
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from gmps_robot import families
from gmps_robot.errors import GmpsError, SimulationError, TaskError
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import FloatArray, ImageArray, SceneState
from sim.emulator import children, faults, wire
from sim.emulator.server import CONTROL
from sim.emulator.view import View

_START_LIMIT = 45.0  # [s]
_ANSWER_LIMIT = 10.0  # [s]


@dataclass(frozen=True)
class Snapshot:
    """Scene and image of one instant, on the robot's wall clock (which the fault `clock` does not touch)."""

    stamp_ns: int
    scene: SceneState
    image: ImageArray


class Emulator:
    """One emulated robot in processes of its own, which end with this object and with this process.

    Attributes:
        family: the task family whose scene the arm stands in.
        master_uri: address of the ROS 1 master, http://127.0.0.1:PORT.
        control: path of the private control socket; `Control(path)` does the same from another process.
        task: the task of the last `reset_scene`.
    """

    def __init__(
        self, family: Family, *, seed: int = 0, noise: float = 1.0, port: int = 0, hostname: str = "",
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the robot: disabled, at the family's start pose. Takes about 2 s.

        Args:
            family: gives scene and start.
            seed: of the noise.
            noise: share of the nominal measurement noise; 0 measures exactly.
            port: of the ROS 1 master; 0 takes any free one.
            hostname: name the robot gives out for itself, as a real one does (`<serial>.local`); empty for 127.0.0.1.
            parameters: ROS 1 parameters that differ from those of a good robot.

        Raises:
            SetupError: ROS 1 is not installed here.
            SimulationError: the processes do not start.
        """
        children.require()
        self.family, self.task = family, None
        self._folder = Path(tempfile.mkdtemp(prefix="gmps-emulator-"))
        settings = {
            "folder": str(self._folder), "family": family.name, "seed": seed, "noise": noise, "port": port,
            "hostname": hostname, "parameters": dict(parameters or {}),
        }  # fmt: skip
        self._log = (self._folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.emulator.server", json.dumps(settings)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        try:
            self.master_uri = self._started()
            self.control = str(self._folder / CONTROL)
            self._caller = wire.Caller(self.control, _ANSWER_LIMIT)
        except BaseException:
            self.close()
            raise
        self._calling = threading.Lock()
        self._still: ImageArray | None = None
        self._reset_at = time.monotonic()

    task: Task | None
    _caller: wire.Caller | None = None
    _view: View | None = None

    def inject(self, fault: str, **options: Any) -> float:
        """Make something go wrong, see `sim.emulator.faults`; return when it did, on the monotonic clock [s].

        Raises:
            ConfigError: no such fault or option.
            SimulationError: the emulator does not answer.
        """
        full = faults.checked(fault, options)
        if fault == "camera":
            self._still = self.image() if full["frozen"] else None
            return time.monotonic()
        return float(self._ask({"do": "fault", "name": fault, "options": full})["time"])

    def scene(self) -> SceneState:
        """Return the true scene now: tip (3,), object pose (7,), time () since the last `reset_scene`."""
        return self._scene_of(self._ask({"do": "scene"}))

    def reset_scene(self, task: Task | None, seed: int = 0) -> None:  # noqa: ARG002 - nothing here is drawn
        """Put the object back to its start, exactly, whatever the `seed`; the arm stays where it is.

        Raises:
            TaskError: `task` is of another family.
        """
        if task is not None and task.family != self.family.name:
            raise TaskError(f"task {task.task_id} is of family {task.family!r}, this scene of {self.family.name!r}")
        self._ask({"do": "reset_object"})
        self.task, self._reset_at = task, time.monotonic()

    def image(self) -> ImageArray:
        """Return what the policy camera sees now, (height, width, 3)."""
        return self.snapshot().image

    def snapshot(self) -> Snapshot:
        """Return scene and image of one instant."""
        scene = self._ask({"do": "scene"})
        image = self._drawn(scene).image() if self._still is None else self._still
        return Snapshot(int(scene["time_ns"]), self._scene_of(scene), image)

    def video_frame(self, height: int, width: int) -> ImageArray:
        """Return the camera's view for people, with the task's goal; from one thread only."""
        return self._drawn(self._ask({"do": "scene"})).video_frame(height, width, self.task)

    def describe(self) -> dict[str, Any]:
        """Return the truth behind the wire: mode, time-out, enabled, joints, tip, gripper signals ..."""
        return dict(self._ask({"do": "describe"}))

    def events(self, what: str = "") -> list[dict[str, Any]]:
        """Return what happened, oldest first: time (monotonic) [s], what, detail; of one kind, if asked."""
        events = self._ask({"do": "events"})["events"]
        return [event for event in events if what in ("", event["what"])]

    def trace(self, seconds: float = 60.0) -> FloatArray:
        """Return the last `seconds` of the true tip, at most a minute, (n, 7) at 200 Hz.

        Columns: monotonic time [s], position (3) [m], velocity (3) [m/s]. Who asks often asks for little.
        """
        return np.frombuffer(self._ask({"do": "trace", "seconds": seconds})).reshape(-1, 7)

    def close(self) -> None:
        """End all processes; nothing is left behind."""
        if self._caller is not None:
            self._caller.close()
        if self._view is not None:
            self._view.close()
        if self._process.stdin is not None:
            self._process.stdin.close()  # the life line
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> str:
        """Wait for the server's first line; return the master's address."""
        stdout = self._process.stdout
        ready = stdout is not None and select.select([stdout], [], [], _START_LIMIT)[0]
        answer = json.loads(stdout.readline() or "{}") if ready and stdout is not None else {}
        if "master_uri" not in answer:
            raise SimulationError(f"the emulator does not start: {answer.get('error') or self._last_words()}")
        return str(answer["master_uri"])

    def _ask(self, request: Mapping[str, Any]) -> Any:
        if self._caller is None:
            raise SimulationError("the emulator is closed")
        try:
            with self._calling:
                answer = self._caller.ask(request)
        except OSError as error:
            raise SimulationError(f"the emulator does not answer: {error}; {self._last_words()}") from error
        if isinstance(answer, dict) and "problem" in answer:
            raise SimulationError(str(answer["problem"]))
        return answer

    def _last_words(self) -> str:
        path = self._folder / "server.log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else "nothing was written"

    def _drawn(self, scene: Mapping[str, Any]) -> View:
        """The view, brought to `scene`."""
        if self._view is None:
            self._view = View(self.family)
        self._view.set(np.array(scene["qpos"]), float(scene["table"]))
        return self._view

    def _scene_of(self, scene: Mapping[str, Any]) -> SceneState:
        object_pose = np.array(scene["qpos"][-7:])[[0, 1, 2, 4, 5, 6, 3]]
        elapsed = np.asarray(scene["monotonic"] - self._reset_at)
        return SceneState(np.array(scene["tip"]), object_pose, elapsed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an emulator until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sim.intera_emulator", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--family", default="push", help="task family: the scene (default: push)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    parser.add_argument("--port", type=int, default=11311, help="of the ROS 1 master (default: 11311; 0: any)")
    options = parser.parse_args(arguments)
    try:
        with Emulator(families.family(options.family), seed=options.seed, port=options.port) as emulator:
            sys.stdout.write(f"ROS_MASTER_URI={emulator.master_uri}\ncontrol socket: {emulator.control}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except GmpsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # programs in the background may be started with interrupts ignored
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
