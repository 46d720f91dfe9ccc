"""The rules of the robot as a whole: enable, stop, reset, emergency stop. Pure; time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

ENABLE_TIME = 0.25  # motors on and brakes off take this long [s]


class Button(IntEnum):
    """State of the e-stop button (intera_core_msgs/RobotAssemblyState)."""

    UNPRESSED, PRESSED, UNKNOWN, RELEASED = range(4)


class Source(IntEnum):
    """What stopped the robot."""

    NONE, USER, UNKNOWN, FAULT, ENGINE = range(5)


@dataclass(frozen=True)
class Assembly:
    """What `/robot/state` says. After power-up the robot is homed and disabled."""

    enabled: bool = False
    stopped: bool = False
    error: bool = False
    button: Button = Button.UNPRESSED
    source: Source = Source.NONE
    enabling_since: float | None = None  # [s]


def request_enable(state: Assembly, wanted: bool, now: float) -> Assembly:
    """`set_super_enable`. A stopped robot does not enable; enabling takes a moment, disabling none."""
    if not wanted:
        return replace(state, enabled=False, enabling_since=None)
    if state.stopped or state.enabled or state.enabling_since is not None:
        return state
    return replace(state, enabling_since=now)


def tick(state: Assembly, now: float) -> Assembly:
    """Let time pass: motors that were asked for come on."""
    if state.enabling_since is None or now - state.enabling_since < ENABLE_TIME:
        return state
    return replace(state, enabled=True, enabling_since=None)


def request_stop(state: Assembly) -> Assembly:
    """`set_super_stop`: as an e-stop, but not by the button."""
    return state if state.stopped else _stopped(state, Button.UNKNOWN, Source.UNKNOWN)


def request_reset(state: Assembly) -> Assembly:
    """`set_super_reset`: clears stop and faults and leaves the robot disabled; nothing while the button is pressed."""
    return state if state.button is Button.PRESSED else Assembly()


def press(state: Assembly) -> Assembly:
    """A person presses the e-stop."""
    return _stopped(state, Button.PRESSED, Source.USER)


def release(state: Assembly) -> Assembly:
    """The button comes out again; the robot stays stopped until it is reset."""
    return replace(state, button=Button.RELEASED) if state.button is Button.PRESSED else state


def fail(state: Assembly) -> Assembly:
    """The robot finds a fault of its own and stops."""
    return replace(_stopped(state, Button.UNKNOWN, Source.FAULT), error=True)


def _stopped(state: Assembly, button: Button, source: Source) -> Assembly:
    return replace(state, enabled=False, stopped=True, button=button, source=source, enabling_since=None)
