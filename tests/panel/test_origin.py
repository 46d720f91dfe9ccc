"""A page of another site, open in the operator's browser, must not reach the arm."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.rights import RIGHTS

FOREIGN = ["https://evil.example", "http://127.0.0.1:9999", "http://localhost", "null", "http://127.0.0.1.evil.example"]


def _commands() -> list[str]:
    return sorted(route.partition(" ")[2] for route in RIGHTS if route.startswith("POST"))


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_command_passes_from_a_foreign_origin(client: TestClient, bridge: FakeBridge, origin: str) -> None:
    for path in _commands():
        answer = client.post(path, headers={"origin": origin}, json={})
        assert (path, answer.status_code) == (path, 403)
        assert "may not use the panel" in answer.json()["message"]
    assert bridge.calls == []


@pytest.mark.parametrize("path", ["/ws/camera", "/ws/status"])
@pytest.mark.parametrize("origin", FOREIGN)
def test_no_stream_opens_for_a_foreign_origin(client: TestClient, path: str, origin: str) -> None:
    url = f"ws://127.0.0.1{path}"
    with client.websocket_connect(url, headers={"origin": "http://127.0.0.1"}) as own:
        assert own.receive()["type"] == "websocket.send"
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(url, headers={"origin": origin}):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("host", ["evil.example", "203.0.113.5:8080", "localhost.evil.example", "", "[::2]:8080"])
def test_a_rebound_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/status", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost:9000"])
def test_the_page_itself_passes_also_through_an_ssh_tunnel(client: TestClient, bridge: FakeBridge, host: str) -> None:
    answer = client.post("/api/arm/stop", headers={"host": host, "origin": f"http://{host}"}, json={})
    assert answer.status_code == 200
    assert [call[0] for call in bridge.calls] == ["arm_stop"]


def test_a_cross_site_request_without_origin_is_refused(client: TestClient) -> None:
    assert client.get("/api/status", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    followed_link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/api/status", headers=followed_link).status_code == 200


def test_a_huge_request_is_refused(client: TestClient, bridge: FakeBridge) -> None:
    assert client.post("/api/stop", json={"reason": "x" * 100_000}).status_code == 413
    assert bridge.calls == []


def test_the_policy_names_no_other_host_and_no_page_loads_from_one(client: TestClient) -> None:
    answer = client.get("/healthz")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"https?:|\*", policy)
    assert client.get("/docs").status_code == 404  # FastAPI's page loads its scripts from another host
