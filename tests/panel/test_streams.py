"""Camera pictures one at a time, status whenever it changes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import simplejpeg
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gmps_robot.panel.app import create_api
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.streams import FRAME_HEADER
from tests.panel.conftest import BEARER


def test_a_slow_page_skips_pictures_and_never_lags(client: TestClient, clock) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/camera") as socket:
        first = socket.receive_bytes()
        seq, stamp_ns = FRAME_HEADER.unpack_from(first)
        assert stamp_ns == int(clock.now * 1e9)
        assert simplejpeg.decode_jpeg(first[FRAME_HEADER.size :]).shape == (480, 640, 3)
        clock.now += 1.0  # twenty pictures come and go while the page draws the first
        time.sleep(0.1)
        socket.send_text(str(seq))
        assert FRAME_HEADER.unpack_from(socket.receive_bytes())[0] == seq + 20


def _with(panel: Panel, **settings: Any) -> TestClient:
    changed = replace(panel, settings=replace(panel.settings, **settings))
    return TestClient(create_api(changed), base_url="http://127.0.0.1", headers=BEARER)


def test_nothing_is_sent_before_the_page_has_drawn(panel: Panel, clock) -> None:
    client = _with(panel, ack_timeout=0.3)
    with client.websocket_connect("ws://127.0.0.1/ws/camera") as socket:
        socket.receive_bytes()
        clock.now += 1.0
        with pytest.raises(WebSocketDisconnect) as closed:  # the next thing to come is the end, not a picture
            socket.receive_bytes()
    assert closed.value.code == 1001


def test_viewers_are_bounded_and_leave_room_when_they_go(panel: Panel) -> None:
    client = _with(panel, max_viewers=1)
    with client, client.websocket_connect("ws://127.0.0.1/ws/camera") as first:
        first.receive_bytes()
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://127.0.0.1/ws/camera"):
            pass
        first.close()
        time.sleep(0.1)
        with client.websocket_connect("ws://127.0.0.1/ws/camera") as second:
            assert second.receive_bytes()


def test_status_comes_at_once_when_it_changes_and_else_once_per_heartbeat(panel: Panel, bridge: FakeBridge) -> None:
    client = _with(panel, status_period=0.02, heartbeat=0.5)
    with client, client.websocket_connect("ws://127.0.0.1/ws/status") as socket:
        assert socket.receive_json()["phase"] == "idle"
        begin = time.monotonic()
        bridge.start(3, "test", 20, 1)
        assert socket.receive_json()["phase"] == "awaiting_reset"
        assert time.monotonic() - begin < 0.3
        begin = time.monotonic()
        assert socket.receive_json()["phase"] == "awaiting_reset"
        assert 0.3 < time.monotonic() - begin < 2.0
