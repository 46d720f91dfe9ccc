"""Driving any arm through a list of poses, every step through its guard, to where a board shows what is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.poses import angle_between, from_rotation_vector, to_quaternion
from gmps_robot import config
from gmps_robot.control.arm import ArmDriver
from gmps_robot.control.kinematics import forward, rotation_from_quaternion, tool_attitude
from gmps_robot.errors import ArmError, ConfigError
from gmps_robot.types import ArmCommand, FloatArray

Vector3 = tuple[float, float, float]
STOPS = 26
ARRIVED, FACING = 2e-3, np.deg2rad(0.5)  # [m], [rad]
LONGEST = 20.0  # to the next stop [s]
SETTLING = 0.6  # at rest before an image counts [s]
SLOWING = 1.5  # approach speed per distance [1/s]
MOVABLE = ("ARMED", "MOVING", "HOLD")  # modes of the guard
GOLDEN = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True)
class Stop:
    """One pose of the hand."""

    tip: Vector3  # in `base` [m]
    attitude: tuple[float, float, float, float]  # of the tool, x y z w


@dataclass(frozen=True)
class Route:
    """Poses in their order; a YAML file of a rig's own, or `default_route`."""

    stops: tuple[Stop, ...]


def load_route(path: Path) -> Route:
    """Read a list of poses.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown, or it holds no stop.
    """
    found = config.load(Route, path)
    if not found.stops:
        raise ConfigError(f"{path}: no stops")
    return found


def default_route(center: Vector3, axes: FloatArray, reach: Vector3 = (0.12, 0.04, 0.04)) -> Route:
    """Return stops around tip `center` [m] that tilt the tool every way and turn it both ways.

    Args:
        center: in the middle of what the camera sees.
        axes: (3, 3) columns in `base`: the directions right and down in the image, and away from the camera.
        reach: how far the tip goes along `axes` [m].
    """
    stops = []
    for k in range(STOPS):
        angle, tilt = k * GOLDEN, (0.25, 0.4, 0.55)[k % 3]
        lean = np.array([tilt * np.cos(angle), tilt * np.sin(angle), 0.0])
        spin = np.array([0.0, 0.0, 0.6 * np.cos(2.3 * k)])
        turn = axes @ from_rotation_vector(lean) @ from_rotation_vector(spin) @ axes.T @ tool_attitude()
        aside = np.array([np.cos(2.0 * angle), np.sin(2.0 * angle), np.cos(1.7 * k + 1.0)])
        x, y, z = (float(v) for v in np.array(center) + axes @ (aside * reach))
        qx, qy, qz, qw = (float(v) for v in to_quaternion(turn))
        stops.append(Stop((x, y, z), (qx, qy, qz, qw)))
    return Route(tuple(stops))


class Driver:
    """Moves an armed arm by commands of the source `reset`."""

    def __init__(self, arm: ArmDriver, clock: Callable[[], float], wait: Callable[[], object]) -> None:
        """Take the arm's own clock [s], and what lets the rest of a control period pass."""
        self._arm, self._clock, self._wait = arm, clock, wait
        self._seq = 0

    @property
    def latched(self) -> bool:
        """Whether the guard lets nothing move any more."""
        return self._arm.guard_state.mode not in MOVABLE

    def go(self, stop: Stop) -> Iterator[None]:
        """Move to `stop` and settle there; yields once per control period.

        Raises:
            ArmError: the guard is in FAULT, or the arm does not arrive: another stop is nearer to what it can reach.
        """
        wanted, period = np.array(stop.attitude), self._arm.period
        turn = _rotation(wanted)
        still = 0.0
        for _ in range(round(LONGEST / period)):
            state = self._arm.guard_state
            if self.latched:
                raise ArmError(f"the arm does not move: {state.mode} {state.fault_reason}")
            offset = np.array(stop.tip) - state.tip_target
            there = forward(state.joints[None]).rotation[0]
            arrived = float(np.linalg.norm(offset)) < ARRIVED and float(angle_between(there, turn)) < FACING
            still = still + period if arrived else 0.0
            if still > SETTLING:
                return
            self._send(np.zeros(3) if arrived else self._speed(offset), wanted)
            yield
        raise ArmError(
            f"the arm did not reach tip {tuple(round(v, 3) for v in stop.tip)} m within {LONGEST:.0f} s: "
            f"{np.linalg.norm(offset) * 1e3:.0f} mm, {np.rad2deg(float(angle_between(there, turn))):.0f} deg are left"
        )

    def straighten(self) -> Iterator[None]:
        """Turn the tool back to its usual attitude and go home."""
        for _ in range(round(LONGEST / self._arm.period)):
            there = forward(self._arm.guard_state.joints[None]).rotation[0]
            if float(angle_between(there, tool_attitude())) < FACING:
                break
            self._send(np.zeros(3), None)
            yield
        self._arm.home()

    def _speed(self, offset: FloatArray) -> FloatArray:
        distance = float(np.linalg.norm(offset))
        if distance < 1e-9:
            return np.zeros(3)
        fastest = self._arm.limits.reset.speed
        return np.asarray(offset / distance * min(fastest, SLOWING * distance, distance / self._arm.period))

    def _send(self, velocity: FloatArray, attitude: FloatArray | None) -> None:
        now = self._clock()
        self._seq += 1
        gripper = self._arm.guard_state.gripper
        self._arm.apply(ArmCommand(round(now * 1e9), self._seq, "reset", velocity, gripper, attitude=attitude), now)
        self._wait()


def _rotation(quaternion: FloatArray) -> FloatArray:
    x, y, z, w = quaternion
    return rotation_from_quaternion((w, x, y, z))
