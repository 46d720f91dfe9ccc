"""Refuse requests that another site put into the operator's browser, and tell the browser what the page may load.

A loopback server is reachable from every page the operator has open. The Host check stops DNS rebinding; the Origin
check stops cross-site requests, and covers WebSockets, to which browsers do not apply the same-origin rule.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gmps_robot.panel.settings import is_loopback

MAX_BODY = 64 * 1024  # a command is a few dozen bytes
# NiceGUI compiles its page in the browser, hence 'unsafe-eval' and 'unsafe-inline'; no other host appears.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SameOriginOnly:
    """ASGI middleware around the whole panel, NiceGUI's own routes and socket included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the headers added to its answer, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = refuse(Headers(scope=scope))
        if refusal is not None:
            await _answer(scope, receive, send, *refusal)
            return

        left = False

        async def receive_and_watch() -> Message:
            nonlocal left
            message = await receive()
            left = left or message["type"] == "http.disconnect"
            return message

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self.app(scope, receive_and_watch, send_with_headers)
        except RuntimeError:
            if not left:  # NiceGUI's middleware raises when a browser leaves while a file is on its way
                raise


def refuse(headers: Headers) -> tuple[int, str] | None:
    """Return (HTTP status, message) when a request with these headers must not pass, else None."""
    host = headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return 403, f"Host {host!r} is not this machine; open the panel as http://127.0.0.1 or http://localhost"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return 403, f"a page of {origin!r} may not use the panel; open the panel itself"
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _navigation(headers):
        return 403, "another site may not use the panel; open the panel itself"
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return 413, f"request of {length} bytes; the panel takes at most {MAX_BODY}"
    return None


def _navigation(headers: Headers) -> bool:
    """A link from another page to the panel is harmless: it carries no Origin and changes nothing."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("origin") is None


async def _answer(scope: Scope, receive: Receive, send: Send, status: int, message: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": message[:120]})
        return
    body = json.dumps({"error": "Refused", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
