"""Who may ask for what: one table of every route. What is not in it does not exist, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from starlette.routing import compile_path

from gmps_robot.panel.auth import Role

Right = Role | Literal["public"]

RIGHTS: Mapping[str, Right] = {
    "GET /healthz": "public",
    "POST /api/login": "public",
    "GET /api/openapi.json": "viewer",
    "POST /api/logout": "viewer",
    "GET /api/me": "viewer",
    "POST /api/invite": "admin",
    "GET /api/audit": "admin",
    "GET /api/status": "viewer",
    "WS /ws/status": "viewer",
    "WS /ws/camera": "viewer",
    "POST /api/arm/stop": "viewer",  # whoever sees the arm may stop it
    "POST /api/arm/kill": "operator",
    "POST /api/arm/enable": "operator",
    "POST /api/arm/reset_fault": "operator",
    "POST /api/start": "operator",
    "POST /api/stop": "operator",
    "POST /api/label": "operator",
    "POST /api/pause": "operator",
    "POST /api/resume": "operator",
    "POST /api/reset_done": "operator",
    "POST /api/accept": "operator",
    "POST /api/roll_back": "operator",
    "GET /api/checkpoints": "viewer",
    "POST /api/checkpoint": "operator",
    "GET /api/runs": "viewer",
    "GET /api/runs/{run}": "viewer",
    "GET /api/tasks": "viewer",
    "GET /api/camera": "viewer",
    "GET /api/scene": "viewer",
    "POST /api/plan": "operator",
    "POST /api/scene/reset": "operator",
    "POST /api/lease": "operator",
    "WS /ws/teleop": "operator",
    "POST /api/recorder/start": "operator",
    "POST /api/recorder/save": "operator",
    "POST /api/recorder/discard": "operator",
    "POST /api/recorder/again": "operator",
    "GET /api/statistics": "viewer",
    "GET /api/calibrate": "viewer",
    "POST /api/calibrate": "operator",
    "GET /api/episodes": "viewer",
    "GET /api/episodes/{episode}": "viewer",
    "GET /api/episodes/{episode}/frames/{frame}.jpg": "viewer",
    "GET /api/episodes/{episode}/signals": "viewer",
    "GET /api/episodes/{episode}/ghost/{frame}": "viewer",
    "GET /api/episodes/{episode}/labels": "viewer",
    "POST /api/episodes/{episode}/labels": "operator",
    "POST /api/episodes/{episode}/replay": "operator",
}
PUBLIC_FILES = ("/login", "/favicon.ico")
PUBLIC_PLACES = ("/static/",)  # the same for everybody, and in the source code
OUR_PLACES = ("/api/", "/ws/")  # nothing is served here beside the table



def _pattern(entry: str, right: Right) -> tuple[str, re.Pattern[str], Right]:
    method, _, path = entry.partition(" ")
    return method, compile_path(path)[0], right


_PATTERNS = [_pattern(entry, right) for entry, right in RIGHTS.items()]


def methods_of(path: str) -> set[str]:
    """Return the methods with which `path` may be asked for."""
    return {method for method, pattern, _ in _PATTERNS if pattern.match(path)}


def right_of(method: str, path: str) -> Right | None:
    """Return what a request needs: a role, "public", or None where there is no such route.

    Args:
        method: GET, POST and so on; WS for a WebSocket.
        path: as asked for, without query.
    """
    if path in PUBLIC_FILES or path.startswith(PUBLIC_PLACES):
        return "public"
    for known, pattern, right in _PATTERNS:
        if known == method and pattern.match(path):
            return right
    if path.startswith(OUR_PLACES):
        return None
    return "viewer"  # the page itself and what NiceGUI needs for it
