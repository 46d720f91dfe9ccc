"""What people may do to an arm in motion, on the base that every driver shares."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot import families
from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.errors import ArmError
from gmps_robot.types import ArmCommand
from tests.stepped_clock import SteppedClock

FAMILY = families.family("push")
FAST = 0.01  # a robot's period [s]
SIDEWAYS = np.array([0.0, 0.1, 0.0])


class Deaf(FakeArm):
    """An arm whose robot does not hear that it shall stop."""

    def _press_stop(self, reason: str) -> None:
        raise ArmError(f"the robot did not confirm its stop ({reason})")


def moving(kind: type[FakeArm]) -> tuple[FakeArm, SteppedClock]:
    clock = SteppedClock()
    arm = kind(FAMILY, clock, clock.sleep, period=FAST)
    for seq in range(1, 60):
        step(arm, clock, seq)
    assert not arm.guard_state.at_rest
    return arm, clock


def step(arm: FakeArm, clock: SteppedClock, seq: int) -> None:
    arm.apply(ArmCommand(round(clock.now * 1e9), seq, "policy", SIDEWAYS, -0.5), clock.now)
    clock.sleep(FAST)


def test_a_robot_that_does_not_hear_its_stop_is_held_all_the_same() -> None:
    arm, clock = moving(Deaf)
    with pytest.raises(ArmError, match="did not confirm"):
        arm.kill("a person")
    for seq in range(60, 100):
        step(arm, clock, seq)
    assert arm.guard_state.mode == "FAULT"
    assert arm.guard_state.at_rest


def test_an_arm_in_motion_is_not_enabled_anew() -> None:
    arm, clock = moving(FakeArm)
    before = arm.guard_state
    with pytest.raises(ArmError, match="in motion"):
        arm.enable(True)
    assert arm.guard_state is before
    for _ in range(40):
        arm.apply(None, clock.now)
        clock.sleep(FAST)
    arm.enable(True)
    assert arm.guard_state.mode == "ARMED"
