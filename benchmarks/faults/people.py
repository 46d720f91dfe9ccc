"""Rows of the fault table in which people are the fault: two operators, an intruder, a page that is gone or silent.

An operator is a client of the panel that sweeps the tip from side to side at full teleop speed. Figures are in seconds
from the fault on, or counts.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from gmps_msgs.msg import ArmCommand
from gmps_robot_nodes import qos
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from benchmarks.faults.policy import sweep
from benchmarks.faults.rig import Rig
from benchmarks.faults.stop import Figures, MissedError, NotReadyError

ADMIN = "administrator-of-the-fault-table"
PERIOD = 0.05  # of the page [s]
GUESSES = 20
LATE = ("ms late", "nothing was heard")  # what the panel says of a page that is not heard in time


class Panel:
    """The panel node of a rig, and people who use it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        if "panel" not in rig.processes:
            rig.start_panel(ADMIN)
        try:
            found = rig.until(lambda: re.findall(r"panel: (http://\S+)/login#", rig.log("panel")), "no panel", 60.0)
        except MissedError as problem:
            raise NotReadyError(str(problem)) from problem
        self.url: str = found[-1]
        self.stream = self.url.replace("http", "ws") + "/ws/teleop"

    def ask(self, path: str, body: object = None, token: str = ADMIN, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return status and answer of one request."""
        sent = {"Content-Type": "application/json", "X-GMPS": "1", **headers}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, sent), timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def invite(self, name: str, role: str = "operator") -> str:
        """Return a bearer token for somebody."""
        return str(self.ask("/api/invite", {"name": name, "role": role, "kind": "bearer"})[1]["token"])


class Sweeper:
    """An operator who holds the arm and sweeps, in a thread, until `end`."""

    def __init__(self, rig: Rig, panel: Panel, name: str) -> None:
        self.token, self._rig, self._seq = panel.invite(name), rig, 0
        self._session: str = rig.until(lambda: self._lease(panel), "no lease", 10.0)
        self.answers: list[dict[str, Any]] = [{}]
        headers = {"Authorization": f"Bearer {self.token}"}
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(panel.stream, additional_headers=headers))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def moves_on(self, since: float) -> None:
        """Check that nothing has stopped the sweep after `since`.

        Raises:
            NotReadyError: this machine carried the page's messages too late.
            MissedError: something else stopped it.
        """
        try:
            self._rig.until(self._rig.in_full_sweep, f"the operator was stopped: {self.answers[-1]}", 5.0)
            self._rig.went_on(since)
        except MissedError as problem:
            late = [a["reason"] for a in self.answers[1:] if any(word in a["reason"] for word in LATE)]
            if late:
                raise NotReadyError(late[0]) from problem
            raise

    def fall_silent(self) -> float:
        """Say nothing more, with the connection open; return when the last message may have gone out."""
        self._stop.set()
        self._thread.join()
        return time.monotonic()

    def leave(self) -> float:
        """Close the page; return when."""
        since = self.fall_silent()
        self._open.close()
        return since

    def _lease(self, panel: Panel) -> str:
        """The session that holds the arm; empty while a new panel has not met the robot, or a last lease runs out."""
        status, told = panel.ask("/api/lease", {"action": "acquire"}, self.token)
        if status not in (200, 409) and told.get("error") != "SetupError":
            raise MissedError(f"no lease: {told}")
        return str(told.get("session", ""))

    def _run(self) -> None:
        side, enable = 1.0, False
        while not self._stop.wait(PERIOD):
            direction, side = sweep(np.array(self._rig.emulator.describe()["tip"]), side)
            self._seq += 1
            wish = {"session": self._session, "seq": self._seq, "t_client": time.monotonic() * 1e3, "enable": enable,
                    "v": direction.tolist(), "gripper": 0.0}
            try:
                self._socket.send(json.dumps(wish))
                self.answers.append(json.loads(self._socket.recv(2.0)))
            except (ConnectionClosed, TimeoutError):
                return
            enable = True


def sweeping(rig: Rig, name: str) -> tuple[Panel, Sweeper]:
    """Return a panel, and an operator in the middle of a sweep."""
    rig.recover()
    panel = Panel(rig)
    operator = Sweeper(rig, panel, name)
    try:
        rig.until(rig.in_full_sweep, f"the tip does not sweep: {operator.answers[-1]}", 20.0)
    except MissedError as problem:
        operator.leave()
        raise NotReadyError(str(problem)) from problem
    rig.begin()
    return panel, operator


def two_operators(rig: Rig) -> Figures:
    """A second operator asks for the arm, uses the first one's session, and an administrator takes over."""
    panel, first = sweeping(rig, "Ada")
    second = panel.invite("Grace")
    since = time.monotonic()
    status, told = panel.ask("/api/lease", {"action": "acquire"}, second)
    refused = time.monotonic() - since
    if status != 409 or "held by Ada" not in told["message"]:
        raise MissedError(f"the second operator was told {status} {told}")
    first.moves_on(since)
    since = time.monotonic()
    status, told = panel.ask("/api/lease", {"action": "take_over"})
    figures = {"refused": refused, "rest": rig.rest_since(since)}
    first.leave()
    if status != 200:
        raise MissedError(f"the administrator was told {status} {told}")
    panel.ask("/api/lease", {"action": "release", "session": told["session"]})
    return figures


def intruder(rig: Rig) -> Figures:
    """Everything an attacker without a login tries while an operator moves the arm; counts what came of it."""
    panel, operator = sweeping(rig, "Ada")
    heard: list[ArmCommand] = []
    leases: set[str] = set()
    listener = rig.node.create_subscription(ArmCommand, "teleop/command", heard.append, qos.COMMAND)
    since, passed = time.monotonic(), 0
    acts = ("/api/lease", "/api/arm/kill", "/api/arm/stop", "/api/start", "/api/recorder/start", "/api/invite")
    for path in acts:
        passed += panel.ask(path, {}, token="")[0] != 401
        passed += panel.ask(path, {}, token="guess")[0] not in (401, 429)
        passed += panel.ask(path, {}, Origin="https://evil.example")[0] != 403
    passed += _opens(panel, {}) + _opens(panel, {"Authorization": "Bearer guess"})
    passed += _opens(panel, {"Authorization": f"Bearer {operator.token}", "Origin": "https://evil.example"})
    statuses = [panel.ask("/api/login", {"token": f"guess {k}"}, token="")[0] for k in range(GUESSES)]
    passed += statuses.count(200) + (statuses[-1] != 429)
    passed += panel.ask("/api/status", token=operator.token)[0] != 200  # who is logged in is not held up
    operator.moves_on(since)
    rig.node.destroy_subscription(listener)
    leases |= {message.lease for message in heard}
    operator.leave()
    return {"passed": float(passed), "foreign commands": float(max(0, len(leases) - 1))}


def page_silent(rig: Rig) -> Figures:
    """The page freezes; its connection stays open."""
    return _gone(rig, Sweeper.fall_silent)


def page_closed(rig: Rig) -> Figures:
    """The page is closed."""
    return _gone(rig, Sweeper.leave)


def panel_killed(rig: Rig) -> Figures:
    """SIGKILL."""
    return _gone(rig, lambda _: rig.kill("panel"))


def _gone(rig: Rig, go: Callable[[Sweeper], float]) -> Figures:
    _, operator = sweeping(rig, "Ada")
    since = go(operator)
    figures = {"rest": rig.rest_since(since)}
    operator.leave()
    return figures


def _opens(panel: Panel, headers: dict[str, str]) -> int:
    """1 when the teleop stream stays open for whoever has these headers."""
    try:
        with connect(panel.stream, additional_headers=headers) as socket:
            socket.recv(1.0)
    except (ConnectionClosed, InvalidStatus):
        return 0
    except TimeoutError:
        return 1
    return 1
