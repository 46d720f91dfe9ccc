"""SessionStatus to and from its message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from gmps_msgs.msg import AdaptStatus

from gmps_robot.control.session_status import SessionStatus
from gmps_robot_nodes import conversions

_NAMES = tuple(field.name for field in fields(SessionStatus))


def message(status: SessionStatus, stamp_ns: int, context: Sequence[float], reward: str) -> AdaptStatus:
    """A status with what else a person who judges must know: the task's context and who judges."""
    values: dict[str, Any] = {name: getattr(status, name) for name in _NAMES}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return AdaptStatus(
        header=conversions.header(stamp_ns), context=[float(c) for c in context], reward=reward, **plain
    )


def status(given: AdaptStatus) -> SessionStatus:
    """The message -> the status."""
    values: dict[str, Any] = {name: getattr(given, name) for name in _NAMES}
    plain: dict[str, Any] = {
        name: value if isinstance(value, str | bool | int) else tuple(value) for name, value in values.items()
    }
    return SessionStatus(**plain)
