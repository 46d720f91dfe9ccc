"""What tests/sim/test_sawyer_arm.py asks of the driver, over the arm's own wire; and what only threads can do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from gmps_robot.errors import ArmError
from tests.driven import Driven
from tests.ros1.ros1_world import ROSPY
from tests.ros1.sawyer_world import driven
from tests.sim import test_sawyer_arm as shared

pytestmark = pytest.mark.realtime

arm = shared.arm


@pytest.fixture(scope="module")
def world() -> Iterator[Driven]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with driven(seed=1) as made:
        yield made


@pytest.mark.parametrize("act", ["switched off", "e-stop"])
def test_motors_do_not_come_on_after_a_later_act(arm: Driven, act: str) -> None:
    arm.arm.enable(False)
    refused: list[str] = []

    def switch_on() -> None:
        with pytest.raises(ArmError) as error:
            arm.arm.enable(True)
        refused.append(str(error.value))

    waiting = threading.Thread(target=switch_on)
    waiting.start()
    time.sleep(0.1)
    if act == "e-stop":
        arm.emulator.inject("estop_press")
        time.sleep(0.2)
        arm.emulator.inject("estop_release")
        arm.until(lambda: not arm.wire.heard.robot().assembly.pressed, "the button does not come out")
        arm.arm.reset_fault()
    else:
        arm.arm.enable(False)
    waiting.join(6.0)
    time.sleep(0.5)
    assert refused
    assert not arm.emulator.describe()["enabled"]
    assert not arm.arm.guard_state.armed


# At the end, as the last of them ends the control loop.
globals().update({name: test for name, test in vars(shared).items() if name.startswith("test_")})
