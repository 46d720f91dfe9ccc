"""What the arm feels: force at the tip without the tool's weight, torque in the joints, the way back from contact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.types import FloatArray, SafetyEnvelope

JOINT_NAMES = tuple(link.joint for link in sawyer_model().links)
MOST_TORQUE = np.array([link.torque for link in sawyer_model().links])  # (7,) [N m]
PATH_STEP = 0.002  # between remembered points of the path [m]
PATH_POINTS = 50
REACHED = 0.0005  # [m]
AHEAD = 0.006  # so far along the way back it is aimed [m]
Path = tuple[FloatArray, ...]  # points (3,) [m], the oldest first


@dataclass(frozen=True)
class Force:
    """Force at the tip, (3,) each [N]."""

    sample: FloatArray = field(default_factory=lambda: np.zeros(3))
    filtered: FloatArray = field(default_factory=lambda: np.zeros(3))
    bias: FloatArray = field(default_factory=lambda: np.zeros(3))  # felt when the arm was armed: weight and offset
    samples: int = 0

    @property
    def level(self) -> float:
        """Norm of the filtered force [N]."""
        return float(np.linalg.norm(self.filtered - self.bias))

    @property
    def peak(self) -> float:
        """Norm of the latest sample [N]."""
        return float(np.linalg.norm(self.sample - self.bias))


@dataclass(frozen=True)
class Torque:
    """Residual torque of the joints, (7,) each [N m]; (0,) is what the arm does not say now, or did not when armed."""

    sample: FloatArray = field(default_factory=lambda: np.zeros(0))
    filtered: FloatArray = field(default_factory=lambda: np.zeros(0))
    bias: FloatArray = field(default_factory=lambda: np.zeros(0))  # felt when the arm was armed

    @property
    def watched(self) -> bool:
        """Whether it can be judged: what was never tared is an offset as likely as a contact."""
        return bool(self.filtered.size and self.bias.size)


def feel(force: Force, wrench: FloatArray, period: float, time_constant: float) -> Force:
    """Take in one measured `wrench` (6,), a sample per `period` [s]."""
    sample = np.array(wrench[:3], dtype=np.float64)
    share = 1.0 if force.samples == 0 else 1.0 - np.exp(-period / time_constant)
    filtered = force.filtered + share * (sample - force.filtered)
    return replace(force, sample=sample, filtered=filtered, samples=force.samples + 1)


def feel_torque(torque: Torque, residual: FloatArray, period: float, time_constant: float) -> Torque:
    """Take in one measured `residual` (7,) or (0,). After a silence it begins at the bias: one sample is no contact."""
    now = sample = np.array(residual, dtype=np.float64)
    before = torque.filtered if torque.filtered.size else torque.bias
    if sample.size and before.size:
        sample = before + (1.0 - np.exp(-period / time_constant)) * (sample - before)
    return replace(torque, sample=now, filtered=sample)


def tare(force: Force, wrench: FloatArray) -> Force:
    """Call what is felt now nothing: the filtered force where there is one, else `wrench` (6,)."""
    if force.samples == 0:
        force = feel(force, wrench, 1.0, 1.0)
    return replace(force, bias=force.filtered)


def tare_torque(torque: Torque, residual: FloatArray) -> Torque:
    """Call what is felt now nothing: the filtered torque where there is one, else `residual` (7,) or (0,)."""
    felt = torque.filtered if torque.filtered.size else np.array(residual, dtype=np.float64)
    return Torque(felt, felt, felt)


def force_problem(force: Force, envelope: SafetyEnvelope) -> str:
    """Return why the arm must stop and back off, as `force: ...`; empty when it need not."""
    if force.peak > envelope.force_hard:
        return f"force: {force.peak:.0f} N in one sample, limit {envelope.force_hard:.0f}"
    if force.level > envelope.force_stop:
        return f"force: {force.level:.0f} N, limit {envelope.force_stop:.0f}"
    return ""


def torque_problem(torque: Torque, envelope: SafetyEnvelope) -> str:
    """Return which joint feels more than it may, as `torque: ...`; empty when none does or the arm does not say."""
    if not torque.watched:
        return ""
    felt, limit = np.abs(torque.filtered - torque.bias), MOST_TORQUE * envelope.joint_torque_share
    joint = int(np.argmax(felt / limit))
    if felt[joint] <= limit[joint]:
        return ""
    return f"torque: {felt[joint]:.1f} N m at {JOINT_NAMES[joint]}, limit {limit[joint]:.1f}"


def is_pressed(force: Force, torque: Torque, envelope: SafetyEnvelope) -> bool:
    """Whether something presses on the arm now: no spike, which the filter passes over, and no more than its echo."""
    now = replace(torque, filtered=torque.sample)
    by_torque = torque_problem(torque, envelope) and torque_problem(now, envelope)
    return min(force.level, force.peak) > envelope.force_stop or bool(by_torque)


def remember(path: Path, tip: FloatArray) -> Path:
    """Return `path` with the commanded `tip` (3,) [m], if that is a step away from its last point."""
    if path and float(np.linalg.norm(tip - path[-1])) < PATH_STEP:
        return path
    return (*path, tip.copy())[-PATH_POINTS:]


def way_back(path: Path, tip: FloatArray, distance: float) -> tuple[Path, Path]:
    """Return the points from `tip` (3,) back along `path` until `distance` [m] away, nearest first, and the path left.

    The commanded path may lead further than the arm has come; that part is left out. Where the path turns back to the
    contact before it is as far away, the way ends at its farthest point.
    """
    while len(path) > 1 and np.linalg.norm(path[-2] - tip) <= np.linalg.norm(path[-1] - tip):
        path = path[:-1]
    path = path[:-1] if len(path) > 1 else path
    back, away = [tip], [0.0]
    while path and away[-1] < distance - REACHED:
        there = float(np.linalg.norm(path[-1] - tip))
        if there < max(away) / 2.0:
            break
        share = (distance - away[-1]) / (there - away[-1]) if there > distance else 1.0
        back.append(back[-1] + share * (path[-1] - back[-1]))
        away.append(min(there, distance))
        path = path if share < 1.0 else path[:-1]
    return tuple(back[1 : int(np.argmax(away)) + 1]), path


def follow(points: Path, tip: FloatArray, speed: float, acceleration: float, period: float) -> tuple[FloatArray, Path]:
    """Return the velocity (3,) [m/s] that leads `tip` (3,) on along `points`, and the points that are left.

    It aims some way ahead, at what is left of the path once passed points are dropped: a tip that begins beside its
    path joins it, and does not turn round for a point that it has missed.
    """
    while len(points) > 1 and np.linalg.norm(points[1] - tip) <= np.linalg.norm(points[0] - tip):
        points = points[1:]
    if len(points) == 1 and float(np.linalg.norm(points[0] - tip)) < REACHED:
        points = ()
    if not points:
        return np.zeros(3), ()
    far = [k for k, point in enumerate(points) if np.linalg.norm(point - tip) > AHEAD]
    corners = [tip, *points[far[0] if far else -1 :]]
    left = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(corners))
    ahead = corners[1] - tip
    distance = float(np.linalg.norm(ahead))
    braking = acceleration / 2.0
    lag = braking * period  # as in homing: braking begins a period late
    pace = min(speed, float(np.sqrt(lag * lag + 2.0 * braking * left)) - lag, left / period)
    return np.asarray(ahead / distance * pace), points
