"""Turning the tool, which calibration needs: only `reset` may, within every limit, and stopping keeps what there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.guard_state import GuardState
from gmps_robot.control.kinematics import forward, joints_at, rotation_from_quaternion
from gmps_robot.types import ArmCommand
from tests.unit.adversary import Adversary, play
from tests.unit.guard_limits import broken_limits
from tests.unit.guard_world import ENVELOPE, START_JOINTS, World, armed_at

HIGH = joints_at((0.6, 0.0, 0.22))
DOWN = forward(HIGH[None]).rotation[0]


def tilted(angle: float) -> np.ndarray:
    """The usual attitude turned by `angle` [rad] about the base's y, as a quaternion x y z w."""
    return turned(np.array([0.0, 1.0, 0.0]), angle)


def turned(axis: np.ndarray, angle: float) -> np.ndarray:
    """The usual attitude turned by `angle` [rad] about `axis` (3,) of the base, as a quaternion x y z w."""
    turn = rotation_from_quaternion((np.cos(angle / 2.0), *(np.sin(angle / 2.0) * axis))) @ DOWN
    values, vectors = np.linalg.eigh(_bar_itzhack(turn))
    return np.asarray(vectors[:, values.argmax()])


def _bar_itzhack(r: np.ndarray) -> np.ndarray:
    k = np.empty((4, 4))
    k[:3, :3] = r + r.T - np.trace(r) * np.eye(3)
    k[3, :3] = k[:3, 3] = [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]
    k[3, 3] = np.trace(r)
    return k


def angle(joints: np.ndarray) -> float:
    """How far the tool is turned from its usual attitude [rad]."""
    return float(np.arccos(np.clip((np.trace(DOWN.T @ forward(joints[None]).rotation[0]) - 1.0) / 2.0, -1.0, 1.0)))


class Turner(Adversary):
    """Asks for any attitude with most commands."""

    def command(self, state: GuardState) -> ArmCommand | None:
        made = super().command(state)
        if made is None or self.rng.uniform() < 0.2:
            return made
        wish = np.random.default_rng(self.seq // round(2.0 / self.period))  # the same one for a while
        axis = wish.normal(size=3)
        attitude = turned(axis / np.linalg.norm(axis), float(wish.uniform(0.0, 1.09)))
        return replace(made, source="reset", attitude=attitude)


@pytest.mark.parametrize(("period", "seed", "steps"), [(0.05, 3, 700), (0.01, 4, 700)])
def test_no_limit_is_broken_by_any_attitude(period: float, seed: int, steps: int) -> None:
    turner, farthest = Turner(np.random.default_rng(seed), period), 0.0
    for count, (before, after, applied) in enumerate(play(turner, armed_at(START_JOINTS, period), steps)):
        assert broken_limits(ENVELOPE, before, after, applied) == [], (count, after.mode, applied.reasons)
        farthest = max(farthest, angle(after.joints))
    assert farthest > 0.1, "the tool was hardly turned"


def test_reset_turns_the_tool_and_the_tip_stays() -> None:
    world = World(state=armed_at(HIGH))
    tip = forward(HIGH[None]).position[0]
    for _ in range(60):
        world.send(np.zeros(3), "reset", attitude=tilted(0.4))
    assert angle(world.state.joints) == pytest.approx(0.4, abs=0.01)
    np.testing.assert_allclose(forward(world.state.joints[None]).position[0], tip, atol=1e-3)


@pytest.mark.parametrize("source", ["policy", "teleop"])
def test_nobody_else_turns_it(source: str) -> None:
    world = World(state=armed_at(HIGH))
    for _ in range(20):
        world.send(np.zeros(3), source, attitude=tilted(0.4))
    assert angle(world.state.joints) < 1e-3


def test_silence_keeps_the_attitude_there_is() -> None:
    world = World(state=armed_at(HIGH))
    for _ in range(10):
        world.send(np.array([0.0, 0.1, 0.0]), "reset", attitude=tilted(0.4))
    there = angle(world.state.joints)
    for _ in range(20):
        world.tick()
    assert there > 0.1
    assert there - 1e-3 < angle(world.state.joints) < there + 0.05  # the last command lapses after 0.15 s


@pytest.mark.parametrize(
    "attitude", ["up", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 2.0), (0.0, 0.0, 0.0, 1.0), (np.nan, 0.0, 0.0, 1.0)]
)
def test_an_attitude_that_is_none_is_refused(attitude: object) -> None:
    world = World(state=armed_at(HIGH))
    applied = world.send(np.zeros(3), "reset", attitude=attitude)
    assert angle(world.state.joints) < 1e-3
    assert any(reason.startswith("command: attitude") for reason in applied.reasons)
