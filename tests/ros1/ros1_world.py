"""A real ROS 1 master and real rospy nodes, as processes under the system's Python with an environment of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gmps_robot.sawyer import messages
from gmps_robot.sawyer.tcpros import RosNode

SYSTEM_PYTHON = "/usr/bin/python3"
PEER = Path(__file__).with_name("rospy_peer.py")
START_S = 20.0
WITH_TYPES = {"advertise", "subscribe", "echo", "encode"}


def has_rospy() -> bool:
    """Whether the system's Python brings ROS 1's master and client."""
    if not Path(SYSTEM_PYTHON).exists():
        return False
    code = "import rospy, rosmaster, genpy.dynamic, genmsg.gentools, sensor_msgs.msg, geometry_msgs.msg"
    return subprocess.run([SYSTEM_PYTHON, "-c", code], env=clean(), capture_output=True, check=False).returncode == 0


def clean(**more: str) -> dict[str, str]:
    """An environment in which only the system's packages are seen."""
    return {"PATH": "/usr/bin:/bin", "HOME": tempfile.gettempdir(), "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", **more}


ROSPY = has_rospy()
needs_rospy = pytest.mark.skipif(not ROSPY, reason="not available: no rospy on this system")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
    """Return the first true value of `holds()`; fails with `what` when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.01)
    pytest.fail(f"after {timeout_s} s: {what}")


class Ros1:
    """A rosmaster on a free port of the loopback; `peer` starts rospy nodes, `node` makes ours."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ros1-")
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.env = clean(ROS_MASTER_URI=self.uri, ROS_IP="127.0.0.1", ROS_LOG_DIR=self.folder)
        self._stack = contextlib.ExitStack()
        self._master: subprocess.Popen[bytes] | None = None
        self.start_master()

    def start_master(self) -> None:
        command = [SYSTEM_PYTHON, "-c", "import rosmaster; rosmaster.rosmaster_main()", "--core", "-p", str(self.port)]
        self._master = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, "the master does not listen", START_S)

    def kill_master(self) -> None:
        assert self._master is not None
        self._master.kill()
        self._master.wait()

    def peer(self, name: str = "peer", **env: str) -> Peer:
        return self._stack.enter_context(contextlib.closing(Peer(name, {**self.env, **env})))

    def node(self, name: str = "ours", **settings: Any) -> RosNode:
        return self._stack.enter_context(RosNode(name, self.uri, **settings))

    def system_state(self) -> dict[str, dict[str, list[str]]]:
        """Nodes by topic, as the master knows them: {"publishers": ..., "subscribers": ..., "services": ...}."""
        import xmlrpc.client

        with xmlrpc.client.ServerProxy(self.uri) as master:
            _, _, state = master.getSystemState("/test")
        return dict(zip(("publishers", "subscribers", "services"), (dict(part) for part in state), strict=True))

    def close(self) -> None:
        self._stack.close()
        self.kill_master()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._master is not None
        assert self._master.poll() is None, f"rosmaster ended with {self._master.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
            return True
        return False


class Peer:
    """A rospy node: every method of `rospy_peer.Peer` can be called here, with the definitions of our types added."""

    def __init__(self, name: str, env: dict[str, str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [SYSTEM_PYTHON, str(PEER), name], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._read()

    def __getattr__(self, command: str) -> Callable[..., Any]:
        def tell(*arguments: Any, **named: Any) -> Any:
            order = {
                "advertise": ("topic", "kind"), "subscribe": ("topic", "kind"), "publish": ("topic", "kind", "fields"),
                "echo": ("topic", "back", "kind"), "set_param": ("key", "value"), "encode": ("kind", "fields"),
            }.get(command, ("topic",))  # fmt: skip
            named.update(zip(order, arguments, strict=False))
            if command in WITH_TYPES and named["kind"].startswith(messages.INTERA):
                named.setdefault("definition", messages.codec(named["kind"]).definition)
            with self._lock:
                assert self.process.stdin is not None
                self.process.stdin.write(json.dumps({"do": command, "with": named}) + "\n")
                self.process.stdin.flush()
                return self._read()

        return tell

    def offer(self, name: str, kind: str, answer: dict[str, Any], **more: Any) -> None:
        """Offer one of our service types."""
        codec = messages.service(kind)
        texts = {"md5": codec.md5, "request": codec.request.definition, "response": codec.response.definition}
        self.serve(name=name, kind=kind, answer=answer, **{**texts, **more})

    def kill(self) -> None:
        """End the process without a word to anybody."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        try:
            self.process.wait(0.5 if self.process.poll() is None else 0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._errors.close()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self.name} ended:\n{self._errors.read().decode()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer["value"]


@contextlib.contextmanager
def ros1() -> Iterator[Ros1]:
    world = Ros1()
    try:
        yield world
    finally:
        world.close()


def threads_and_sockets() -> tuple[int, int]:
    """Threads and open sockets of this process."""
    links = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return threading.active_count(), sum(link.startswith("socket:") for link in links)
