"""The limits of the guard loosened one at a time, to show that a test notices each of them."""

from __future__ import annotations

from dataclasses import replace

from gmps_robot.types import SafetyEnvelope

FACTORS = {
    "link_clearance": 0.5, "finger_clearance": 0.5, "speed_hard": 1.2, "angular_speed": 1.3, "acceleration": 1.2,
    "jerk": 1.5, "stop_deceleration": 1.3, "jump": 1.5, "brake_zone": 0.4, "joint_speed_share": 1.3, "joint_zone": 0.8,
    "joint_margin": 0.5, "condition_zone": 1.2, "condition_limit": 1.2, "outside_tolerance": 1.5,
    "tracking_tolerance": 1.3, "force_warning": 1.3, "force_stop": 1.2, "force_hard": 1.2, "force_filter": 1.5,
    "back_off": 0.5, "state_timeout": 1.3, "state_lost": 1.3, "image_timeout": 1.3, "action_timeout": 1.4,
    "operator_timeout": 1.3, "joint_torque_share": 1.2,
}  # fmt: skip
STEPS = {"table_height": -0.01, "overruns": 1, "bad_commands_to_fault": 1}
OUTWARDS = 0.01  # of walls [m]
SOURCES = ("policy", "teleop", "reset")
MUTANTS = (
    *FACTORS, *STEPS,
    *(f"{box}_{side}.{axis}" for box in ("box", "link_box") for side in ("low", "high") for axis in "xyz"),
    *(f"{source}.speed" for source in SOURCES),
    *(f"{source}.box_{side}.{axis}" for source in SOURCES for side in ("low", "high") for axis in "xyz"),
)  # fmt: skip


def loosened(envelope: SafetyEnvelope, mutant: str) -> SafetyEnvelope:
    """Return `envelope` with the limit called `mutant` loosened. A source's walls take the hard box with them."""
    if mutant in FACTORS:
        number, factor = getattr(envelope, mutant), FACTORS[mutant]
        each = tuple(factor * share for share in number) if isinstance(number, tuple) else factor * number
        return replace(envelope, **{mutant: each})
    if mutant in STEPS:
        return replace(envelope, **{mutant: getattr(envelope, mutant) + STEPS[mutant]})
    name, _, rest = mutant.partition(".")
    if name not in SOURCES:
        return replace(envelope, **{name: _outwards(getattr(envelope, name), name, rest)})
    own = getattr(envelope, name)
    if rest == "speed":
        return replace(envelope, **{name: replace(own, speed=own.speed * 1.2)})
    wall, axis = rest.split(".")
    wider = replace(own, **{wall: _outwards(getattr(own, wall), wall, axis)})
    return replace(envelope, **{name: wider, wall: _outwards(getattr(envelope, wall), wall, axis)})


def _outwards(corner: tuple[float, ...], name: str, axis: str) -> tuple[float, ...]:
    step = OUTWARDS if name.endswith("high") else -OUTWARDS
    return tuple(value + step * (letter == axis) for letter, value in zip("xyz", corner, strict=True))
