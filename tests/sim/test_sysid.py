"""Servos, friction and delay of a twin, from what it did: known ones are found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.wave import record
from gmps_robot.errors import CalibrationError
from gmps_robot.families.push import PushFamily
from gmps_robot.rig import Latencies, ServoFit, load_rig
from gmps_robot.types import FloatArray
from sim.sysid import Sweep, identify, predict
from sim.twin import Twin

NOMINAL = load_rig("nominal")
FAST = replace(PushFamily(), control_hz=100.0)  # as often as the driver of the real arm
SECONDS, ENCODERS = 6.0, 1e-4  # [s], [rad]
DELAY = 0.010
TRUE = ServoFit(
    stiffness=(0.8, 1.3, 1.1, 0.7, 1.4, 0.9, 1.2), damping=(1.2, 0.8, 0.9, 1.1, 0.7, 1.3, 1.0),
    friction=(1.5, 0.7, 1.2, 0.8, 1.6, 1.3, 0.7),
)  # fmt: skip


def swept(servo: ServoFit, delay: float) -> Sweep:
    """A sweep of a twin with these servos, through its guard, read by encoders."""
    twin = Twin(FAST, rig=replace(NOMINAL, servo=servo, latency=Latencies(command=delay)))
    motion = record(twin, lambda: None, lambda: twin.observe().stamp_ns * 1e-9, lambda: None, SECONDS)
    noise = np.random.default_rng(0).normal(0.0, ENCODERS, motion.joints.shape)
    return Sweep(motion.command_times, motion.commands, motion.state_times, motion.joints + noise)


def factors(servo: ServoFit) -> FloatArray:
    """(3, 7)."""
    return np.array([servo.stiffness, servo.damping, servo.friction])


def test_known_gains_friction_and_delay_are_found_within_ten_percent() -> None:
    sweep = swept(TRUE, DELAY)
    found = identify(sweep)
    assert all(found.moved)
    assert abs(found.delay - DELAY) <= 0.1 * DELAY
    np.testing.assert_allclose(factors(found.servo) / factors(TRUE), 1.0, atol=0.1)
    assert max(found.rms) < 2.0 * ENCODERS
    assert max(found.before) > 10.0 * max(found.rms)  # the nominal servos would not have done


@pytest.fixture(scope="module")
def nominal() -> Sweep:
    return swept(ServoFit(), 0.0)


def test_the_arm_alone_moves_as_the_twin_does(nominal: Sweep) -> None:
    sweep = nominal
    times, joints = predict(sweep.command_times, sweep.commands, float(sweep.times[-1]))
    there = np.stack([np.interp(sweep.times, times, column) for column in joints.T], axis=1)
    assert np.abs(there - sweep.joints).max() < 6.0 * ENCODERS


def test_an_arm_that_did_not_move_says_nothing() -> None:
    times = np.linspace(0.0, 2.5, 50)
    still = Sweep(times, np.zeros((50, 7)), times, np.zeros((50, 7)))
    with pytest.raises(CalibrationError, match="no joint moved"):
        identify(still)


def test_an_arm_that_does_not_follow_is_no_servo(nominal: Sweep) -> None:
    with pytest.raises(CalibrationError, match="joints do not follow the commands"):
        identify(replace(nominal, joints=-nominal.joints))
