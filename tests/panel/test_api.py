"""What programs and the page may ask over HTTP, and what they are told when it goes wrong."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
from fastapi.testclient import TestClient

from gmps_robot.errors import GmpsError, SessionError, TaskError
from gmps_robot.panel.app import create_api
from gmps_robot.panel.bridge import GuardView
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from tests.panel.conftest import BEARER


def test_start_reaches_the_bridge_with_what_was_asked(client: TestClient, bridge: FakeBridge) -> None:
    answer = client.post("/api/start", json={"task": 7, "split": "val", "episodes": 10, "updates": 3})
    assert answer.status_code == 200
    assert bridge.calls == [("start", 7, "val", 10, 3)]
    assert (answer.json()["phase"], answer.json()["task"]) == ("awaiting_reset", "push-val-s0-7")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"task": -1}, "task"),
        ({"split": "tets"}, "split"),
        ({"episodes": 1}, "episodes"),
        ({"episodes": "20"}, "episodes"),
        ({"updates": 21}, "updates"),
        ({"episods": 20}, "episods"),
    ],
)
def test_a_misshapen_start_names_the_field_and_starts_nothing(
    client: TestClient, bridge: FakeBridge, body: dict[str, object], named: str
) -> None:
    answer = client.post("/api/start", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["message"]
    assert bridge.calls == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(SessionError("a session is running"), 409), (TaskError("no task 900 in split 'test'"), 400),
     (GmpsError("the adapt node did not answer within 5 s"), 503)],
)
def test_a_refusal_leaves_with_the_same_text(
    client: TestClient, bridge: FakeBridge, error: GmpsError, status: int
) -> None:
    bridge.failure = error
    answer = client.post("/api/start", json={})
    assert answer.status_code == status
    assert answer.json() == {"error": type(error).__name__, "message": str(error)}


def test_a_reward_is_given_in_the_name_of_who_is_logged_in(client: TestClient, bridge: FakeBridge, clock) -> None:
    client.post("/api/start", json={})
    client.post("/api/reset_done")
    clock.now += 1.1
    assert client.get("/api/status").json()["phase"] == "awaiting_label"
    assert client.post("/api/label", json={"value": 1.0, "episode": 1}).status_code == 200
    assert bridge.state().session.judged_by == "token"  # the name behind the bearer token


def test_a_label_for_an_episode_that_is_over_is_refused(client: TestClient, bridge: FakeBridge, clock) -> None:
    client.post("/api/start", json={})
    client.post("/api/reset_done")
    clock.now += 1.1
    assert client.get("/api/status").json()["phase"] == "awaiting_label"
    assert client.post("/api/label", json={"value": 1.0, "episode": 1}).status_code == 200
    late = client.post("/api/label", json={"value": 0.0, "episode": 1})
    assert late.status_code == 409
    assert "episode 1" in late.json()["message"]
    assert client.get("/api/status").json()["before"]["successes"] == 1


@pytest.mark.parametrize(
    "name", ["pause", "resume", "stop", "reset_done", "accept", "roll_back", "arm/reset_fault", "arm/enable"]
)
def test_a_command_out_of_turn_says_why(client: TestClient, name: str) -> None:
    answer = client.post(f"/api/{name}", json={"reason": "test"} if name == "stop" else None)
    assert answer.status_code == 409
    assert len(answer.json()["message"]) > 15


def test_pause_resume_and_stop(client: TestClient, bridge: FakeBridge) -> None:
    client.post("/api/start", json={})
    assert client.post("/api/pause").json()["paused"] is True
    assert client.post("/api/resume").json()["paused"] is False
    assert client.post("/api/stop", json={"reason": "lunch"}).json()["phase"] == "stopped"
    assert [call[0] for call in bridge.calls] == ["start", "pause", "resume", "stop"]


def test_a_person_can_overrule_the_decision(client: TestClient, bridge: FakeBridge, clock) -> None:
    client.post("/api/start", json={"episodes": 2})
    for _ in range(60):
        state = client.get("/api/status").json()
        if state["phase"] == "awaiting_reset":
            client.post("/api/reset_done")
        elif state["phase"] == "awaiting_label":
            client.post("/api/label", json={"value": float(state["stage"] == "after"), "episode": state["episode"]})
        clock.now += 1.1
    assert (state["phase"], state["decision"]) == ("done", "accepted")
    assert client.post("/api/roll_back").json()["decision"] == "rolled_back"
    assert client.post("/api/accept").json()["decision"] == "accepted"


def test_releasing_a_stop_never_lets_a_session_run_on_by_itself(client: TestClient, bridge: FakeBridge) -> None:
    client.post("/api/start", json={})
    client.post("/api/reset_done")
    bridge.show(GuardView("FAULT", "tip 12 mm outside the box"))  # the guard's own fault: the session was not paused
    state = client.post("/api/arm/reset_fault").json()
    assert (state["guard"]["state"], state["paused"], state["phase"]) == ("ARMED", True, "evaluating")


def test_after_kill_it_takes_two_acts_until_the_arm_may_move(client: TestClient, bridge: FakeBridge) -> None:
    client.post("/api/start", json={})
    client.post("/api/reset_done")
    state = client.post("/api/arm/kill", json={"reason": "smoke"}).json()
    assert (state["guard"]["state"], state["paused"]) == ("ESTOP", True)
    assert client.post("/api/arm/enable").status_code == 409  # the stop comes first
    assert client.post("/api/resume").status_code == 409
    assert client.post("/api/arm/reset_fault").json()["guard"]["state"] == "DISABLED"
    assert client.post("/api/resume").status_code == 409
    state = client.post("/api/arm/enable").json()
    assert (state["guard"]["state"], state["paused"]) == ("ARMED", True)
    assert client.post("/api/resume").json()["paused"] is False


def test_switching_the_motors_on_never_lets_a_session_run_on_by_itself(client: TestClient, bridge: FakeBridge) -> None:
    client.post("/api/start", json={})
    client.post("/api/reset_done")
    bridge.show(GuardView("DISABLED", "the motors went off"))  # by themselves: the session was not paused
    state = client.post("/api/arm/enable").json()
    assert (state["guard"]["state"], state["paused"]) == ("ARMED", True)


def test_stop_does_not_queue_behind_commands_that_hang(panel: Panel, bridge: FakeBridge) -> None:
    hang = threading.Event()
    bridge.pause = hang.wait  # type: ignore[method-assign]

    async def flood() -> float:
        transport = httpx.ASGITransport(app=create_api(panel))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=BEARER) as http:
            stuck = [asyncio.create_task(http.post("/api/pause")) for _ in range(60)]  # more than there are threads
            await asyncio.sleep(0.3)
            begin = asyncio.get_running_loop().time()
            answer = await asyncio.wait_for(http.post("/api/arm/stop", json={}), 5.0)
            waited = asyncio.get_running_loop().time() - begin
            assert answer.status_code == 200
            assert not any(task.done() for task in stuck)
            hang.set()
            await asyncio.gather(*stuck)
            return waited

    assert asyncio.run(flood()) < 0.5
    assert bridge.state().guard.state == "FAULT"


def test_health_names_what_is_silent(client: TestClient, bridge: FakeBridge) -> None:
    assert client.get("/healthz").json() == {"ok": True, "silent": []}
    bridge.silent["camera"] = 9.0
    assert client.get("/healthz").json() == {"ok": True, "silent": ["camera"]}
