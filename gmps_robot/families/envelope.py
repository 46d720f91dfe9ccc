"""Reading a safety envelope: one YAML of a rig and a task family, every number checked before an arm may use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from gmps_robot import config
from gmps_robot.errors import ConfigError
from gmps_robot.types import CommandSource, SafetyEnvelope, SourceLimits

Vector3 = tuple[float, float, float]
SOURCES: tuple[CommandSource, ...] = get_args(CommandSource)
# name -> unit, lowest and highest value that makes sense; a number beyond is a slip (mm for m, degrees for radians).
RANGES: dict[str, tuple[str, float, float]] = {
    "table_height": ("m", -1.0, 1.0),
    "link_clearance": ("m", 0.0, 0.5),
    "finger_clearance": ("m", 0.0, 0.5),
    "speed_hard": ("m/s", 0.01, 0.25),
    "angular_speed": ("rad/s", 0.01, 1.0),
    "acceleration": ("m/s^2", 0.1, 5.0),
    "jerk": ("m/s^3", 1.0, 1000.0),
    "stop_deceleration": ("m/s^2", 0.1, 10.0),
    "jump": ("m", 0.001, 0.05),
    "brake_zone": ("m", 0.001, 0.2),
    "joint_speed_share": ("of the rated speed", 0.01, 0.9),
    "joint_zone": ("rad", 0.0, 1.0),
    "joint_margin": ("rad", 0.02, 0.5),
    "condition_zone": ("", 1.0, 1000.0),
    "condition_limit": ("", 1.0, 1000.0),
    "outside_tolerance": ("m", 0.001, 0.05),
    "tracking_tolerance": ("m", 0.005, 0.2),
    "force_warning": ("N", 1.0, 100.0),
    "force_stop": ("N", 1.0, 100.0),
    "force_hard": ("N", 1.0, 140.0),
    "force_filter": ("s", 0.001, 0.5),
    "joint_torque_share": ("of the joint's maximum", 0.01, 1.0),
    "back_off": ("m", 0.0, 0.1),
    "state_timeout": ("s", 0.005, 0.1),
    "state_lost": ("s", 0.05, 2.0),
    "image_timeout": ("s", 0.02, 1.0),
    "action_timeout": ("s", 0.02, 0.5),
    "operator_timeout": ("s", 0.02, 0.5),
    "overruns": ("within a second", 0, 20),
    "bad_commands_to_fault": ("", 1, 20),
}
ASCENDING = (
    ("joint_margin", "joint_zone"), ("condition_zone", "condition_limit"), ("force_warning", "force_stop"),
    ("force_stop", "force_hard"), ("acceleration", "stop_deceleration"), ("state_timeout", "state_lost"),
    ("finger_clearance", "link_clearance"),
)  # fmt: skip


def load_envelope(path: Path, places: Mapping[str, Vector3]) -> SafetyEnvelope:
    """Read the envelope in `path`; the arm must be able to be at each of the named tip `places` [m].

    Raises:
        ConfigError: the file is missing or not YAML; a key is unknown (the nearest is named) or missing; a number makes
            no sense in its unit; a box is empty, leaves the hard box or leaves out one of `places`.
    """
    envelope = config.load(SafetyEnvelope, path)
    check_envelope(envelope, places, str(path))
    return envelope


def check_envelope(envelope: SafetyEnvelope, places: Mapping[str, Vector3], where: str) -> None:
    """Check every number of `envelope`, which came from `where`. Raises as `load_envelope`."""
    for name, (unit, low, high) in RANGES.items():
        number = getattr(envelope, name)
        for value in number if isinstance(number, tuple) else (number,):
            if not low <= value <= high:
                told = f"{value:g} {unit}".strip()
                raise ConfigError(f"{where}: {name} = {told}: expected {low:g} to {high:g}")
    for lower, upper in ASCENDING:
        if getattr(envelope, lower) > getattr(envelope, upper):
            pair = f"{lower} = {getattr(envelope, lower):g}, {upper} = {getattr(envelope, upper):g}"
            raise ConfigError(f"{where}: {pair}: the first must not be above the second")
    _check_box(where, "box", envelope.box_low, envelope.box_high)
    _check_box(where, "link_box", envelope.link_box_low, envelope.link_box_high)
    for source in SOURCES:
        _check_source(where, source, envelope.source(source), envelope)
    for place, tip in places.items():
        for name, low_corner, high_corner in _boxes(envelope):
            _check_inside(f"{where}: {name} leaves out the {place} pose", tip, low_corner, high_corner)


def _check_source(where: str, name: str, limits: SourceLimits, envelope: SafetyEnvelope) -> None:
    if not 0.0 < limits.speed <= envelope.speed_hard:
        cap = f"above 0 and at most speed_hard = {envelope.speed_hard:g} m/s"
        raise ConfigError(f"{where}: {name}.speed = {limits.speed:g} m/s: expected {cap}")
    _check_box(where, f"{name}.box", limits.box_low, limits.box_high)
    for corner in (limits.box_low, limits.box_high):
        _check_inside(f"{where}: {name}.box leaves the hard box", corner, envelope.box_low, envelope.box_high)


def _check_box(where: str, name: str, low: Vector3, high: Vector3) -> None:
    for axis, below, above in zip("xyz", low, high, strict=True):
        if not -2.0 <= below < above <= 2.0:
            raise ConfigError(f"{where}: {name} {axis} = {below:g} to {above:g} m: expected low < high within 2 m")


def _check_inside(what: str, tip: Vector3, low: Vector3, high: Vector3) -> None:
    for axis, below, value, above in zip("xyz", low, tip, high, strict=True):
        if not below <= value <= above:
            raise ConfigError(f"{what}: {axis} = {value:g} m is not within {below:g} to {above:g}; change the box")


def _boxes(envelope: SafetyEnvelope) -> list[tuple[str, Vector3, Vector3]]:
    own = [(f"{s}.box", envelope.source(s).box_low, envelope.source(s).box_high) for s in SOURCES]
    return [("box", envelope.box_low, envelope.box_high), *own]
