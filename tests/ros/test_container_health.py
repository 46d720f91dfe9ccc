"""The health check of the containers: a node that answers is healthy, one that hangs or is gone is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

ROOT = Path(__file__).parents[2]
NODE = "import rclpy; rclpy.init(); node = rclpy.create_node('patient'); print('up', flush=True); rclpy.spin(node)"


@pytest.fixture
def domain() -> dict[str, str]:
    return {**os.environ, "ROS_DOMAIN_ID": str(randrange(102)), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


@pytest.fixture
def node(domain: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", NODE], env=domain, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def health(domain: dict[str, str], seconds: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "docker/node_health.py", "patient", str(seconds)]
    return subprocess.run(command, cwd=ROOT, env=domain, capture_output=True, text=True, check=False)


def test_a_node_is_healthy_while_its_executor_answers(domain: dict[str, str], node: subprocess.Popen[str]) -> None:
    assert health(domain, 60).returncode == 0
    node.send_signal(signal.SIGSTOP)  # there, but hanging
    done = health(domain, 3)
    node.send_signal(signal.SIGCONT)
    assert done.returncode == 1
    assert "node patient did not answer within 3 s" in done.stderr


def test_a_node_that_is_not_there_is_not_healthy(domain: dict[str, str]) -> None:
    assert health(domain, 2).returncode == 1
