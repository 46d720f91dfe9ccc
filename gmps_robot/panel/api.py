"""REST routes: thin, one per command of the bridge. Errors leave as JSON with the sentence of the GmpsError."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from gmps_robot.control.session_status import RUNNING
from gmps_robot.errors import (
    CatalogError,
    CheckpointError,
    ConfigError,
    EpisodeError,
    GmpsError,
    LabelError,
    SessionError,
    StorageError,
    TaskError,
)
from gmps_robot.panel.auth import LoginError, PauseError
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.panel.context import Panel, person
from gmps_robot.panel.schema import Body, Reason
from gmps_robot.tasks import Split

LOG = logging.getLogger(__name__)
CODES: dict[type[GmpsError], int] = {
    SessionError: 409, ConfigError: 400, TaskError: 400, CheckpointError: 400, EpisodeError: 422, StorageError: 503,
    LabelError: 409, CatalogError: 404, LoginError: 401, PauseError: 429,
}  # the first that fits; what is not here is a part that does not answer: 503


class StartBody(Body):
    """POST /api/start."""

    task: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    split: Split = "test"
    episodes: Annotated[int, Field(ge=2, le=200)] = 20
    updates: Annotated[int, Field(ge=1, le=20)] = 1


class LabelBody(Body):
    """POST /api/label: the reward of one episode, and which episode is meant, so that a late click labels no other."""

    value: Annotated[float, Field(ge=0.0, le=1.0)]
    episode: Annotated[int, Field(ge=1)]


class ReasonBody(Body):
    """POST /api/stop, /api/arm/stop and /api/arm/kill."""

    reason: Reason = "a person pressed stop in the panel"


def router(panel: Panel) -> APIRouter:
    """Return the routes that act on the panel's bridge."""
    bridge = panel.bridge
    routes = APIRouter(tags=["session"])

    @routes.get("/healthz")
    def healthz() -> dict[str, Any]:
        links = bridge.state().links
        return {"ok": True, "silent": [link.name for link in links if link.silent and link.needed]}

    @routes.get("/api/status")
    def status() -> dict[str, Any]:
        return panel.status()

    @routes.post("/api/start")
    def start(body: StartBody) -> dict[str, Any]:
        bridge.start(body.task, body.split, body.episodes, body.updates)
        return status()

    @routes.post("/api/stop")
    def stop(body: ReasonBody) -> dict[str, Any]:
        bridge.stop(body.reason)
        return status()

    @routes.post("/api/label")
    def label(body: LabelBody, request: Request) -> dict[str, Any]:
        bridge.label(body.value, body.episode, person(request).name)
        return status()

    _add_plain_commands(routes, panel)
    _add_arm_commands(routes, panel)
    return routes


def _add_plain_commands(routes: APIRouter, panel: Panel) -> None:
    bridge = panel.bridge
    commands = {
        "pause": bridge.pause, "resume": bridge.resume, "reset_done": bridge.reset_done,
        "accept": bridge.accept, "roll_back": bridge.roll_back,
    }
    for name, command in commands.items():
        routes.add_api_route(f"/api/{name}", _plain_command(panel, command), methods=["POST"], name=name)


def _plain_command(panel: Panel, command: Callable[[], None]) -> Callable[[], dict[str, Any]]:
    def route() -> dict[str, Any]:
        command()
        return panel.status()

    return route


def _add_arm_commands(routes: APIRouter, panel: Panel) -> None:
    bridge = panel.bridge
    own_threads = CapacityLimiter(4)  # STOP never queues behind commands that wait for a silent node

    @routes.post("/api/arm/stop")
    async def arm_stop(body: ReasonBody) -> dict[str, Any]:
        await to_thread.run_sync(bridge.arm_stop, body.reason, limiter=own_threads)
        return panel.status()

    @routes.post("/api/arm/kill")
    async def arm_kill(body: ReasonBody) -> dict[str, Any]:
        await to_thread.run_sync(bridge.arm_kill, body.reason, limiter=own_threads)
        return panel.status()

    @routes.post("/api/arm/enable")
    def arm_enable() -> dict[str, Any]:
        _pause_running(bridge)  # switching motors on must never be what makes the arm move
        bridge.arm_enable()
        return panel.status()

    @routes.post("/api/arm/reset_fault")
    def reset_fault() -> dict[str, Any]:
        _pause_running(bridge)  # nor must releasing the stop
        bridge.reset_fault()
        return panel.status()


def _pause_running(bridge: PanelBridge) -> None:
    session = bridge.state().session
    if session.phase in RUNNING and not session.paused:
        bridge.pause()


def add_error_handlers(app: FastAPI) -> None:
    """Answer every GmpsError and every misshapen request with {"error", "message"}."""

    @app.exception_handler(GmpsError)
    async def gmps_error(_: Request, error: GmpsError) -> JSONResponse:
        code = next((code for kind, code in CODES.items() if isinstance(error, kind)), 503)
        wait = {"retry-after": str(round(error.seconds) or 1)} if isinstance(error, PauseError) else None
        return JSONResponse({"error": type(error).__name__, "message": str(error)}, status_code=code, headers=wait)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": "BadRequest", "message": str(error.detail)}, status_code=error.status_code)

    @app.exception_handler(OSError)
    @app.exception_handler(SQLAlchemyError)
    async def storage_error(_: Request, error: Exception) -> JSONResponse:
        LOG.error("the catalogue or an episode file: %s", error)
        words = f"the catalogue could not be read or written: {error}. Is the disk full?"
        return JSONResponse({"error": "StorageError", "message": words[:500]}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        parts = [f"{'.'.join(str(p) for p in e['loc'][1:]) or 'body'}: {e['msg']}" for e in error.errors()]
        return JSONResponse({"error": "BadRequest", "message": "; ".join(parts)}, status_code=422)
