"""The two WebSockets: camera pictures with one in flight, and the status as JSON whenever it changes."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from gmps_robot.panel.bridge import Frame, PanelBridge
from gmps_robot.panel.context import Panel, person
from gmps_robot.panel.gate import turn_out
from gmps_robot.panel.settings import PanelSettings

LOG = logging.getLogger(__name__)
LOGIN_PERIOD = 1.0  # between two looks at the login, which may end while a stream is open [s]
FRAME_HEADER = struct.Struct("<QQ")  # seq, stamp [ns]; the JPEG follows


def router(panel: Panel) -> APIRouter:
    """Return /ws/camera and /ws/status."""
    bridge, settings = panel.bridge, panel.settings
    routes = APIRouter()
    viewers: set[WebSocket] = set()

    @routes.websocket("/ws/camera")
    async def camera(socket: WebSocket) -> None:
        if len(viewers) >= settings.max_viewers:
            await socket.close(1013, f"more than {settings.max_viewers} open cameras; close another panel page")
            return
        await socket.accept()
        viewers.add(socket)
        acked = asyncio.Event()
        try:
            send = partial(_send_frames, socket, bridge, settings, acked)
            await _run_until_closed(socket, panel, send, acked.set)
        finally:
            viewers.discard(socket)

    @routes.websocket("/ws/status")
    async def status(socket: WebSocket) -> None:
        await socket.accept()
        await _run_until_closed(socket, panel, partial(_send_status, socket, panel), _ignore)

    return routes


async def _send_frames(socket: WebSocket, bridge: PanelBridge, settings: PanelSettings, acked: asyncio.Event) -> None:
    """Send the newest picture, wait until the page has drawn it, repeat: a slow page skips pictures, never lags."""
    shown = -1
    while True:
        frame = await _newer_frame(bridge, shown, settings.frame_period)
        acked.clear()
        await socket.send_bytes(FRAME_HEADER.pack(frame.seq, frame.stamp_ns) + frame.jpeg)
        shown = frame.seq
        with anyio.fail_after(settings.ack_timeout):
            await acked.wait()


async def _newer_frame(bridge: PanelBridge, shown: int, period: float) -> Frame:
    while (frame := bridge.frame()) is None or frame.seq == shown:
        await anyio.sleep(period)
    return frame


async def _send_status(socket: WebSocket, panel: Panel) -> None:
    settings = panel.settings
    last: dict[str, Any] = {}
    quiet = 0.0
    while True:
        message = panel.status()
        changed = _without_ages(message) != last
        if changed or quiet >= settings.heartbeat:
            await socket.send_json(message)
            last, quiet = _without_ages(message), 0.0
        await anyio.sleep(settings.status_period)
        quiet += settings.status_period


def _without_ages(message: dict[str, Any]) -> dict[str, Any]:
    """Ages change all the time; they ride along with the heartbeat."""
    return {**message, "links": [{**link, "age_s": None} for link in message["links"]]}


def _ignore() -> None:
    """The page has nothing to say on the status stream."""


async def _run_until_closed(
    socket: WebSocket, panel: Panel, send: Callable[[], Awaitable[None]], on_message: Callable[[], None]
) -> None:
    """Run `send` while the login is valid.

    It reads too, so that a page that leaves is noticed also when there is nothing to send.
    """
    who = person(socket)
    async with anyio.create_task_group() as group:

        async def read() -> None:
            while (await socket.receive())["type"] != "websocket.disconnect":
                on_message()
            group.cancel_scope.cancel()

        async def watch() -> None:
            while panel.door.admits(who):
                await anyio.sleep(LOGIN_PERIOD)
            group.cancel_scope.cancel()

        group.start_soon(read)
        group.start_soon(watch)
        try:
            await send()
        except TimeoutError:
            await socket.close(1001, "the page confirmed no picture")
        except WebSocketDisconnect as left:
            LOG.debug("a page left (%s) while something was on its way to it", left.code)
        group.cancel_scope.cancel()
    if not panel.door.admits(who):
        await turn_out(socket)
