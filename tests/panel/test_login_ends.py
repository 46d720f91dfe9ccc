"""A login that ends, by its time or by logging out, ends every stream that was opened with it, and the motion first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from benchmarks.browser import take_the_arm
from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import Door, Person
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from tests.panel.conftest import Clock
from tests.panel.test_lease_desk import Stream

OpenTab = Callable[..., Any]
OWN = {"x-gmps": "1", "origin": "http://127.0.0.1"}
LIFE = 0.9  # of the login, less than that of a lease [s]
LATE = 3.0  # [s]


@pytest.fixture
def ada(panel: Panel, door: Door) -> Iterator[TestClient]:
    """An operator in a browser."""
    with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=OWN) as client:
        client.cookies.set("gmps_panel_80", door.issue("cookie", Person("Ada", "operator"), LIFE))
        yield client


def _log_out(client: TestClient, clock: Clock) -> None:
    assert client.post("/api/logout").status_code == 200


def _expire(client: TestClient, clock: Clock) -> None:
    clock.now += LIFE


def _closed(socket: Any) -> dict[str, Any]:
    """What ends `socket`, whatever is on its way to the page before."""
    end = time.monotonic() + LATE
    while True:
        message: dict[str, Any] = socket.receive()
        if message["type"] == "websocket.close":
            return message
        assert time.monotonic() < end


@pytest.mark.parametrize("end", [_log_out, _expire])
@pytest.mark.parametrize("path", ["status", "camera"])
def test_what_is_shown_ends_with_the_login(ada: TestClient, clock: Clock, path: str, end: Callable[..., None]) -> None:
    with ada.websocket_connect(f"ws://127.0.0.1/ws/{path}") as socket:
        assert socket.receive()["type"] == "websocket.send"
        end(ada, clock)
        closed = _closed(socket)
    assert (closed["code"], closed["reason"]) == (4401, "your login has ended: log in again")


@pytest.mark.parametrize("end", [_log_out, _expire])
def test_whoever_is_logged_out_moves_no_more_and_gives_the_arm_back(
    ada: TestClient, bridge: FakeBridge, panel: Panel, clock: Clock, end: Callable[..., None]
) -> None:
    with ada.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        session = ada.post("/api/lease", json={"action": "acquire"}).json()["session"]
        stream = Stream(socket, session, clock)
        stream.say(False)
        assert stream.say(True)["armed"]
        end(ada, clock)
        assert _closed(socket)["code"] == 4401
    moves = [call[1] for call in bridge.calls if call[0] == "teleop"]
    assert (moves[-2], moves[-1]) == ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert bridge.state().holder == ""


def test_the_trip_says_that_the_login_has_ended(
    ada: TestClient, panel: Panel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[str] = []
    monkeypatch.setattr(panel.journal, "note", lambda *words: trips.append(words[3]))
    with ada.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        stream = Stream(socket, ada.post("/api/lease", json={"action": "acquire"}).json()["session"], clock)
        stream.say(False)
        assert stream.say(True)["armed"]
        _log_out(ada, clock)
        _closed(socket)
    assert trips[-1] == "your login has ended: log in again"


def test_another_login_of_the_same_person_goes_on(ada: TestClient, door: Door, clock: Clock) -> None:
    other = {"authorization": f"Bearer {door.issue('bearer', Person('Ada', 'operator'))}"}
    with ada.websocket_connect("ws://127.0.0.1/ws/teleop", headers=other) as socket:
        lease = ada.post("/api/lease", json={"action": "acquire"}, headers=other).json()
        stream = Stream(socket, lease["session"], clock)
        stream.say(False)
        _log_out(ada, clock)
        assert stream.say(True)["armed"]
        time.sleep(0.1)
        assert stream.say(True)["armed"]


def test_a_page_gives_the_arm_back_and_goes_to_the_login_when_another_tab_logs_out(open_tab: OpenTab) -> None:
    tab = open_tab(role="operator")
    page = tab.page
    take_the_arm(page)
    other = page.context.new_page()
    other.goto(f"{page.url.split('#')[0]}#episodes")
    other.evaluate("fetch('/api/logout', {method: 'POST', headers: {'x-gmps': '1'}})")
    page.wait_for_url("**/login")
    assert tab.calls("lease_release")
    assert tab.bridge.state().holder == ""
