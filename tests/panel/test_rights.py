"""Every route and every role, from the table of routes itself: a route that is not in it does not exist."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import ROLES, Door, Person, Role
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.rights import RIGHTS

EPISODE = "0" * 32


def _path(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: "0" if match[1] == "frame" else EPISODE, template)


def _served(panel: Panel) -> set[str]:
    routes = set()
    for route in iter_route_contexts(create_api(panel).routes):
        for method in route.methods or {"WS"}:
            routes.add(f"{method} {route.path}")
    return routes - {"HEAD /api/openapi.json"}


def test_the_table_names_exactly_the_routes_there_are(panel: Panel) -> None:
    assert _served(panel) == set(RIGHTS)


@pytest.fixture
def anonymous(panel: Panel) -> TestClient:
    return TestClient(create_api(panel), base_url="http://127.0.0.1", headers={"x-gmps": "1"})


def _header(door: Door, role: Role) -> dict[str, str]:
    return {"authorization": f"Bearer {door.issue('bearer', Person(role, role))}"}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_route_for_every_role(anonymous: TestClient, bridge: FakeBridge, door: Door, role: Role | None) -> None:
    headers = {} if role is None else _header(door, role)
    for route, right in RIGHTS.items():
        method, _, template = route.partition(" ")
        may = right == "public" or (role is not None and Person(role, role).may(right))
        if method == "WS":
            refusal = 4401 if role is None else 4403
            origin = {"origin": "http://127.0.0.1"}
            assert (route, _opens(anonymous, template, {**headers, **origin})) == (route, None if may else refusal)
            continue
        before = len(bridge.calls)
        body = {} if method == "POST" else None
        status = anonymous.request(method, _path(template), headers=headers, json=body).status_code
        if not may:
            assert (route, status) == (route, 401 if role is None else 403)
            assert bridge.calls[before:] == []
        elif route != "POST /api/login":  # which answers 401 to a wrong token, and here to none at all with 422
            assert (route, status) != (route, 401)
            assert (route, status) != (route, 403)
            assert status < 500


def _opens(client: TestClient, path: str, headers: dict[str, str]) -> int | None:
    """The code with which the stream is closed at once; None when it stays open."""
    with client.websocket_connect(f"ws://127.0.0.1{path}", headers=headers) as socket:
        if path == "/ws/teleop":
            socket.send_text("{}")  # misshapen: the answer is a close of its own, after the gate
        message = socket.receive()
    return message["code"] if message["type"] == "websocket.close" and message["code"] != 1008 else None


def test_stop_works_for_a_viewer_and_nothing_else_that_acts(
    anonymous: TestClient, bridge: FakeBridge, door: Door
) -> None:
    viewer = _header(door, "viewer")
    assert anonymous.post("/api/arm/stop", json={"reason": "too close"}, headers=viewer).status_code == 200
    refused = anonymous.post("/api/arm/reset_fault", headers=viewer)
    assert refused.status_code == 403
    assert "needs the role operator" in refused.json()["message"]
    assert bridge.calls == [("arm_stop", "too close")]


def test_stop_is_never_limited(anonymous: TestClient, bridge: FakeBridge, door: Door) -> None:
    viewer = _header(door, "viewer")
    for _ in range(20):
        anonymous.get("/api/status", headers={"authorization": "Bearer wrong"})
    assert anonymous.get("/api/status", headers={"authorization": "Bearer wrong"}).status_code == 429
    statuses = {anonymous.post("/api/arm/stop", json={}, headers=viewer).status_code for _ in range(50)}
    assert statuses == {200}


def test_the_page_and_its_socket_are_for_whoever_is_logged_in(anonymous: TestClient) -> None:
    assert anonymous.get("/_nicegui/anything.js").status_code == 401
    own = {"origin": "http://127.0.0.1"}
    assert _opens(anonymous, "/_nicegui_ws/socket.io/", own) == 4401


def test_a_cookie_alone_opens_no_stream_without_the_origin_that_browsers_send(
    anonymous: TestClient, door: Door
) -> None:
    anonymous.cookies.set("gmps_panel_80", door.issue("cookie", Person("Ada", "operator")))
    for path in ("/ws/status", "/ws/camera", "/ws/teleop"):
        assert _opens(anonymous, path, {"origin": "http://127.0.0.1"}) is None
        with pytest.raises(WebSocketDisconnect) as refused, anonymous.websocket_connect(f"ws://127.0.0.1{path}"):
            pass
        assert refused.value.code == 1008


def test_an_unknown_route_does_not_exist_for_anybody(client: TestClient) -> None:
    assert client.get("/api/secret").status_code == 404
    assert client.get("/ws/teleop").status_code == 404
    assert client.get("/api/arm/stop").status_code == 405
    for path in ("/api//audit", "/api/audit/", "/api/episodes/%2e%2e", "/api/episodes/..%2f..%2fetc%2fpasswd"):
        assert client.get(path).status_code in (404, 422)
