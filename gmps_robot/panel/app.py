"""Put the panel together: REST and WebSocket routes first, then NiceGUI, then the gate around everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from nicegui import ui
from starlette.middleware import Middleware

from gmps_robot.panel import (
    api,
    api_archive,
    api_calibrate,
    api_people,
    api_teach,
    page,
    schema,
    streams,
    teleop_socket,
)
from gmps_robot.panel.context import Panel
from gmps_robot.panel.gate import Gate

STATIC = files("gmps_robot.panel") / "static"
REFUSALS: dict[int | str, dict[str, object]] = {
    code: {"model": schema.Problem} for code in (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
}


def create_api(panel: Panel) -> FastAPI:
    """Return the panel without its page: all a program needs to watch or drive the robot."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        panel.journal.close()

    app = FastAPI(
        title="GMPS panel",
        docs_url=None,  # FastAPI's own page loads its scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
        middleware=[Middleware(Gate, settings=panel.settings, door=panel.door, journal=panel.journal)],
        lifespan=lifespan,
        responses=REFUSALS,
    )
    for part in (api, api_people, api_teach, api_calibrate, api_archive, streams, teleop_socket):
        app.include_router(part.router(panel))
    api.add_error_handlers(app)
    return app


def create_app(panel: Panel) -> FastAPI:
    """Return the whole panel. Once per process: NiceGUI keeps its application in a global."""
    app = create_api(panel)
    app.add_api_route("/login", _login_page, methods=["GET"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=str(STATIC)), name="static")
    # NiceGUI swallows every path that is registered after it.
    ui.run_with(
        app, root=page.build, title="GMPS panel", dark=True, tailwind=False, language="en-US",
        favicon=page.ICON, show_welcome_message=False, reconnect_timeout=10.0,
    )
    return app


def _login_page() -> FileResponse:
    return FileResponse(str(STATIC / "login.html"), headers={"cache-control": "no-store"})
