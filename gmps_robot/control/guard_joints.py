"""The guard below the tip: what the joints that carry a commanded tip may do.

Each limit is a margin: how far the arm is from what must not happen. In its zone, a motion that shrinks it is slowed
down; beyond that, a step is taken only if stopping after it ends with the margin kept. A margin that is lost already
(somebody pushed the arm) may grow, and only grow. Where nothing is near, nothing is changed, to the last bit.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from gmps_robot.control.body import body, body_points
from gmps_robot.control.kinematics import Pose, forward, joint_limits, paced_ik_step
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.types import FloatArray, SafetyEnvelope

_HOLDS = 1e-6  # a margin that shrinks by less than this keeps still
_SHRINKS = 1e-9
_TURNS = 1.01  # times the angular speed: more is cut back


class Joints(NamedTuple):
    """Commanded joints and what follows from them."""

    angles: FloatArray  # (7,) [rad]
    pose: Pose
    margins: FloatArray  # (M,) of the limits in `margin_names`; negative: lost


class Terms(NamedTuple):
    """The margins' settings, (M,) each."""

    zone: FloatArray  # width of the slow-down; 0 for none
    spare: FloatArray  # kept beyond the limit, for what a prediction of the stop misses


def joints_now(envelope: SafetyEnvelope, angles: FloatArray) -> Joints:
    """Return `angles` (7,) [rad] with pose and margins."""
    pose = forward(angles[None])
    return Joints(angles, pose, _margins(envelope, angles, pose))


def joints_after(
    envelope: SafetyEnvelope, now: Joints, tip_target: FloatArray, period: float, attitude: FloatArray | None = None
) -> Joints:
    """Return the joints one `period` [s] later on the way to `tip_target` (3,) [m]; tip and tool speed are kept.

    The tool turns to `attitude` (3, 3), at half speed as it begins and ends without a ramp, or to the one that every
    task keeps.
    """
    turning = envelope.angular_speed * (1.0 if attitude is None else 0.5)
    angles = paced_ik_step(
        now.angles[None], now.pose, tip_target[None], period, envelope.speed_hard, turning, attitude
    )[0]
    # Far from the usual attitude the pull towards the neutral posture turns the tool too.
    turned = float(np.linalg.norm(now.pose.jacobian[0, 3:] @ (angles - now.angles)))
    if turned > _TURNS * envelope.angular_speed * period:
        angles = now.angles + (angles - now.angles) * (envelope.angular_speed * period / turned)
    return joints_now(envelope, angles)


def slow_down(envelope: SafetyEnvelope, now: Joints, after: Joints) -> tuple[float, str]:
    """Return the share of the wanted speed that is allowed near a limit, and that limit's name; (1.0, "") elsewhere."""
    zone = _terms(envelope).zone
    near = (now.margins < zone) & (after.margins < now.margins - _SHRINKS)
    if not near.any():
        return 1.0, ""
    shares = np.where(near, np.clip(now.margins, 0.0, None) / np.maximum(zone, 1e-30), 1.0)
    worst = int(shares.argmin())
    return float(shares[worst]), margin_names()[worst]


def forbidden(envelope: SafetyEnvelope, now: Joints, after: Joints, speed: float, period: float) -> str:
    """Return the name of the limit that a step to `after` would break, on the way or while stopping; empty for none.

    Args:
        envelope: limits.
        now: commanded joints before the step.
        after: and after it.
        speed: of the tip in this step [m/s]; a stop from it covers `speed / (2 stop_deceleration period)` more steps.
        period: control period [s].
    """
    if _too_far(envelope, now, after, period) < 1.0:
        return "joint speed"
    steps = speed / (2.0 * envelope.stop_deceleration * period)
    change = after.margins - now.margins
    ends = np.minimum(after.margins, after.margins + steps * change)
    broken = (ends < _terms(envelope).spare) & (change < -_HOLDS)
    return margin_names()[int(np.where(broken, ends, np.inf).argmin())] if broken.any() else ""


def held_back(envelope: SafetyEnvelope, now: Joints, after: Joints, period: float) -> Joints:
    """Return `after`, or as far on the way to it as joint speeds and the step's length allow."""
    share = _too_far(envelope, now, after, period)
    return after if share >= 1.0 else joints_now(envelope, now.angles + share * (after.angles - now.angles))


@cache
def margin_names() -> tuple[str, ...]:
    """Return what each margin is about."""
    names = body().names
    low = tuple(f"joint {k} low" for k in range(7))
    return (
        *low, *(name.replace("low", "high") for name in low), "singularity", *(f"table, {name}" for name in names),
        *(f"link box {axis} {side}" for side in ("low", "high") for axis in "xyz"),
    )  # fmt: skip


def _margins(envelope: SafetyEnvelope, angles: FloatArray, pose: Pose) -> FloatArray:
    low, high = joint_limits()
    points, radius = body_points(pose), body().radius[:, None]
    singular = np.linalg.svd(pose.jacobian[0], compute_uv=False)
    condition = singular[0] / max(singular[-1], 1e-9)
    return np.concatenate([
        angles - low - envelope.joint_margin,
        high - angles - envelope.joint_margin,
        [envelope.condition_limit - condition],
        points[:, 2] - body().radius - envelope.table_height - _clearance(envelope),
        (points - radius).min(axis=0) - envelope.link_box_low,
        envelope.link_box_high - (points + radius).max(axis=0),
    ])  # fmt: skip


def _too_far(envelope: SafetyEnvelope, now: Joints, after: Joints, period: float) -> float:
    """Share of a step that joint speeds and the longest step of the tip allow; 1 or more: all of it."""
    turns = np.abs(after.angles - now.angles)
    moved = float(np.linalg.norm(after.pose.position[0] - now.pose.position[0]))
    allowed = _rated_speeds() * (envelope.joint_speed_share * period)
    return min(float((allowed / np.maximum(turns, 1e-12)).min()), envelope.jump / max(moved, 1e-12))


@cache
def _rated_speeds() -> FloatArray:
    return np.array([link.velocity for link in sawyer_model().links])


@lru_cache(maxsize=16)
def _clearance(envelope: SafetyEnvelope) -> FloatArray:
    return np.where(body().finger, envelope.finger_clearance, envelope.link_clearance)


@lru_cache(maxsize=16)
def _terms(envelope: SafetyEnvelope) -> Terms:
    """Fingers have no zone of their own: the tip's box slows them down, and pushing happens just above the table."""
    joint = envelope.joint_zone - envelope.joint_margin
    condition = envelope.condition_limit - envelope.condition_zone
    table = np.where(body().finger, 0.0, envelope.brake_zone)
    zone = np.concatenate([np.full(14, joint), [condition], table, np.full(6, envelope.brake_zone)])
    return Terms(zone, np.concatenate([np.full(14, 2e-3), [0.1], np.where(body().finger, 0.0, 1e-3), np.full(6, 1e-3)]))
