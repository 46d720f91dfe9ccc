"""How soon the Sawyer rests once nobody asks for motion, however late its link is; in virtual time."""

from __future__ import annotations

import pytest

from tests.driven import POLICY_PERIOD
from tests.sim.emulated_wire import EmulatedLink
from tests.sim.test_sawyer_arm import FAST, InVirtualTime

BEFORE_IT_LAPSES = 0.15  # a command of the policy [s]
RAMP = 0.1  # from 0.2 m/s at 2 m/s^2 [s]
LEFT = 0.08  # for the servos, and for what is not known of the link [s]


@pytest.mark.parametrize("lag", [0.0, 0.005, 0.01, 0.0125])
def test_silence_ends_in_rest_without_a_swing_back(lag: float) -> None:
    arm = InVirtualTime(EmulatedLink(seed=2, noise=1.0, lag=lag))
    arm.ready()
    for phase in (0, 2, 4):  # of the last command in its period
        arm.home()
        arm.move(FAST, 0.7 + phase * POLICY_PERIOD / 5)
        arm.velocity, silent = None, arm.now
        assert arm.stopping_time(silent) < BEFORE_IT_LAPSES + RAMP + LEFT
