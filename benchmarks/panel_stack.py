"""Twin, recorder and panel as processes, on a ROS domain of their own."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from gmps_robot_nodes import domain
from gmps_robot_nodes.processes import sweep_shared_memory

NODES = ("twin", "recorder", "panel")
PATIENCE = 60.0  # [s]


class PanelStack:
    """Runs while the `with` block does. `data` is the folder of episodes and catalogue."""

    def __init__(self, logs: Path, data: Path) -> None:
        self._logs = logs
        self.domain = domain.first_free(random.sample(range(1, 102), 20), domain.is_free)
        settings = {"ROS_DOMAIN_ID": str(self.domain), "GMPS_DATA": str(data.resolve())}
        self.environment = domain.environment({**os.environ, **settings}, domain.is_free, 0)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._used: set[str] = set()

    def __enter__(self) -> PanelStack:
        for name in NODES:
            words = ["-m", f"gmps_robot_nodes.{name}_node", "--ros-args", "-r", f"__node:={name}"]
            extra = ["-p", "panel_port:=0"] if name == "panel" else []
            with (self._logs / f"{name}.log").open("wb") as log:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, *words, *extra], env=self.environment, stdout=log, stderr=subprocess.STDOUT
                )
        return self

    def link(self) -> tuple[str, str]:
        """Return (address, secret) of a login link that the panel has written and nobody has used.

        Raises:
            RuntimeError: a process has ended, or there is no link; the message ends with its log.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            log = (self._logs / "panel.log").read_text()
            for url, secret in re.findall(r"(http://\S+)/login#(\S+)", log):
                if secret not in self._used:
                    self._used.add(secret)
                    return url, secret
            ended = next((name for name, process in self._processes.items() if process.poll() is not None), None)
            if ended is not None:
                raise RuntimeError(f"{ended} has ended: {(self._logs / f'{ended}.log').read_text()[-1500:]}")
            time.sleep(0.1)
        raise RuntimeError(f"the panel printed no login link: {log[-1500:]}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        sweep_shared_memory()
