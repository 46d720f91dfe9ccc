"""Real processes on a random domain, and a probe node that listens in."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
import torch
from gmps_robot_nodes import domain
from gmps_robot_nodes.processes import sweep_shared_memory
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from gmps_robot.checkpoint import save_checkpoint
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow

PATIENCE = 60.0  # generous: test machines are shared [s]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
DOMAINS = range(1 + WORKER % 3, 102, 3)  # no two of three workers choose the same


class Graph:
    """One ROS graph of its own: starts nodes as processes and waits for what they do."""

    def __init__(self, folder: Path) -> None:
        self.domain = domain.first_free(random.sample(DOMAINS, 20), domain.is_free)
        self.folder = folder
        self.environment = domain.environment({**os.environ, "ROS_DOMAIN_ID": str(self.domain)}, domain.is_free, 0)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.probe = Node("probe", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.probe)

    def start(self, name: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """Start node `name` with parameters."""
        words = [sys.executable, "-m", f"gmps_robot_nodes.{name}_node", "--ros-args", "-r", f"__node:={name}"]
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else value
            words += ["-p", f"{key}:={text}"]
        log = (self.folder / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(words, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        return self.processes[name]

    def log(self, name: str) -> str:
        """What node `name` has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def listen(self, message_type: type, topic: str, profile: Any) -> list[Any]:
        """Return a list that grows with what is published on `topic`."""
        heard: list[Any] = []
        self.probe.create_subscription(message_type, topic, heard.append, profile)
        return heard

    def until(self, ready: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Spin until `ready()` is true and return it; fail with the nodes' last lines when it does not become so."""
        end = time.monotonic() + patience
        while not (value := ready()):
            ended = {name: p.returncode for name, p in self.processes.items() if p.poll() not in (None, 0, -9)}
            if time.monotonic() > end or ended:
                logs = "\n".join(f"--- {name}\n{self.log(name)[-1500:]}" for name in self.processes)
                pytest.fail(f"not within {patience:.0f} s; ended early: {ended}\n{logs}")
            self._executor.spin_once(timeout_sec=0.02)
        return value

    def spin(self, seconds: float) -> None:
        """Let time pass, and hear what is published meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=left)

    def result(self, future: Any, patience: float = PATIENCE) -> Any:
        """Wait for a future."""
        self.until(future.done, patience)
        return future.result()

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """Call a service."""
        client = self.probe.create_client(service_type, name)
        self.until(client.service_is_ready)
        self.spin(0.1)  # until the server knows the client too: before that its answer is lost
        return self.result(client.call_async(request))

    def close(self) -> None:
        """End every process, then the probe."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._executor.shutdown()
        self.probe.destroy_node()
        self._context.try_shutdown()
        sweep_shared_memory()

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[Graph]:
        """A graph for as long as the context lasts, its probe on the transport of the nodes."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", str(domain.PROFILE))
            made = cls(folder)
            yield made
            made.close()


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    with Graph.opened(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained vision policy whose exploration moves the arm."""
    spec = PolicySpec("vision")
    generator = torch.Generator().manual_seed(0)
    fast = init_fast(spec, generator, -1.0)
    steps = {name: torch.full_like(value, 0.01) for name, value in fast.items()}
    folder = tmp_path_factory.mktemp("checkpoint") / "untrained"
    save_checkpoint(MetaPolicy(spec, init_slow(spec, generator), fast, steps, 1.0, {}), folder)
    return str(folder)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
