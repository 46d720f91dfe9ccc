"""What the routes of one panel share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from gmps_robot.panel import view
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.auth import Door, Person
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.panel.journal import Journal
from gmps_robot.panel.lease_desk import LeaseDesk
from gmps_robot.panel.settings import PanelSettings
from gmps_robot.panel.teaching import Teaching


@dataclass(frozen=True)
class Panel:
    """One panel: the robot, the catalogue, and who may use them."""

    bridge: PanelBridge
    archive: Archive
    settings: PanelSettings
    door: Door
    journal: Journal
    desk: LeaseDesk
    teaching: Teaching
    clock: Callable[[], float]

    @staticmethod
    def of(
        bridge: PanelBridge, archive: Archive, settings: PanelSettings, door: Door, family: str = "push",
        clock: Callable[[], float] = time.monotonic,
    ) -> Panel:
        """Put a panel together; `clock` is monotonic [s]."""
        return Panel(
            bridge, archive, settings, door, Journal(archive.write), LeaseDesk(bridge, clock),
            Teaching(bridge, archive, family), clock,
        )


    def status(self) -> dict[str, Any]:
        """Return everything the page shows: the message of /ws/status and /api/status, plain JSON types."""
        task = self.teaching.task
        taught = None if task is None else {
            "index": task.index, "split": task.split, "task_id": task.task_id, "context": list(task.context)
        }
        return {**view.to_json(self.bridge.state()), "teach": taught}


def person(request: HTTPConnection) -> Person:
    """Who asks; the gate lets nobody through to a route that needs a role."""
    found: Person = request.state.person
    return found
