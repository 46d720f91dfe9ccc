"""Is this command, is this measured state, fit to be acted on? Pure questions that the guard asks in each tick."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from gmps_robot.control.kinematics import rotation_from_quaternion, tool_attitude
from gmps_robot.types import ArmCommand, ArmState, CommandSource, FloatArray, SafetyEnvelope

SOURCES: tuple[str, ...] = get_args(CommandSource)
MEASURED = (
    ("tip_position", (3,)), ("joints", (7,)), ("joint_velocities", (7,)), ("tip_velocity", (3,)), ("wrench", (6,)),
    ("residual_torque", (7, 0)),
)  # fmt: skip
ROUNDING = 1e-6  # of times [s]
UNIT = 1e-3  # of a quaternion's length
FARTHEST = 1.1  # of an attitude from the usual one [rad]
ABSURD_SPEED = 1000.0  # a component beyond this is a broken sender, not a wish to be limited [m/s]


def command_problem(command: ArmCommand) -> str:
    """Return what makes `command` unusable, as `command: ...`; empty when nothing does."""
    if command.source not in SOURCES:
        return f"command: unknown source {command.source!r}, valid: {', '.join(SOURCES)}"
    image = command.image_stamp_ns
    if image is not None and not _whole(image):
        return f"command: image stamp {_short(image)} must be a whole number"
    if not _whole(command.seq) or not _whole(command.stamp_ns):
        return f"command: seq {command.seq!r} and stamp {command.stamp_ns!r} must be whole numbers"
    velocity = as_numbers(command.velocity)
    if velocity is None or velocity.shape != (3,):
        return f"command: velocity {_short(command.velocity)} is not 3 numbers"
    if not np.isfinite(velocity).all():
        return f"command: velocity {_short(command.velocity)} is not finite"
    if (np.abs(velocity) > ABSURD_SPEED).any():
        return f"command: velocity {_short(command.velocity)} is beyond {ABSURD_SPEED:.0f} m/s"
    gripper = as_numbers(command.gripper)
    if gripper is None or gripper.shape != () or not np.isfinite(gripper):
        return f"command: gripper {_short(command.gripper)} is not a finite number"
    if command.attitude is not None:
        attitude = as_numbers(command.attitude)
        if attitude is None or attitude.shape != (4,) or not abs(float(np.linalg.norm(attitude)) - 1.0) < UNIT:
            return f"command: attitude {_short(command.attitude)} is no quaternion of length 1"
        turned = turned_from_usual(attitude)
        if turned > FARTHEST:
            return f"command: attitude is {turned:.2f} rad from the usual one, limit {FARTHEST:g}"
    return ""


def stale(envelope: SafetyEnvelope, command: ArmCommand, now: float) -> str:
    """Return why a well-formed `command` is not obeyed at `now` [s], by its stamps; empty when it is.

    An operator's command lives longer than a policy's: it comes through a browser.
    """
    name, limit = "action", envelope.action_timeout
    if command.source == "teleop":
        name, limit = "operator", envelope.operator_timeout
    age = now - command.stamp_ns * 1e-9
    if not age < limit - ROUNDING:
        return f"{name}: {age:.3f} s old, limit {limit:.3f}"
    if age < -envelope.state_timeout:
        return f"{name}: stamped {-age:.3f} s ahead of the clock"
    if command.image_stamp_ns is not None:
        seen = now - command.image_stamp_ns * 1e-9
        if not seen <= envelope.image_timeout + ROUNDING:
            return f"image: {seen:.3f} s old, limit {envelope.image_timeout:.3f}"
    return ""


def state_problem(measured: ArmState, now: float, timeout: float) -> str:
    """Return what makes `measured` unusable at time `now` [s], as `state: ...`; empty when nothing does."""
    problem = numbers_problem(measured)
    if problem:
        return problem
    age = now - measured.stamp_ns * 1e-9
    if not age <= timeout:
        return f"state: {age:.3f} s old, limit {timeout:.3f}"
    if age < -timeout:
        return f"state: stamped {-age:.3f} s ahead of the clock"
    return ""


def numbers_problem(measured: ArmState) -> str:
    """Return which numbers of `measured` are none, as `state: ...`; empty when all are, however old."""
    for name, sizes in MEASURED:
        value = as_numbers(getattr(measured, name))
        if value is None or value.ndim != 1 or len(value) not in sizes or not np.isfinite(value).all():
            found = _short(getattr(measured, name))
            return f"state: {name.replace('_', ' ')} {found} is not {sizes[0]} finite numbers"
    return ""


def is_outside(tip: FloatArray, envelope: SafetyEnvelope) -> NDArray[np.bool_]:
    """Per axis (3,), whether a measured `tip` (3,) lies further outside the hard box than the tolerance."""
    low, high = np.array(envelope.box_low), np.array(envelope.box_high)
    return np.asarray(np.maximum(low - tip, tip - high) > envelope.outside_tolerance)


def turned_from_usual(attitude: FloatArray) -> float:
    """Return the angle [rad] between `attitude` (4,), x y z w, and the attitude that every task keeps."""
    x, y, z, w = attitude
    cosine = (np.trace(tool_attitude().T @ rotation_from_quaternion((w, x, y, z))) - 1.0) / 2.0
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def as_numbers(value: object) -> FloatArray | None:
    """Return `value` as a float array, None when it is no array of numbers."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
