"""The way home from wherever an arm was left: it arrives with its tool upright, or says what to do."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.control.guard_state import arm, starting_at
from gmps_robot.control.homing import LIMIT, PATIENCE, UPRIGHT, Progress
from gmps_robot.control.kinematics import forward, joints_at, tool_turn
from gmps_robot.errors import ArmError
from gmps_robot.families.push import PushFamily
from gmps_robot.types import FloatArray
from sim.twin import Twin

FAMILY = PushFamily()
START = np.array(FAMILY.start_tip)
WRIST = np.eye(7)[-1]
# Tips inside the box with a posture far from the start's: an elbow that points elsewhere, a tool that looks away.
ODD = {
    "elbow": (-1.85, -1.07, 2.18, 2.74, -2.63, -0.35, -2.77),
    "all": (-1.74, -2.39, -1.60, -2.45, -0.73, 0.17, -0.57),
}


class Left(Twin):
    """A twin whose arm was left somewhere."""

    def leave_at(self, joints: FloatArray) -> None:
        self._worlds.bind("qpos")[0, :7] = joints
        self._worlds.joint_target[0] = joints
        self._worlds.batch.forward(ids=np.zeros(1, dtype=np.int64))
        self._state = None
        self._guard = arm(starting_at(joints, self.period), self.observe())


@pytest.fixture(scope="module")
def twin() -> Left:
    return Left(FAMILY)


@pytest.fixture(autouse=True)
def fresh(twin: Left) -> None:
    twin.reset_scene(None, 0)


@pytest.mark.parametrize("tip", [(0.36, -0.2, 0.2), (0.8, 0.2, 0.03), (0.6, 0.0, 0.28), (0.45, 0.15, 0.1)])
def test_home_is_reached_from_anywhere_over_the_table(twin: Left, tip: tuple[float, float, float]) -> None:
    twin.leave_at(joints_at(tip))
    twin.home()
    assert arrived(twin)


@pytest.mark.parametrize("turn", [-2.4, -1.0, 1.0, 2.4])
def test_a_tool_that_was_turned_is_upright_when_the_arm_is_home(twin: Left, turn: float) -> None:
    twin.leave_at(joints_at((0.6, 0.1, 0.15)) + turn * WRIST)
    assert tool_turn(forward(twin.observe().joints[None]).rotation[0]) == pytest.approx(abs(turn), abs=0.02)
    twin.home()
    assert arrived(twin)


@pytest.mark.parametrize("posture", sorted(ODD))
def test_where_no_way_leads_home_the_arm_holds_and_says_what_to_do(twin: Left, posture: str) -> None:
    twin.leave_at(np.array(ODD[posture]))
    began = twin.observe().stamp_ns
    with pytest.raises(ArmError, match=r"no way home from here: the tip stays .*Bring the arm near its start by hand"):
        twin.home()
    assert (twin.observe().stamp_ns - began) * 1e-9 < LIMIT
    for _ in range(20):
        twin.apply(None, twin.observe().stamp_ns * 1e-9)
    assert twin.guard_state.at_rest
    assert twin.guard_state.mode in ("ARMED", "HOLD")
    twin.leave_at(joints_at((0.6, 0.1, 0.15)))  # by hand
    twin.home()
    assert arrived(twin)


def test_a_way_ends_after_too_long_without_coming_nearer_and_begins_anew_after_a_pause() -> None:
    way = Progress().after(0.3, 0.0, 10.0)
    last = 10.0 + PATIENCE
    for now in np.arange(10.0, last + 0.01, 0.2):
        way = way.after(0.3, 0.0, float(now))
    assert not way.ended
    assert way.after(0.3, 0.0, last + 0.2).ended
    assert not way.after(0.29, 0.0, last + 0.2).ended  # nearer
    assert not way.after(0.3, 0.0, last + 0.6).ended  # not asked for meanwhile
    creeping = Progress()
    for k in range(round(LIMIT / 0.2) + 2):
        assert not creeping.ended
        creeping = creeping.after(0.5 - 0.002 * k, 0.0, 0.2 * k)
    assert creeping.ended


def arrived(twin: Left) -> bool:
    """Whether tip and tool are where they belong, half a second later: joints follow their commands with a lag."""
    for _ in range(10):
        twin.apply(None, twin.observe().stamp_ns * 1e-9)
    state = twin.observe()
    upright = tool_turn(forward(state.joints[None]).rotation[0]) < UPRIGHT + 0.005
    return upright and bool(np.linalg.norm(state.tip_position - START) < 0.005)
