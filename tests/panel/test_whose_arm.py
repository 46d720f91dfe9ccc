"""Whoever teaches moves no arm that somebody else holds, and no scene that is being recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from gmps_robot.control.lease import LEASE_LIFE
from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import Door, Person
from gmps_robot.panel.bridge import Mode
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.settings import PanelSettings
from tests.panel.conftest import Clock

Headers = dict[str, str]


@pytest.fixture(params=["twin", "robot"])
def bridge(request: pytest.FixtureRequest, clock: Clock) -> FakeBridge:
    mode: Mode = request.param
    return FakeBridge(mode=mode, clock=clock)


@pytest.fixture
def client(bridge: FakeBridge, door: Door, clock: Clock, tmp_path: Path) -> Iterator[TestClient]:
    settings = PanelSettings(port=0, runs=tmp_path / "runs")
    panel = Panel.of(bridge, DemoArchive(tmp_path / "data", bridge), settings, door, clock=clock)
    with TestClient(create_api(panel), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def ada(door: Door) -> Headers:
    return _login(door, "Ada")


def _login(door: Door, name: str) -> Headers:
    return {"authorization": f"Bearer {door.issue('bearer', Person(name, 'operator'))}"}


def _post(client: TestClient, path: str, who: Headers, **body: Any) -> Any:
    return client.post(f"/api/{path}", json=body, headers=who)


def _acts(bridge: FakeBridge) -> list[object]:
    return [call[0] for call in bridge.calls if call[0] != "lease_acquire"]


@pytest.mark.parametrize("name", ["Bob", "Ada"])  # another person, and another person of that name
def test_nobody_else_moves_an_arm_that_is_held(
    client: TestClient, bridge: FakeBridge, door: Door, clock: Clock, ada: Headers, name: str
) -> None:
    bob = _login(door, name)
    kept = _post(client, "recorder/start", bob, task=0).json()["episode"]
    clock.now += 1.0
    assert _post(client, "recorder/save", bob, episode=kept, accepted=True).status_code == 200
    episode = _post(client, "recorder/start", ada, task=0).json()["episode"]
    assert _post(client, "lease", ada, action="acquire").status_code == 200
    before = _acts(bridge)
    for path, body in (("scene/reset", {"task": 1}), ("recorder/again", {"episode": episode}),
                       (f"episodes/{kept}/replay", {})):  # fmt: skip
        refused = _post(client, path, bob, **body)
        assert (refused.status_code, "Ada holds the arm" in refused.json()["message"]) == (409, True), path
    assert _acts(bridge) == before
    assert bridge.state().holder == "Ada"


def test_an_arm_that_was_taken_past_this_panel_is_held_too(
    client: TestClient, bridge: FakeBridge, ada: Headers
) -> None:
    bridge.lease_acquire("a program")
    refused = _post(client, "scene/reset", ada, task=1)
    assert (refused.status_code, "a program holds the arm" in refused.json()["message"]) == (409, True)
    assert "reset_scene" not in _acts(bridge)


def test_the_holder_moves_on_and_a_lapsed_lease_is_in_nobodys_way(
    client: TestClient, bridge: FakeBridge, door: Door, clock: Clock, ada: Headers
) -> None:
    _post(client, "lease", ada, action="acquire")
    assert _post(client, "scene/reset", ada, task=1).status_code == 200
    assert bridge.state().holder == ("" if bridge.state().mode == "robot" else "Ada")  # who sends it home gives it back
    _post(client, "lease", ada, action="acquire")
    clock.now += LEASE_LIFE
    assert _post(client, "scene/reset", _login(door, "Bob"), task=2).status_code == 200


def test_a_scene_that_is_being_recorded_stays_as_it_is(
    client: TestClient, bridge: FakeBridge, clock: Clock, ada: Headers
) -> None:
    episode = _post(client, "recorder/start", ada, task=0).json()["episode"]
    clock.now += 1.0
    refused = _post(client, "scene/reset", ada, task=1)
    assert (refused.status_code, f"episode {episode} is being recorded" in refused.json()["message"]) == (409, True)
    assert "reset_scene" not in _acts(bridge)
    again = _post(client, "recorder/again", ada, episode=episode)
    assert again.status_code == 200
    clock.now += 1.0
    refused = _post(client, f"episodes/{episode}/replay", ada)
    assert (refused.status_code, "is being recorded" in refused.json()["message"]) == (409, True)
    assert _post(client, "recorder/save", ada, episode=again.json()["episode"], accepted=True).status_code == 200
    assert _post(client, "scene/reset", ada, task=1).status_code == 200
