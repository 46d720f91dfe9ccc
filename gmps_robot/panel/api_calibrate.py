"""REST routes of calibrating: how far the capture is, and taking views."""

from __future__ import annotations

from fastapi import APIRouter

from gmps_robot.errors import CatalogError
from gmps_robot.panel import schema
from gmps_robot.panel.bridge_calibrate import CaptureAction, CapturePhase
from gmps_robot.panel.context import Panel


class CaptureBody(schema.Body):
    """POST /api/calibrate: take views by itself from now on, not any more, or take one now."""

    action: CaptureAction


class CaptureAnswer(schema.Answer):
    """How far the capture is. Shares are of what is wanted, 0 to 1: picture, tilts, distances, axes, views."""

    phase: CapturePhase
    directory: str
    views: int
    wanted: int
    hint: str
    message: str
    columns: int
    cells: list[float]
    tilts: list[int]
    distances: list[float]
    shares: list[float]


def router(panel: Panel) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["calibrate"])

    @routes.get("/api/calibrate")
    def progress() -> CaptureAnswer:
        seen = panel.bridge.state().calibration
        if seen is None:
            raise CatalogError("no calibrator runs: start the stack with session:=calibrate")
        return CaptureAnswer(
            phase=seen.phase, directory=seen.directory, views=seen.views, wanted=seen.wanted, hint=seen.hint,
            message=seen.message, columns=seen.columns, cells=list(seen.cells), tilts=list(seen.tilts),
            distances=list(seen.distances), shares=list(seen.shares),
        )

    @routes.post("/api/calibrate")
    def capture(body: CaptureBody) -> schema.MessageAnswer:
        return schema.MessageAnswer(message=panel.bridge.capture(body.action))

    return routes
