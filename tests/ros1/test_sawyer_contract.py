"""The Sawyer's driver keeps what every arm promises: tests/sim/test_arm_contract.py again, on an emulated robot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from gmps_robot.control.timing import prefer_this_process
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import connect
from sim.intera_emulator import Emulator
from tests.ros1.ros1_world import ROSPY
from tests.sim import test_arm_contract as contract

pytestmark = pytest.mark.realtime

globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})
LATENCY = 0.03  # [s]


class Beat:
    """Sleeps until a control period after the last beat; a late one pushes the others back, so that none is early."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, self._last + seconds - time.monotonic()))
        self._last = time.monotonic()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with Emulator(contract.FAMILY, noise=0.3) as made:
        yield made


@pytest.fixture(scope="module")
def arm(emulator: Emulator) -> Iterator[SawyerArm]:
    prefer_this_process()  # test machines are shared
    beat = Beat()
    with ExitStack() as stack:
        wire = connect("driver", emulator.master_uri, 5.0)
        stack.callback(wire.close)
        yield SawyerArm(contract.FAMILY, wire, time.monotonic, beat.sleep)


@pytest.fixture
def rig(arm: SawyerArm, emulator: Emulator) -> contract.Rig:
    """Armed, at rest, at the start. Its stops are judged by the true tip: what the robot tells is noisy."""

    def true_speed() -> float:
        return float(np.linalg.norm(emulator.trace(0.1)[-1, 4:]))

    made = contract.Rig(arm, time.monotonic, Beat().sleep, slack=contract.SERVO, latency=LATENCY, true_speed=true_speed)
    made.silence(0.02)
    if arm.guard_state.mode in ("FAULT", "ESTOP"):
        arm.reset_fault()
        made.silence(0.05)
    if not arm.guard_state.armed:
        arm.enable(True)
    if np.linalg.norm(made.tip() - contract.START) > 0.003:
        arm.home()
    made.silence(0.5)
    return made
