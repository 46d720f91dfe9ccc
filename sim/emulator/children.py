"""The emulator's ROS 1 processes: a master and the face, under the system's Python, ended with their parent."""

from __future__ import annotations

import ctypes
import json
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gmps_robot.errors import SetupError, SimulationError

PYTHON = "/usr/bin/python3"
MODULES = ("rospy", "rosmaster", "genpy", "genmsg", "std_msgs", "sensor_msgs", "geometry_msgs")
PACKAGES = (
    "python3-rospy python3-rosmaster python3-genpy python3-std-msgs python3-sensor-msgs python3-geometry-msgs"
)
_ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_START_LIMIT = 20.0  # [s]


def missing() -> str:
    """Return why no ROS 1 process can run here, with the command that helps; an empty string where one can."""
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON}, the Python for which Debian packages ROS 1"
    code = f"import importlib.util as u; print(*[m for m in {MODULES!r} if u.find_spec(m) is None])"
    command = [PYTHON, "-s", "-E", "-c", code]
    absent = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout.split()
    if not absent:
        return ""
    return (
        f"the emulator speaks ROS 1, and {PYTHON} has no {', '.join(absent)}: apt-get install --no-install-recommends "
        f"{PACKAGES} (Debian 12, Debian 13, Ubuntu 22.04). Ubuntu 24.04 has no rospy: robot:=emulator is not available "
        "there; use robot:=twin"
    )


def require() -> None:
    """Make sure that ROS 1 is here.

    Raises:
        SetupError: it is not; the message holds the command that installs it.
    """
    problem = missing()
    if problem:
        raise SetupError(problem)


class Children:
    """Starts, freezes, kills and restarts the master and the face. Use it from a program's main thread only.

    Attributes:
        master_uri: address of the master.
        link: socket to the face.
    """

    def __init__(self, folder: Path, hostname: str, port: int) -> None:
        """Start the master on `port` (0: any free one); `folder` is private, `hostname` what the face gives out.

        Raises:
            SimulationError: the master does not start.
        """
        self._folder, self._hostname = folder, hostname
        self._face: subprocess.Popen[bytes] | None = None
        self.link: socket.socket | None = None
        self._master = self._start("master", "sim.emulator.face.master", {}, (str(port),), stdout=subprocess.PIPE)
        answer = json.loads(self._line(self._master) or "{}")
        if "uri" not in answer:
            raise SimulationError(f"the ROS 1 master does not start: {answer.get('error', self.log('master'))}")
        self.master_uri = str(answer["uri"])

    def start_face(self, setup: Mapping[str, Any]) -> None:
        """Start the face; it says {"op": "ready"} on `link` when its topics are there."""
        ours, theirs = socket.socketpair()
        path = self._folder / "setup.json"
        path.write_text(json.dumps(setup), encoding="utf-8")
        with theirs:
            words = (str(theirs.fileno()), str(path))
            extra = {"ROS_MASTER_URI": self.master_uri}
            self._face = self._start("face", "sim.emulator.face.node", extra, words, pass_fds=(theirs.fileno(),))
        self.link = ours

    def kill_master(self) -> None:
        """The master dies; sockets between nodes stay."""
        self._master.kill()
        self._master.wait()

    def freeze_face(self, frozen: bool) -> None:
        """Stop the face without closing anything, or let it go on."""
        if self._face is not None:
            self._face.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def kill_face(self) -> None:
        """The face dies at once."""
        if self._face is not None:
            self._face.kill()
            self._face.wait()
        if self.link is not None:
            self.link.close()
        self._face = self.link = None

    def face_ended(self) -> bool:
        """Whether the face is over without having been asked."""
        return self._face is not None and self._face.poll() is not None

    def log(self, name: str) -> str:
        """The last lines that "master" or "face" wrote."""
        path = self._folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    def close(self) -> None:
        """End both."""
        self.kill_face()
        self.kill_master()

    def _start(
        self, name: str, module: str, extra: Mapping[str, str], words: tuple[str, ...] = (), **options: Any
    ) -> subprocess.Popen[bytes]:
        # Nothing of the caller's environment: ROS 2 and the virtual environment own packages of the same names.
        address = {"ROS_HOSTNAME": self._hostname} if self._hostname else {"ROS_IP": "127.0.0.1"}
        folder = str(self._folder)
        environment = {
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": folder, "TMPDIR": folder, "ROS_HOME": folder, "ROS_LOG_DIR": folder, **address, **extra,
        }  # fmt: skip
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [PYTHON, "-s", "-m", module, *words], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                stderr=log, preexec_fn=_die_with_parent, **{"stdout": log, **options},  # noqa: PLW1509 - no threads
            )  # fmt: skip

    @staticmethod
    def _line(process: subprocess.Popen[bytes]) -> bytes:
        if process.stdout is None or not select.select([process.stdout], [], [], _START_LIMIT)[0]:
            return b""
        return process.stdout.readline()


def _die_with_parent() -> None:
    """In the child: have the kernel kill it when its parent is gone, however it went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
