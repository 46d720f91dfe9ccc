"""The panel node in a real graph: what the page shows and asks for reaches the session and the arm."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.ros.conftest import Graph

Ask = Callable[..., tuple[int, Any]]


def page_of(graph: Graph) -> Ask:
    """Return a function that talks to the panel of `graph`."""
    address = graph.until(lambda: re.search(r"panel: (http://\S+)", graph.log("panel"))).group(1)

    def ask(path: str, **body: Any) -> tuple[int, Any]:
        data = None if path == "status" else json.dumps(body).encode()
        request = urllib.request.Request(f"{address}/api/{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    return ask


def test_a_session_is_started_judged_stopped_and_released_from_the_page(graph: Graph, checkpoint: str) -> None:
    graph.start("twin", speed="max")
    graph.start("adapt", checkpoint=checkpoint, out=str(graph.folder / "runs"), evaluations=1, film=False)
    graph.start("panel", panel_port=0, reward="human")
    ask = page_of(graph)

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
    assert ask("stop", reason="test")[0] == 200
    graph.until(lambda: phase() == "stopped")


def test_a_taken_port_ends_the_panel_with_a_named_error(graph: Graph) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = graph.start("panel", panel_port=taken.getsockname()[1])
        assert process.wait(60.0) == 2
    assert "is taken" in graph.log("panel")
    graph.processes.clear()
