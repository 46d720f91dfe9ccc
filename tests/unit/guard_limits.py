"""What every tick of the guard must keep, said once for tests on an ideal arm and on the twin."""

from __future__ import annotations

import numpy as np

from gmps_robot.control.body import body, body_points
from gmps_robot.control.guard_state import GuardState
from gmps_robot.control.kinematics import forward, joint_limits
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.types import AppliedCommand, SafetyEnvelope

ROUNDING = 1e-6
PLACED = 1e-3  # a stop starts again at the tip of the joints, which are that near to the commanded tip [m]
RATED = np.array([link.velocity for link in sawyer_model().links])


def broken_limits(
    envelope: SafetyEnvelope, before: GuardState, after: GuardState, applied: AppliedCommand
) -> list[str]:
    """Names of the limits that the step from `before` to `after` breaks; empty when it keeps them all."""
    period, low, high = after.period, np.array(envelope.box_low), np.array(envelope.box_high)
    moved = after.resynced or not np.array_equal(before.joints, after.joints)
    checks = {"finite": bool(np.isfinite([*after.joints, *after.tip_target, *after.velocity]).all())}
    if moved:
        checks |= {
            "box": bool((after.tip_target >= low - PLACED).all() and (after.tip_target <= high + PLACED).all()),
            "speed": _norm(after.velocity) <= min(envelope.source(after.source).speed, envelope.speed_hard) + ROUNDING,
        }
        checks |= _joint_checks(envelope, before, after)
    if moved and not after.resynced:
        change = _norm(after.velocity - before.velocity) / period
        stops = after.mode != "MOVING" or any(": at its limit" in r or r.startswith("source") for r in applied.reasons)
        since = 0.0 if before.time is None else (after.time or 0.0) - before.time
        checks["acceleration"] = since > envelope.action_timeout or change <= (
            envelope.stop_deceleration if stops else envelope.acceleration
        ) + 1e-4
    return [name for name, kept in checks.items() if not kept]


def _joint_checks(envelope: SafetyEnvelope, before: GuardState, after: GuardState) -> dict[str, bool]:
    low, high = joint_limits()
    was, now = forward(before.joints[None]), forward(after.joints[None])
    turned = after.joint_velocity
    return {
        "joint margin": _kept(
            np.minimum(after.joints - low, high - after.joints), np.minimum(before.joints - low, high - before.joints),
            envelope.joint_margin,
        ),
        "joint speed": bool((np.abs(turned) <= envelope.joint_speed_share * RATED + ROUNDING).all()),
        "tip speed": after.resynced
        or _norm(now.position[0] - was.position[0]) <= envelope.speed_hard * after.period + 1e-4,
        "angular speed": after.resynced
        or _norm(now.jacobian[0, 3:] @ turned) <= envelope.angular_speed * 1.02 + 1e-3,
        "clearance": _kept(_heights(envelope, after), _heights(envelope, before), 0.0),
        "link box": _kept(_room(envelope, after), _room(envelope, before), 0.0),
        "condition": _kept(-_condition(now.jacobian[0]), -_condition(was.jacobian[0]), -envelope.condition_limit),
    }  # fmt: skip


def _kept(now: object, before: object, least: float) -> bool:
    """Whether each margin is at least `least`, or no smaller than it was."""
    now, before = np.atleast_1d(np.asarray(now)), np.atleast_1d(np.asarray(before))
    return bool(((now >= least - 1e-3) | (now >= before - 1e-3)).all())


def _heights(envelope: SafetyEnvelope, state: GuardState) -> np.ndarray:
    """Height above what is kept over the table, of each part [m]."""
    points = body_points(forward(state.joints[None]))[:, 2] - body().radius
    kept = np.where(body().finger, envelope.finger_clearance, envelope.link_clearance)
    return np.asarray(points - envelope.table_height - kept)


def _room(envelope: SafetyEnvelope, state: GuardState) -> np.ndarray:
    points, radius = body_points(forward(state.joints[None])), body().radius[:, None]
    low, high = np.array(envelope.link_box_low), np.array(envelope.link_box_high)
    return np.asarray(np.minimum((points - radius - low).min(axis=0), (high - points - radius).min(axis=0)))


def _condition(jacobian: np.ndarray) -> float:
    return float(np.linalg.cond(jacobian))


def _norm(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector))
