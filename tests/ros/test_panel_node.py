"""The panel node in a real graph: what the page shows and asks for reaches the session and the arm."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from gmps_msgs.msg import AppliedCommand, ArmCommand, GuardStatus
from gmps_robot_nodes import qos
from websockets.sync.client import connect

from tests.ros.conftest import Graph

TOKEN = "of-the-tests-of-the-panel"
PLAIN = ("reset_done", "resume", "pause", "arm/reset_fault")  # acts without a body
Ask = Callable[..., tuple[int, Any]]


def start_panel(graph: Graph, **parameters: Any) -> Ask:
    graph.environment.update(GMPS_PANEL_TOKEN=TOKEN, GMPS_DATA=str(graph.folder / "data"))
    graph.start("panel", panel_port=0, **parameters)
    return page_of(graph)


def page_of(graph: Graph) -> Ask:
    """Return a function that talks to the panel of `graph`: `ask(path)` reads, `ask(path, field=...)` acts.

    As the administrator, or as whoever has the bearer `token`.
    """
    address = graph.until(lambda: re.search(r"panel: (http://\S+)/login#\S{22,}", graph.log("panel"))).group(1)
    headers = {"Content-Type": "application/json"}

    def ask(path: str, token: str = TOKEN, **body: Any) -> tuple[int, Any]:
        data = json.dumps(body).encode() if body or path in PLAIN else None
        own = {**headers, "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{address}/api/{path}", data, own)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    return ask


@pytest.mark.realtime
def test_a_session_is_started_judged_stopped_and_released_from_the_page(graph: Graph, checkpoint: str) -> None:
    graph.start("twin", speed="max")
    graph.start("adapt", checkpoint=checkpoint, out=str(graph.folder / "runs"), evaluations=1, film=False)
    ask = start_panel(graph, reward="human")

    def phase() -> str:
        return str(ask("status")[1]["phase"])

    graph.until(lambda: not any(link["silent"] for link in ask("status")[1]["links"]))
    graph.until(lambda: ask("start", task=1000, episodes=2)[0] != 503)  # the action is heard of after the topics
    code, told = ask("start", task=1000, episodes=2)
    assert (code, "expected a number from 0 to 99" in told["message"]) == (409, True)
    code, told = ask("start", task=7, episodes=2)
    assert code == 200, told
    graph.until(lambda: phase() == "awaiting_reset")
    assert ask("status")[1]["task"] == "push-test-s0-7"
    assert "5 cm" in ask("status")[1]["task_text"]
    assert ask("start", task=8, episodes=2)[0] == 409  # one session at a time
    assert ask("reset_done")[0] == 200
    graph.until(lambda: phase() == "awaiting_label")
    assert ask("label", value=1.0, episode=2)[0] == 409
    assert ask("label", value=1.0, episode=1)[0] == 200
    graph.until(lambda: ask("status")[1]["stage"] == "adapt")
    assert ask("arm/stop", reason="test")[0] == 200
    graph.until(lambda: ask("status")[1]["guard"]["state"] == "FAULT" and ask("status")[1]["paused"])
    assert ask("resume")[0] == 409
    assert ask("arm/reset_fault")[0] == 200
    graph.until(lambda: ask("status")[1]["guard"]["state"] != "FAULT")
    assert ask("status")[1]["paused"]  # releasing the stop is not what makes the arm move
    assert ask("resume")[0] == 200
    code, told = ask("checkpoint", name="push-vision")
    assert (code, "an adaptation runs" in told["message"]) == (409, True)
    assert ask("stop", reason="test")[0] == 200
    graph.until(lambda: phase() == "stopped")
    assert ask("checkpoint", name="push-vision")[0] == 200
    assert ask("status")[1]["checkpoint"] == "push-vision"
    graph.until(lambda: ask("start", task=7, episodes=2)[0] == 200)  # the pictures of the last session come first
    assert "checkpoint push-vision is loaded" in graph.log("adapt")


def test_a_person_takes_the_arm_drives_records_and_keeps_what_was_taught(graph: Graph) -> None:
    graph.start("twin")
    ask = start_panel(graph, reward="human", robot="twin")
    assert "is its node running" in ask("status")[1]["recorder"]["message"]
    graph.start("recorder")
    graph.until(lambda: ask("status")[1]["recorder"]["state"] == "idle")
    graph.until(lambda: "arm" not in [link["name"] for link in ask("status")[1]["links"] if link["silent"]])
    graph.until(lambda: ask("scene")[0] == 200)
    assert ask("scene/reset", split="train", task=2) == (200, {"message": ""})
    graph.until(lambda: ask("camera")[0] == 200)
    start, commands = ask("scene")[1]["tip"], graph.listen(ArmCommand, "teleop/command", qos.COMMAND)
    assert ask("recorder/start", split="train")[0] == 200
    episode = graph.until(lambda: ask("status")[1]["recorder"]["episode"])
    code, told = ask("lease", action="acquire")
    assert code == 200, told
    with Operator(graph, told["session"]) as operator:
        operator.push([0.5, 0.0, 0.0], lambda: ask("scene")[1]["tip"][0] - start[0] > 0.08)
        assert ask("status")[1]["lease"]["holder"] == "token"
        assert ask("arm/stop", reason="test")[0] == 200
        operator.push([0.5, 0.0, 0.0], lambda: "FAULT" in operator.answer["reason"], again=False)
        ask("arm/reset_fault")
        graph.until(lambda: ask("status")[1]["guard"]["state"] != "FAULT")
        operator.drive([0.5, 0.0, 0.0], 0.2)
        assert "let go first" in operator.answer["reason"]
        operator.drive([0.0, 0.0, 0.0], 0.8, enable=False)
    code, told = ask("recorder/save", episode=episode, accepted=True)
    assert code == 200, told
    row = ask("episodes")[1]["episodes"][0]
    assert (row["episode"], row["task_id"], row["operator"], row["accepted"]) == (
        episode, "push-train-s0-2", "token", True,
    )
    signals = ask(f"episodes/{episode}/signals")[1]
    assert max(action[0] for action in signals["applied"]) > 0.3
    assert {message.source for message in commands} == {"teleop"}
    graph.until(lambda: ask("status")[1]["lease"]["holder"] == "")  # the closed stream gave the arm back
    assert any(event["what"] == "POST /api/recorder/save" for event in ask("audit")[1]["events"])


def test_a_reward_belongs_to_the_step_at_which_it_was_pressed(graph: Graph) -> None:
    graph.start("twin")
    graph.start("recorder")
    ask = start_panel(graph, robot="twin")
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    graph.until(lambda: applied and ask("status")[1]["recorder"]["state"] == "idle")
    code, told = ask("recorder/start", split="train", task=0)
    assert code == 200, told
    path = f"episodes/{told['episode']}/labels"
    graph.until(lambda: ask("status")[1]["recorder"]["steps"] > 0)
    ahead = []  # of the step that was noted, the step that was heard here: the same at every press
    for pause in (0.11, 0.23, 0.37, 0.53, 0.17, 0.29, 0.41, 0.31, 0.19, 0.47):
        graph.spin(pause)
        code, label = ask(path, kind="reward", value=1.0, now=True)
        assert code == 200, label
        ahead.append(len(applied) - label["step_from"])
    assert max(ahead) - min(ahead) <= 4, ahead  # 0.2 s


def test_a_recorder_that_dies_is_not_taken_for_one_that_records(graph: Graph) -> None:
    graph.start("twin")
    ask = start_panel(graph, robot="twin")
    assert "recorder" not in [link["name"] for link in ask("status")[1]["links"]]  # not every stack has one
    process = graph.start("recorder")
    graph.until(lambda: ask("status")[1]["recorder"]["state"] == "idle")
    code, told = ask("recorder/start", split="train", task=0)
    assert code == 200, told
    episode, live = told["episode"], {"kind": "reward", "value": 1.0, "step_from": 1, "step_to": 2}
    graph.until(lambda: ask("status")[1]["recorder"]["state"] == "recording")
    assert ask(f"episodes/{episode}/labels", **live)[0] == 200
    graph.spin(3.0)  # one that lives is not silent
    status = ask("status")[1]
    assert (status["recorder"]["state"], [link["name"] for link in status["links"] if link["silent"]]) == (
        "recording", ["adaptation"],
    )
    process.kill()
    killed = time.monotonic()
    graph.until(lambda: ask("status")[1]["recorder"]["state"] == "failed", 10.0)
    assert time.monotonic() - killed < 4.0
    status = ask("status")[1]
    assert "recorder is silent since" in status["recorder"]["message"]
    assert "`gmps data recover` keeps what it wrote" in status["recorder"]["message"]
    assert next(link for link in status["links"] if link["name"] == "recorder")["silent"]
    code, told = ask(f"episodes/{episode}/labels", **live)
    assert (code, "is recorded no more" in told["message"]) == (409, True)
    assert ask("scene/reset", split="train", task=1)[0] == 200  # what is lost is in nobody's way
    graph.start("recorder")
    graph.until(lambda: ask("status")[1]["recorder"]["state"] == "idle")
    assert ask("recorder/start", split="train", task=1)[0] == 200


def test_an_arm_that_somebody_holds_goes_home_for_nobody_else(graph: Graph) -> None:
    graph.start("twin")
    ask = start_panel(graph, robot="emulator")  # a rig: its arm goes home before a task
    graph.until(lambda: "arm" not in [link["name"] for link in ask("status")[1]["links"] if link["silent"]])
    graph.until(lambda: ask("scene")[0] == 200)
    people = [ask("invite", name=name, role="operator", kind="bearer")[1]["token"] for name in ("Ada", "Bob")]
    ways: list[GuardStatus] = graph.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    session = ask("lease", people[0], action="acquire")[1]["session"]
    with Operator(graph, session, people[0]) as operator:
        start = ask("scene")[1]["tip"][0]
        operator.push([0.5, 0.0, 0.0], lambda: ask("scene")[1]["tip"][0] - start > 0.05)
        code, told = ask("scene/reset", people[1], split="train", task=0)
        assert (code, "Ada holds the arm" in told["message"]) == (409, True)
        operator.push([0.5, 0.0, 0.0], lambda: ask("scene")[1]["tip"][0] - start > 0.08)  # it is hers still
        assert not any(told.homing for told in ways)
        code, told = ask("scene/reset", people[0], split="train", task=0)
        assert code == 200, told
        assert ask("scene")[1]["tip"][0] - start < 0.03
        graph.until(lambda: ask("status")[1]["lease"]["holder"] == "")  # who sends the arm home gives it back


@pytest.mark.realtime
def test_one_command_is_enough_to_teach_on_an_emulated_arm(graph: Graph) -> None:
    graph.environment.update(GMPS_PANEL_TOKEN=TOKEN, GMPS_DATA=str(graph.folder / "data"))
    words = ["session:=teach", "robot:=emulator", "panel_port:=0", f"out:={graph.folder}"]
    with (graph.folder / "panel.log").open("wb") as log:
        graph.processes["panel"] = subprocess.Popen(
            [sys.executable, "-m", "gmps_robot_nodes.bringup", *words], env=graph.environment, stdout=log, stderr=log
        )
    ask = page_of(graph)
    graph.until(lambda: "teach at the panel" in graph.log("panel"))
    graph.until(lambda: ask("status")[1]["guard"]["state"] == "ARMED")
    assert ask("status")[1]["phase"] == "idle"  # nothing has begun by itself
    assert ask("scene/reset", split="train", task=0)[0] == 200
    code, told = ask("lease", action="acquire")
    assert code == 200, told
    graph.until(lambda: ask("scene")[0] == 200)
    start = ask("scene")[1]["tip"]
    with Operator(graph, told["session"]) as operator:
        operator.push([0.0, 0.5, 0.0], lambda: ask("scene")[1]["tip"][1] - start[1] > 0.03)


class Operator:
    """A person at the page: repeats a wish twenty times per second."""

    def __init__(self, graph: Graph, session: str, token: str = TOKEN) -> None:
        address = re.search(r"panel: http(://\S+)/login#", graph.log("panel")).group(1)
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(f"ws{address}/ws/teleop", additional_headers={"Authorization": f"Bearer {token}"})
        )
        self._graph, self._session, self._seq = graph, session, 0
        self.answer: dict[str, Any] = {}

    def drive(self, velocity: list[float], seconds: float, enable: bool = True) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._seq += 1
            wish = {"session": self._session, "seq": self._seq, "t_client": now * 1e3, "enable": enable, "v": velocity,
                    "gripper": 0.0}
            self._socket.send(json.dumps(wish))
            self._graph.spin(0.05)
            while (answer := json.loads(self._socket.recv(2.0)))["seq"] < self._seq:
                pass
            self.answer = answer

    def push(self, velocity: list[float], done: Callable[[], bool], again: bool = True) -> None:
        """Hold until `done`, as a person does: whoever has latched lets go and presses again."""
        end = time.monotonic() + 30.0
        while not done():
            assert time.monotonic() < end, (self.answer, self._graph.log("panel")[-1500:])
            if again and not self.answer.get("armed"):
                self.drive(velocity, 0.1, enable=False)
            self.drive(velocity, 0.3)

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def test_a_taken_port_ends_the_panel_with_a_named_error(graph: Graph) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = graph.start("panel", panel_port=taken.getsockname()[1])
        assert process.wait(60.0) == 2
    assert "is taken" in graph.log("panel")
    graph.processes.clear()
