"""/ws/teleop: carries what the page wants to `teleop` and what that decides to the robot. Transport alone.

Answers go through a slot that keeps the newest, so that a page that does not read cannot hold up what it sends, nor the
watch that stops its arm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from gmps_robot.errors import SessionError
from gmps_robot.panel import teleop
from gmps_robot.panel.auth import LOGIN_ENDED, Person
from gmps_robot.panel.context import Panel, person
from gmps_robot.panel.gate import turn_out
from gmps_robot.panel.lease_desk import NOT_HELD
from gmps_robot.panel.teleop import Stream, TeleopError, Verdict
from gmps_robot.panel.view import STOPPED

WATCH_PERIOD = 0.02  # [s]
CLOSE_MISSHAPEN, CLOSE_TOO_BIG = 1008, 1009
WRITTEN_TRIPS = 5  # trips of one connection that go into the audit log, at most


class Driver:
    """One connection: the stream's state, and what it does to the arm.

    Attributes:
        stream: what was heard so far.
        logged_out: whether the login of whoever drives has ended.
    """

    def __init__(self, panel: Panel, who: Person) -> None:
        self._panel, self._who, self._clock = panel, who, panel.clock
        self.stream, self.logged_out = Stream(), False
        self._trips = 0

    def message(self, text: str) -> dict[str, Any]:
        """Act upon one message and return the answer.

        Raises:
            TeleopError: it is misshapen; the arm is at rest.
        """
        try:
            message = teleop.read(text)
        except TeleopError:
            self._rest("a message was misshapen")
            raise
        # First what others are asked for, which may take its time; then the clock, so that this time counts: what was
        # fresh before the wait must not reach the driver as a fresh command after it.
        lease, obstacle = self._lease(message.session), self._obstacle()
        self.stream, verdict = teleop.receive(self.stream, message, self._clock(), obstacle or _unheld(lease))
        self._act(verdict, lease)
        return self._answer(verdict, message.sent * 1000.0)

    def watch(self) -> dict[str, Any] | None:
        """Notice silence and lost rights; return an answer that nobody asked for, when something has ended motion."""
        lease, obstacle = self._lease(self.stream.session), self._obstacle()
        self.stream, verdict = teleop.watch(self.stream, self._clock(), obstacle or _unheld(lease))
        if verdict is None:
            return None
        self._act(verdict, lease)
        return self._answer(verdict, None)

    def close(self) -> None:
        """The page is gone: rest, and give the arm back."""
        self._rest("the page is gone")
        if self._panel.desk.lease_of(self.stream.session, self._who):
            try:
                self._panel.desk.release(self.stream.session, self._who)
            except SessionError:
                return  # it lapsed meanwhile

    def _rest(self, why: str) -> None:
        self.stream, verdict = teleop.watch(self.stream, self._clock(), why)
        if verdict is not None:
            self._act(verdict, self._lease(self.stream.session))

    def _lease(self, session: str) -> str:
        return self._panel.desk.lease_of(session, self._who)

    def _obstacle(self) -> str:
        if not self._panel.door.admits(self._who):
            self.logged_out = True
            return LOGIN_ENDED
        guard = self._panel.bridge.state().guard
        if guard.state not in (*STOPPED, "DISABLED", "DISCONNECTED"):
            return ""
        return f"the arm is {guard.state}" + (f" ({guard.reason})" if guard.reason else "")

    def _act(self, verdict: Verdict, lease: str) -> None:
        """Do it now: between the clock that `verdict` was made by and the command, nobody is asked anything."""
        if verdict.velocity is not None and lease:
            self._panel.bridge.teleop(verdict.velocity, verdict.gripper, lease)
            self._panel.desk.renewed(self.stream.session)
        if verdict.tripped and self._trips < WRITTEN_TRIPS:
            self._trips += 1
            self._panel.journal.note(self._who.name, self._who.role, "teleop trip", verdict.tripped, "latched")

    def _answer(self, verdict: Verdict, sent: float | None) -> dict[str, Any]:
        return {
            "t_server": self._clock() * 1000.0, "t_client": sent, "seq": self.stream.seq, "armed": verdict.armed,
            "reason": verdict.reason,
        }


def _unheld(lease: str) -> str:
    return "" if lease else NOT_HELD


def router(panel: Panel) -> APIRouter:
    """Return /ws/teleop."""
    routes = APIRouter()

    @routes.websocket("/ws/teleop")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        driver = Driver(panel, person(socket))
        try:
            await _run(socket, driver)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(driver.close)

    return routes


async def _run(socket: WebSocket, driver: Driver) -> None:
    newest: list[dict[str, Any]] = []
    news = anyio.Event()

    def answer(message: dict[str, Any] | None) -> None:
        if message is not None:
            newest[:] = [message]
            news.set()

    async def send() -> None:
        nonlocal news
        while True:
            await news.wait()
            news = anyio.Event()
            await socket.send_json(newest[0])

    async def watch() -> None:
        while not driver.logged_out:
            await anyio.sleep(WATCH_PERIOD)
            answer(driver.watch())
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        group.start_soon(send)
        try:
            await _read(socket, driver, answer)
        except WebSocketDisconnect:
            pass  # the page has gone; what it held is let go below
        except TeleopError as error:
            code = CLOSE_TOO_BIG if "bytes" in str(error) else CLOSE_MISSHAPEN
            await socket.close(code, str(error)[:120])
        group.cancel_scope.cancel()
    if driver.logged_out:
        await turn_out(socket)


async def _read(socket: WebSocket, driver: Driver, answer: Callable[[dict[str, Any]], None]) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            raise TeleopError("the teleop stream takes text")
        answer(driver.message(text))
