"""Known delays, found again: in signals as a rig gives them, and on a twin that moves, is late and is watched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.delay import Channel, Delay, find_delay
from calibration.latency import Measured, Recording, Signal, image_delay, into_rig, measure
from calibration.track import MarkerSpec, marker_corners
from calibration.wave import PHASES, SHARES, record, sine_velocity
from gmps_robot import families
from gmps_robot.errors import ArmError, CalibrationError
from gmps_robot.rig import Latencies, RigCalibration, load_rig
from gmps_robot.types import FloatArray
from sim.measured_twin import WatchedTwin
from sim.sysid import predict
from sim.twin import Twin

BAR = 0.003  # [s]
RIG = load_rig("nominal")
PUSH = families.family("push")


def sines(times: FloatArray) -> FloatArray:
    """Tip places (n, 3) [m] on the sines that arms are moved on."""
    angles = 2.0 * np.pi * np.array([0.23, 0.5, 1.3])
    waves = SHARES * 0.06 / angles * np.sin(times[:, None, None] * angles + PHASES)
    return np.asarray(waves.sum(2) + np.array([0.56, 0.0, 0.16]))


def as_on_a_rig(delay: float, seed: int, seconds: float = 12.0) -> Recording:
    """100 Hz states and 30 pictures a second, `delay` [s] later, noisy, with lost frames and late stamps."""
    rng = np.random.default_rng(seed)
    states = np.arange(0.0, seconds, 0.01)
    grabs = np.arange(0.0, seconds, 1.0 / 30.0) + rng.uniform(0.0, 0.004, round(seconds * 30))
    grabs = grabs[rng.uniform(size=len(grabs)) > 0.05]
    local = (sines(grabs - delay) - RIG.camera_to_base.position) @ RIG.camera_to_base.rotation
    pixels = 539.0 * local[:, :2] / local[:, 2:] + rng.normal(0.0, 0.3, (len(grabs), 2))
    nothing = Signal(states, np.zeros((len(states), 7)))
    tips = Signal(states, sines(states) + rng.normal(0.0, 1e-4, (len(states), 3)))
    return Recording(nothing, nothing, tips, Signal(grabs, pixels))


@pytest.mark.parametrize("delay", [0.033, 0.080, 0.150])
def test_pictures_that_come_late_are_told_by_how_much(delay: float) -> None:
    found = [image_delay(as_on_a_rig(delay, seed), np.random.default_rng(seed)) for seed in range(2)]
    for one in found:
        assert abs(one.value - delay) <= BAR
        assert one.low <= one.value <= one.high
        assert one.half_width < 0.002
        assert one.unexplained < 0.01


def test_misread_pictures_do_not_count() -> None:
    recording = as_on_a_rig(0.080, 0)
    spoilt = recording.features.values.copy()
    spoilt[::20] += 200.0
    found = image_delay(replace(recording, features=Signal(recording.features.times, spoilt)), np.random.default_rng(0))
    assert abs(found.value - 0.080) <= BAR


def watched(rig: RigCalibration, seconds: float) -> Recording:
    """A twin of `rig` on its sines, watched by its own camera."""
    spec = MarkerSpec()
    world = WatchedTwin(Twin(PUSH, rig=rig), spec.cells)

    def look() -> tuple[float, FloatArray] | None:
        stamp, image = world.picture()
        corners = marker_corners(image, spec)
        return None if isinstance(corners, str) else (stamp, corners.mean(0))

    motion = record(world.twin, look, world.now, world.wait, seconds)
    predicted = predict(motion.command_times, motion.commands, float(motion.state_times[-1]), rig.servo)
    return Recording(
        Signal(*predicted), Signal(motion.state_times, motion.joints), Signal(motion.state_times, motion.tips),
        Signal(motion.feature_times, motion.features),
    )


def test_a_late_twin_is_measured_by_moving_it_through_its_guard_and_watching() -> None:
    late = replace(RIG, latency=Latencies(image=0.080, state=0.015, command=0.033))
    found = measure(watched(late, 6.0), np.random.default_rng(0))
    assert abs(found.image_after_state.value - (0.080 - 0.015)) <= BAR
    assert abs(found.command_to_state.value - (0.033 + 0.015)) <= BAR
    known = replace(RIG, latency=Latencies(state=0.015))
    rig = into_rig(known, found)
    assert abs(rig.latency.image - 0.080) <= BAR
    assert abs(rig.latency.command - 0.033) <= BAR
    assert rig.latency.state == 0.015
    assert 0.0 < rig.latency_error.image < BAR


def test_sines_stay_within_the_arms_speed() -> None:
    speeds = [np.linalg.norm(sine_velocity(t)) for t in np.arange(0.0, 60.0, 0.05)]
    assert 0.10 < max(speeds) < PUSH.envelope.reset.speed * 2.0  # the guard shortens what is left
    assert np.linalg.norm(sine_velocity(0.0)) == 0.0


def test_an_arm_that_may_not_move_is_said() -> None:
    twin = Twin(PUSH)
    twin.stop("a test")
    with pytest.raises(ArmError, match="may not move: FAULT stop: a test"):
        record(twin, lambda: None, lambda: 0.0, lambda: None, 1.0)


def shifted(delay: float, share: float = 1.0) -> tuple[FloatArray, Channel]:
    """A channel that is a wave `delay` [s] later, and for the rest noise."""
    times, rng = np.arange(0.0, 10.0, 0.05), np.random.default_rng(0)
    values = share * np.sin(3.0 * (times - delay)) + (1.0 - share) * rng.normal(size=len(times))
    return times, Channel(values, lambda d: np.stack([np.sin(3.0 * (times - d)), np.ones(len(times))], axis=1))


@pytest.mark.parametrize(
    ("delay", "share", "samples", "said"),
    [
        (0.6, 1.0, 200, "no delay within -100 to 400 ms"),
        (0.1, 0.2, 200, "no delay explains more than"),
        (0.1, 1.0, 30, "only 30 samples of motion"),
    ],
)
def test_what_no_delay_explains_is_said(delay: float, share: float, samples: int, said: str) -> None:
    times, channel = shifted(delay, share)
    cut = Channel(channel.values[:samples], lambda d: channel.regressors(d)[:samples])
    with pytest.raises(CalibrationError, match=said):
        find_delay(times[:samples], [cut], np.random.default_rng(0))


def test_nothing_moving_and_negative_delays_are_said() -> None:
    still = Channel(np.zeros(100), lambda _: np.ones((100, 1)))
    with pytest.raises(CalibrationError, match="nothing moved"):
        find_delay(np.arange(100.0), [still], np.random.default_rng(0))
    early = Measured(Delay(-0.03, -0.031, -0.029, 0.0), Delay(0.05, 0.049, 0.051, 0.0))
    with pytest.raises(CalibrationError, match="image comes out at -30 ms"):
        into_rig(RIG, early)
