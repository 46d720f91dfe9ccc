"""Teaching over the API: choose, record, label, save or discard; and everything that can be asked for in vain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from gmps_robot.errors import SessionError
from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import Door
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.settings import PanelSettings
from tests.panel.conftest import BEARER, Clock

UNKNOWN = "ab" * 16


@pytest.fixture
def teacher(bridge: FakeBridge, door: Door, tmp_path: Path) -> Iterator[TestClient]:
    """A client with a catalogue of its own."""
    settings = PanelSettings(port=0, runs=tmp_path / "runs")
    panel = Panel.of(bridge, DemoArchive(tmp_path / "data", bridge), settings, door)
    with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=BEARER) as client:
        yield client


def _record(client: TestClient, clock: Clock, task: int = 0, seconds: float = 2.0) -> str:
    episode: str = client.post("/api/recorder/start", json={"task": task}).json()["episode"]
    clock.now += seconds
    return episode


def test_an_episode_from_choice_to_replay(teacher: TestClient, bridge: FakeBridge, clock: Clock) -> None:
    plan = teacher.get("/api/tasks").json()
    assert (plan["family"], plan["next"], plan["accepted"]) == ("push", 0, 0)
    assert teacher.post("/api/scene/reset", json={"task": plan["next"]}).json() == {"message": ""}
    assert teacher.get("/api/status").json()["teach"]["task_id"] == "push-train-s0-0"
    episode = teacher.post("/api/recorder/start", json={}).json()["episode"]
    clock.now += 2.0
    recorder = teacher.get("/api/status").json()["recorder"]
    assert (recorder["state"], recorder["episode"], recorder["task_id"]) == ("recording", episode, "push-train-s0-0")
    assert recorder["steps"] == 41
    live = {"kind": "reward", "value": 1.0, "step_from": 10, "step_to": 11}
    assert teacher.post(f"/api/episodes/{episode}/labels", json=live).json()["id"] == "pending"
    assert teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True}).status_code == 200
    row = teacher.get("/api/episodes").json()["episodes"][0]
    assert (row["episode"], row["accepted"], row["operator"], row["reward"]) == (episode, True, "token", 1.0)
    signals = teacher.get(f"/api/episodes/{episode}/signals").json()
    assert len(signals["t"]) == len(signals["applied"]) == row["steps"]
    assert signals["reward"][10] == 1.0
    assert teacher.get(f"/api/episodes/{episode}/frames/0.jpg").content[:2] == b"\xff\xd8"
    assert teacher.post(f"/api/episodes/{episode}/replay").status_code == 200
    assert bridge.calls[-1] == ("replay", episode)
    plan = teacher.get("/api/tasks").json()
    assert (plan["accepted"], plan["tasks"][0]["accepted"], plan["next"]) == (1, 1, 1)


def test_a_panel_that_was_started_anew_goes_on_with_the_open_episode(
    bridge: FakeBridge, door: Door, clock: Clock, tmp_path: Path
) -> None:
    archive, episode = DemoArchive(tmp_path / "data", bridge), ""
    for value in (0.5, 1.0):  # the first panel is gone when the second one hears of the second reward
        panel = Panel.of(bridge, archive, PanelSettings(port=0, runs=tmp_path / "runs"), door)
        with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=BEARER) as client:
            episode = episode or _record(client, clock)
            live = {"kind": "reward", "value": value, "step_from": round(10 * value), "step_to": round(10 * value) + 1}
            assert client.post(f"/api/episodes/{episode}/labels", json=live).json()["id"] == "pending"
            if value == 1.0:
                client.post("/api/recorder/save", json={"episode": episode, "accepted": True})
                rewards = client.get(f"/api/episodes/{episode}/signals").json()["reward"]
    assert (rewards[5], rewards[10], rewards[11]) == (0.5, 1.0, None)


def test_labels_are_added_and_never_changed(teacher: TestClient, clock: Clock) -> None:
    episode = _record(teacher, clock)
    teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
    path = f"/api/episodes/{episode}/labels"
    first = teacher.post(path, json={"kind": "success", "value": 0.0}).json()
    second = teacher.post(path, json={"kind": "success", "value": 1.0}).json()
    assert second["supersedes"] == first["id"]
    said = [label for label in teacher.get(path).json()["labels"] if label["kind"] == "success"]
    assert [(label["value"], label["author"]) for label in said] == [(0.0, "token"), (1.0, "token")]
    assert said[0]["created_at"] <= said[1]["created_at"]
    assert teacher.get("/api/episodes?label=success").json()["total"] == 1
    assert teacher.get("/api/episodes?label=fail").json()["total"] == 0


def test_while_the_catalogue_is_away_an_open_episode_is_judged_all_the_same(
    bridge: FakeBridge, door: Door, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = DemoArchive(tmp_path / "data", bridge)
    panel = Panel.of(bridge, archive, PanelSettings(port=0, runs=tmp_path / "runs"), door)
    with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=BEARER) as teacher:
        episode = _record(teacher, clock)
        monkeypatch.setattr(archive.catalog, "engine", create_engine("sqlite:////nowhere/catalog.db"))
        verdict = {"kind": "success", "value": 1.0, "key": f"{episode}-success"}
        assert teacher.post(f"/api/episodes/{episode}/labels", json=verdict).json()["id"] == "pending"
        refused = teacher.get(f"/api/episodes/{UNKNOWN}")
        assert (refused.status_code, refused.json()["error"]) == (503, "StorageError")  # who knows whether there is one
        monkeypatch.undo()
        assert teacher.get(f"/api/episodes/{UNKNOWN}").status_code == 404
        teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
        assert teacher.get(f"/api/episodes/{episode}").json()["success"] == 1
        archive.catalog.journal.unlink()
        archive.catalog.journal.mkdir()  # the disk refuses
        refused = teacher.post(f"/api/episodes/{episode}/labels", json={"kind": "success", "value": 0.0})
        assert (refused.status_code, "nothing was written down" in refused.json()["message"]) == (503, True)


def test_a_label_that_is_sent_twice_is_one(teacher: TestClient, clock: Clock) -> None:
    episode = _record(teacher, clock)
    teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
    body = {"kind": "success", "value": 1.0, "key": "click-7"}
    ids = {teacher.post(f"/api/episodes/{episode}/labels", json=body).json()["id"] for _ in range(3)}
    assert len(ids) == 1


def test_a_discarded_episode_is_kept_apart_and_can_be_done_again(
    teacher: TestClient, bridge: FakeBridge, clock: Clock
) -> None:
    episode = _record(teacher, clock, task=4)
    again = teacher.post("/api/recorder/again", json={"episode": episode, "reason": "hit the table"}).json()["episode"]
    assert again != episode
    assert [call[0] for call in bridge.calls][-3:] == ["record_discard", "reset_scene", "record_start"]
    row = teacher.get("/api/episodes?status=discarded").json()["episodes"][0]
    assert row["episode"] == episode
    assert teacher.get(f"/api/episodes/{episode}").json()["reason"] == "hit the table"
    assert teacher.get("/api/tasks").json()["tasks"][4]["recorded"] == 0


def test_a_plan_is_a_decision_of_a_person(teacher: TestClient) -> None:
    plan = teacher.post("/api/plan", json={"tasks": 3, "per_task": 2}).json()
    assert (len(plan["tasks"]), plan["quota"], plan["wanted"]) == (3, 2, 6)
    refused = teacher.post("/api/scene/reset", json={"task": 3})
    assert refused.status_code == 400
    assert "valid: 0 to 2" in refused.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "scene/reset", {"task": 999}, 400, "not in the plan"),
        ("POST", "scene/reset", {"task": 0, "split": "tomorrow"}, 422, "split"),
        ("POST", "recorder/start", {}, 409, "choose a task"),
        ("POST", "recorder/start", {"task": 999}, 400, "not in the plan"),
        ("POST", "recorder/save", {"episode": UNKNOWN, "accepted": True}, 409, "is not open"),
        ("POST", "recorder/discard", {"episode": UNKNOWN}, 409, "is not open"),
        ("POST", "recorder/again", {"episode": UNKNOWN}, 409, "choose a task"),
        ("POST", "recorder/save", {"episode": "../../etc/passwd", "accepted": True}, 422, "episode"),
        ("GET", f"episodes/{UNKNOWN}", None, 404, UNKNOWN),
        ("GET", f"episodes/{UNKNOWN}/signals", None, 404, UNKNOWN),
        ("GET", f"episodes/{UNKNOWN}/labels", None, 404, UNKNOWN),
        ("GET", f"episodes/{UNKNOWN}/frames/0.jpg", None, 404, UNKNOWN),
        ("POST", f"episodes/{UNKNOWN}/labels", {"kind": "success", "value": 1.0}, 404, UNKNOWN),
        ("POST", f"episodes/{UNKNOWN}/labels", {"kind": "sucess", "value": 1.0}, 422, "kind"),
        ("POST", f"episodes/{UNKNOWN}/replay", None, 404, UNKNOWN),
        ("GET", f"runs/{UNKNOWN}", None, 404, UNKNOWN),
        ("POST", "checkpoint", {"name": "push-visoin"}, 400, "did you mean 'push-vision'"),
        ("POST", "checkpoint", {"name": "../../secret"}, 400, "no checkpoint '../../secret'"),
        ("POST", "lease", {"action": "release", "session": "x"}, 409, "Take the arm"),
        ("POST", "plan", {"tasks": 0, "per_task": 3}, 422, "tasks"),
    ],
)  # fmt: skip
def test_what_is_asked_in_vain_is_refused_in_words(
    client: TestClient, bridge: FakeBridge, method: str, path: str, body: object, status: int, words: str
) -> None:
    answer = client.request(method, f"/api/{path}", json=body)
    assert answer.status_code == status
    assert words in answer.json()["message"]
    acts = {"reset_scene", "record_start", "replay", "choose_checkpoint"}
    assert not acts & {call[0] for call in bridge.calls}


def test_an_episode_has_no_more_pictures_than_steps(teacher: TestClient, clock: Clock) -> None:
    episode = _record(teacher, clock)
    teacher.post("/api/recorder/save", json={"episode": episode, "accepted": False})
    refused = teacher.get(f"/api/episodes/{episode}/frames/99999.jpg")
    assert refused.status_code == 404
    assert "valid: 0 to 40" in refused.json()["message"]
    beyond = {"kind": "reward", "value": 1.0, "step_from": 40, "step_to": 42}
    assert "41 steps" in teacher.post(f"/api/episodes/{episode}/labels", json=beyond).json()["message"]


def test_a_recorder_that_refuses_is_heard(teacher: TestClient, bridge: FakeBridge) -> None:
    bridge.failure = SessionError("1.2 GiB are free on the disk; the recorder needs 2 GiB: gmps data prune frees some")
    refused = teacher.post("/api/recorder/start", json={"task": 0})
    assert refused.status_code == 409
    assert "gmps data prune" in refused.json()["message"]


def test_checkpoints_of_runs_are_offered_and_loaded_by_their_place(
    teacher: TestClient, bridge: FakeBridge, tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "gmps_robot" / "checkpoints" / "push-vision"
    own = tmp_path / "runs" / "mine"
    own.mkdir(parents=True)
    for name in ("config.yaml", "weights.safetensors"):
        (own / name).symlink_to(shipped / name)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.yaml").write_text("a: [")
    (tmp_path / "runs" / "broken" / "weights.safetensors").touch()
    told = teacher.get("/api/checkpoints").json()
    names = {row["name"]: row for row in told["checkpoints"]}
    assert {"push-vision", "push-vision-camera", "mine"} == set(names)
    assert (names["mine"]["shipped"], names["mine"]["family"]) == (False, "push")
    assert teacher.post("/api/checkpoint", json={"name": "mine"}).status_code == 200
    assert bridge.calls[-1] == ("choose_checkpoint", str(own))


def test_a_catalogue_that_fails_costs_no_act(
    panel: Panel, bridge: FakeBridge, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    panel.archive.catalog.audit = full  # type: ignore[method-assign]
    try:
        with TestClient(create_api(replace(panel)), base_url="http://127.0.0.1", headers=BEARER) as client:
            assert client.post("/api/arm/stop", json={}).status_code == 200
    finally:
        del panel.archive.catalog.audit
    assert bridge.state().guard.state == "FAULT"
    assert "not stored" in caplog.text


def test_a_reward_of_this_moment_has_the_step_that_is_being_recorded(teacher: TestClient, clock: Clock) -> None:
    episode = _record(teacher, clock)
    path, live = f"/api/episodes/{episode}/labels", {"kind": "reward", "value": 1.0, "now": True}
    assert teacher.post(path, json=live).json()["step_from"] == 41
    clock.now += 0.5
    assert teacher.post(path, json=live).json()["step_from"] == 51
    clock.now += 0.5
    refused = teacher.post(path, json={**live, "step_from": 3, "step_to": 4})
    assert (refused.status_code, "leave step_from and step_to out" in refused.json()["message"]) == (409, True)
    teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
    rewards = teacher.get(f"/api/episodes/{episode}/signals").json()["reward"]
    assert [step for step, reward in enumerate(rewards) if reward is not None] == [41, 51]
    refused = teacher.post(path, json=live)
    assert (refused.status_code, "is not being recorded" in refused.json()["message"]) == (409, True)


@pytest.mark.parametrize("kept", [False, True])
def test_a_key_stands_for_one_press(teacher: TestClient, clock: Clock, kept: bool) -> None:
    episode = _record(teacher, clock)
    path, click = f"/api/episodes/{episode}/labels", {"kind": "success", "value": 1.0, "key": "click-7"}
    if kept:
        teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
    assert teacher.post(path, json=click).status_code == 200
    assert teacher.post(path, json=click).status_code == 200
    refused = teacher.post(path, json={**click, "value": 0.0})
    assert (refused.status_code, refused.json()["error"]) == (409, "LabelError")
    assert "key 'click-7' is of a label 'success' of value 1" in refused.json()["message"]
    assert teacher.post(path, json={**click, "value": 0.0, "key": "click-8"}).status_code == 200
    if not kept:
        teacher.post("/api/recorder/save", json={"episode": episode, "accepted": True})
    said = [label for label in teacher.get(path).json()["labels"] if label["kind"] == "success"]
    assert [(label["value"], label["supersedes"]) for label in said] == [(1.0, None), (0.0, said[0]["id"])]
