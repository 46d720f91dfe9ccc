"""The panel's view of real episode files, runs on disk, and a catalogue or a file that is damaged."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from gmps_robot.control.kinematics import forward
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.keep import keep
from gmps_robot.data.models import Run
from gmps_robot.panel import curves
from gmps_robot.panel.app import create_api
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.auth import Door
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_picture import SCALE
from gmps_robot.panel.settings import PanelSettings
from tests.data.made_episodes import info, write
from tests.panel.conftest import BEARER


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path, f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


@pytest.fixture
def reader(catalog: Catalog, bridge: FakeBridge, door: Door) -> Iterator[TestClient]:
    panel = Panel.of(bridge, Archive(catalog), PanelSettings(port=0), door)
    with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=BEARER) as client:
        yield client


def test_a_recorded_file_is_shown_step_by_step(catalog: Catalog, reader: TestClient) -> None:
    saved = write(catalog.data, info(), steps=20)
    keep(catalog, saved.path)
    row = reader.get("/api/episodes").json()["episodes"][0]
    assert (row["steps"], row["operator"], row["accepted"], row["mode"]) == (20, "ada", True, "twin")
    told = reader.get(f"/api/episodes/{row['episode']}").json()
    assert told["sha256"] == saved.sha256
    assert told["task"]["family"] == "push"
    signals = reader.get(f"/api/episodes/{row['episode']}/signals").json()
    assert signals["t"][:3] == pytest.approx([0.0, 0.05, 0.1])
    assert signals["commanded"][3][0] == pytest.approx(2.0 * signals["applied"][3][0])  # the guard halved it
    assert signals["object"][4][0] == pytest.approx(0.52)
    jpeg = reader.get(f"/api/episodes/{row['episode']}/frames/19.jpg").content
    assert simplejpeg.decode_jpeg(jpeg).shape == (48, 64, 3)


def test_the_ghost_lies_where_the_camera_sees_the_joints_and_says_why_it_is_not_there(
    catalog: Catalog, reader: TestClient, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    same, other = (write(catalog.data, info(rig=rig), steps=20) for rig in ("nominal", "another"))
    for saved in (same, other):
        keep(catalog, saved.path)
    ghost = reader.get(f"/api/episodes/{same.info.episode}/ghost/3").json()
    assert (ghost["width"], ghost["height"], ghost["why"]) == (640, 480, "")
    tip = np.array(bridge.camera().projection).reshape(3, 4) @ [*forward(np.full((1, 7), 0.3)).position[0], 1.0]
    pads = np.concatenate([np.array(outline) for outline in ghost["arm"][-2:]])
    assert np.linalg.norm(pads.mean(axis=0) - tip[:2] / tip[2]) < 25.0  # seen from above, 1 mm is about 1 pixel
    led = np.array(ghost["asked"][0]).mean(axis=0) - np.array(ghost["arm"][-3]).mean(axis=0)
    assert led == pytest.approx([0.5 * 0.1 * SCALE, 0.0], abs=0.2)  # where 0.1 m/s along x leads it in half a second
    assert "recorded on the rig another" in reader.get(f"/api/episodes/{other.info.episode}/ghost/3").json()["why"]
    assert reader.get(f"/api/episodes/{same.info.episode}/ghost/20").status_code == 404
    monkeypatch.setattr(bridge, "camera", lambda: None)
    unknown = reader.get(f"/api/episodes/{same.info.episode}/ghost/3").json()
    assert unknown["arm"] == []
    assert "not known how the picture sees the arm" in unknown["why"]


def test_statistics_speak_of_the_episodes_that_the_filters_let_through(catalog: Catalog, reader: TestClient) -> None:
    for steps, operator in ((20, "ada"), (40, "ada"), (30, "bob")):
        saved = write(catalog.data, info(operator=operator), steps=steps)
        keep(catalog, saved.path)
        catalog.label(saved.info.episode, "success", 1, operator)
    told = reader.get("/api/statistics?operator=ada").json()
    assert (told["all"]["episodes"], told["all"]["minutes"]) == (2, pytest.approx(3.0 / 60.0))
    assert (told["all"]["successes"], told["all"]["judged"]) == (2, 2)
    assert 0.3 < told["all"]["low"] < 0.4  # two of two is no certainty
    assert [(row["name"], row["episodes"]) for row in told["groups"]["operator"]] == [("ada", 2)]
    assert told["measures"]["speed"]["mean"] == pytest.approx(0.1, rel=0.1)
    assert reader.get("/api/statistics?label=fail").json()["all"]["episodes"] == 0
    assert reader.get("/api/statistics?label=maybe").status_code == 422


def test_a_file_that_is_damaged_or_gone_is_named_and_the_others_stay(catalog: Catalog, reader: TestClient) -> None:
    good, torn, gone = (write(catalog.data, info(), steps=20) for _ in range(3))
    for saved in (good, torn, gone):
        keep(catalog, saved.path)
    torn.path.write_bytes(torn.path.read_bytes()[:2000])
    gone.path.unlink()
    for saved in (torn, gone):
        for part in ("signals", "frames/0.jpg"):
            answer = reader.get(f"/api/episodes/{saved.info.episode}/{part}")
            assert answer.status_code == 422
            assert saved.info.episode in answer.json()["message"]
    assert reader.get("/api/episodes").json()["total"] == 3
    assert reader.get(f"/api/episodes/{good.info.episode}/signals").status_code == 200


def test_a_database_that_fails_is_said_and_does_not_keep_anybody_from_stopping(
    catalog: Catalog, reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("database or disk is full"))

    for name in ("episodes", "audit"):
        monkeypatch.setattr(catalog, name, locked)
    answer = reader.get("/api/episodes")
    assert answer.status_code == 503
    assert "disk is full" in answer.json()["message"]
    assert reader.post("/api/arm/stop", json={}).status_code == 200


def test_runs_show_their_curves_and_a_torn_last_line_does_no_harm(
    catalog: Catalog, reader: TestClient, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lines = [json.dumps({"step": k, "success": k / 1000, "loss": float("nan")}) for k in range(1200)]
    (folder / curves.FILE).write_text("\n".join([*lines, '{"step": 1200, "succ']))
    run = uuid.uuid4().hex
    catalog.put(
        Run(
            id=run, kind="meta", name="push-vision", path=str(folder), config={}, seed=0, revision="r",
            state="running", started_ns=time.time_ns(), ended_ns=None, dataset=None,
        )
    )
    assert [row["run"] for row in reader.get("/api/runs").json()["runs"]] == [run]
    told = reader.get(f"/api/runs/{run}").json()["curves"]
    assert list(told) == ["success"]
    assert told["success"][0] == [0.0, 0.0]
    assert told["success"][-1] == [1199.0, 1.199]
    assert len(told["success"]) <= curves.POINTS + 1
