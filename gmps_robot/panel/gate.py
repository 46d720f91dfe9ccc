"""The one gate of the panel: every request of every route, NiceGUI's own included, passes here before anything else.

In this order: does it come from our page, does the route exist, who asks, may they, is it well-formed. A state-changing
request that was let through is written to the audit log with what came of it.
"""

from __future__ import annotations

import json
from http.cookies import CookieError, SimpleCookie

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from gmps_robot.panel.auth import LOGIN_ENDED, Door, PauseError, Person
from gmps_robot.panel.journal import Journal
from gmps_robot.panel.origin import HEADERS, MAX_BODY, Refusal, foreign, misshapen, port_of
from gmps_robot.panel.rights import methods_of, right_of
from gmps_robot.panel.settings import PanelSettings

BODY_TIME = 10.0  # how long a client may take to send a few dozen bytes [s]
NOT_LOGGED_IN = "you are not logged in, or your login has expired; open the login link from the terminal of the panel"
NO_ORIGIN = "a stream needs the Origin that every browser sends; programs show a bearer token"
SECRET = frozenset({"token"})  # fields of requests that stay out of the log
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CLOSE_CODES = {401: 4401, 403: 4403}
NICEGUI = "/_nicegui"  # its own socket falls back to POST, with a content type of its own


def cookie_name(headers: Headers) -> str:
    """Name of the login cookie: browsers share cookies between the ports of a machine, two panels must not."""
    return f"gmps_panel_{port_of(headers)}"


class Gate:
    """ASGI middleware around the whole panel."""

    def __init__(self, app: ASGIApp, settings: PanelSettings, door: Door, journal: Journal) -> None:
        self.app = app
        self._settings, self._door, self._journal = settings, door, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send)
        refusal = foreign(headers, self._settings)
        if refusal is not None:
            await _refuse(scope, receive, send, refusal, "Foreign")
            return
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        right = right_of(method, scope["path"])
        if right is None:
            others = methods_of(scope["path"]) - {"WS"}
            status = 405 if others and method != "WS" else 404
            await _refuse(scope, receive, send, (status, f"there is no {method} {scope['path']}"), "NotFound")
            return
        try:
            person, seconds = self._who(headers, scope)
        except PauseError as pause:
            await _pause(scope, receive, send, pause)
            return
        if method == "WS" and "authorization" not in headers and "origin" not in headers:
            await _refuse(scope, receive, send, (403, NO_ORIGIN), "Foreign")
            return
        if right != "public" and (person is None or not person.may(right)):
            await self._turn_away(scope, receive, send, person, right)
            return
        scope.setdefault("state", {}).update(person=person, seconds=seconds)
        if method in CHANGING:
            await self._change(scope, receive, send, headers)
        else:
            await _follow(self.app, scope, receive, send)

    def _who(self, headers: Headers, scope: Scope) -> tuple[Person | None, float]:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        known = None
        if scheme.lower() == "bearer" and bearer:
            known = self._door.who(bearer.strip(), "bearer", address_of(scope))
        elif cookie := _cookie(headers, cookie_name(headers)):
            known = self._door.who(cookie, "cookie", address_of(scope))
        return known or (None, 0.0)

    async def _turn_away(
        self, scope: Scope, receive: Receive, send: Send, person: Person | None, right: str
    ) -> None:
        if person is None and scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            headers = [(b"location", b"/login"), (b"content-length", b"0"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if person is None:
            await _refuse(scope, receive, send, (401, NOT_LOGGED_IN), "LoginError")
        else:
            words = f"{person.name} is a {person.role}; this needs the role {right}: ask an administrator"
            await _refuse(scope, receive, send, (403, words), "Refused")

    async def _change(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Read the body, which is small, let the request do its work, and write it down."""
        own = not scope["path"].startswith(NICEGUI)
        refusal = misshapen(headers) if own else None
        if refusal is not None:
            await _refuse(scope, receive, send, refusal, "Refused")
            return
        try:
            with anyio.fail_after(BODY_TIME):
                body = await _body(receive, headers)
        except TimeoutError:
            await _refuse(scope, receive, send, (408, f"no whole request within {BODY_TIME:.0f} s"), "Refused")
            return
        if isinstance(body, str):
            await _refuse(scope, receive, send, (413, body), "Refused")
            return
        outcome = "no answer"

        async def noting(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = str(message["status"])
            await send(message)

        try:
            await _follow(self.app, scope, _replay(body, receive), noting)
        finally:
            if own and outcome != "429":  # guesses that nobody looked at would fill the disk
                person: Person | None = scope["state"]["person"]
                who, role = (address_of(scope), "") if person is None else (person.name, person.role)
                self._journal.note(who, role, f"{scope['method']} {scope['path']}", _detail(body), outcome)


async def turn_out(socket: WebSocket) -> None:
    """Close a stream whose login has ended, unless it is closed already: a request sees its login once."""
    if socket.client_state is socket.application_state is WebSocketState.CONNECTED:
        await socket.close(CLOSE_CODES[401], LOGIN_ENDED)


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return with_headers


async def _follow(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    left = False

    async def watching() -> Message:
        nonlocal left
        message = await receive()
        left = left or message["type"] == "http.disconnect"
        return message

    try:
        await app(scope, watching, send)
    except RuntimeError:
        if not left:  # NiceGUI's middleware raises when a browser leaves while a file is on its way
            raise


async def _body(receive: Receive, headers: Headers) -> bytes | str:
    """Return the body, or why it is refused."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return f"request of {length} bytes; the panel takes at most {MAX_BODY}"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            return f"request of more than {MAX_BODY} bytes"
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _detail(body: bytes) -> str:
    """The request as JSON for the log; secrets left out, and no more than a screen of it."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return "not JSON"
    if isinstance(asked, dict):
        asked = {key: value for key, value in asked.items() if key not in SECRET}
    return json.dumps(asked)[:1000]


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def address_of(scope: Scope) -> str:
    """Whence a request comes."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


async def _pause(scope: Scope, receive: Receive, send: Send, pause: PauseError) -> None:
    wait = {"retry-after": str(round(pause.seconds) or 1)}
    await _refuse(scope, receive, send, (429, str(pause)), "PauseError", wait)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, refusal: Refusal, error: str, extra: dict[str, str] | None = None
) -> None:
    status, message = refusal
    if scope["type"] == "websocket":
        await receive()
        if status in CLOSE_CODES and error != "Foreign":
            await send({"type": "websocket.accept"})  # only an open socket can tell a page why it is closed
        code = 1008 if error == "Foreign" else CLOSE_CODES.get(status, 1008)
        await send({"type": "websocket.close", "code": code, "reason": message[:120]})
        return
    body = json.dumps({"error": error, "message": message}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **(extra or {})}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
