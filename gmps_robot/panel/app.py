"""Put the panel together: REST and WebSocket routes first, then NiceGUI, then the check of who may ask."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui
from starlette.middleware import Middleware

from gmps_robot.panel import api, page, streams
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.panel.origin import SameOriginOnly
from gmps_robot.panel.settings import PanelSettings


def create_api(bridge: PanelBridge, settings: PanelSettings) -> FastAPI:
    """Return the panel without its page: all a program needs to watch or drive a session."""
    app = FastAPI(
        title="GMPS panel",
        docs_url=None,  # FastAPI's own page loads its scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
        middleware=[Middleware(SameOriginOnly)],
    )
    app.include_router(api.router(bridge))
    app.include_router(streams.router(bridge, settings))
    api.add_error_handlers(app)
    return app


def create_app(bridge: PanelBridge, settings: PanelSettings) -> FastAPI:
    """Return the whole panel. Once per process: NiceGUI keeps its application in a global."""
    app = create_api(bridge, settings)
    app.mount("/static", StaticFiles(directory=str(files("gmps_robot.panel") / "static")), name="static")
    # NiceGUI swallows every path that is registered after it.
    ui.run_with(
        app, root=lambda: page.build(bridge), title="GMPS panel", dark=True, tailwind=False, language="en-US",
        favicon=page.ICON, show_welcome_message=False, reconnect_timeout=10.0,
    )
    return app
