"""What every arm promises, tried on each arm there is. A new driver joins by one more factory.

The Sawyer is here in virtual time, in front of an emulated robot; tests/ros1 runs the same tests over its wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from gmps_robot.control.arm import ArmDriver
from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.errors import ArmError
from gmps_robot.families.push import PushFamily
from gmps_robot.types import AppliedCommand, ArmCommand
from sim.twin import Twin
from tests.sim.emulated_wire import driven_robot
from tests.stepped_clock import SteppedClock

FAMILY = PushFamily()
START = np.array(FAMILY.start_tip)
SIDEWAYS = np.array([0.0, 0.1, 0.0])
AT_REST = 0.005  # [m/s]
SERVO = 0.006  # lag, drift and noise of a real arm [m]


@dataclass
class Rig:
    """An arm and the clock it is called with."""

    arm: ArmDriver
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    seq: int = 0
    slack: float = 0.0  # of what is measured, beyond that of a simulated arm [m]
    age: float = 1e-6  # how old a measured state may be [s]
    latency: float = 1e-6  # of the measured state [s]
    true_speed: Callable[[], float] | None = None  # of the tip, where it can be known [m/s]

    @property
    def period(self) -> float:
        """Of the arm [s]."""
        return self.arm.period

    def send(self, velocity: object, source: str = "policy") -> AppliedCommand:
        """One control period with a command."""
        self.seq += 1
        now = self.clock()
        command = ArmCommand(round(now * 1e9), self.seq, source, velocity, -0.5)  # type: ignore[arg-type]
        applied = self.arm.apply(command, now)
        self.sleep(self.period)
        return applied

    def drive(self, velocity: object, seconds: float, source: str = "policy") -> AppliedCommand:
        """Control periods with one command each; returns what was applied last."""
        for _ in range(max(1, round(seconds / self.period))):
            applied = self.send(velocity, source)
        return applied

    def silence(self, seconds: float) -> None:
        """Control periods without a command."""
        for _ in range(round(seconds / self.period)):
            self.arm.apply(None, self.clock())
            self.sleep(self.period)

    def speed(self) -> float:
        """Measured [m/s]."""
        return float(np.linalg.norm(self.arm.observe().tip_velocity))

    def tip(self) -> np.ndarray:
        return self.arm.observe().tip_position


def fake() -> Rig:
    clock = SteppedClock()
    return Rig(FakeArm(FAMILY, clock, clock.sleep), clock, clock.sleep)


def fake_at_a_robots_rate() -> Rig:
    clock = SteppedClock()
    return Rig(FakeArm(FAMILY, clock, clock.sleep, period=0.01), clock, clock.sleep)


def twin_on_a_clock() -> Rig:
    clock = SteppedClock()
    return Rig(Twin(FAMILY, clock=clock, sleep=clock.sleep), clock, clock.sleep)


def twin_in_lock_step() -> Rig:
    twin = Twin(FAMILY)
    return Rig(twin, lambda: twin.observe().stamp_ns * 1e-9, lambda seconds: None)


def sawyer_in_virtual_time() -> Rig:
    arm, link = driven_robot(noise=0.3)
    return Rig(arm, link.clock, link.sleep, slack=SERVO, latency=arm.period, true_speed=link.true_speed)


ARMS = [fake, fake_at_a_robots_rate, twin_on_a_clock, twin_in_lock_step, sawyer_in_virtual_time]


@pytest.fixture(params=ARMS, ids=lambda make: make.__name__)
def rig(request: pytest.FixtureRequest) -> Rig:
    made: Rig = request.param()
    return made


def test_limits_are_readable_before_anything_moves(rig: Rig) -> None:
    assert rig.arm.limits == FAMILY.envelope


def test_an_observation_has_the_promised_shapes_and_units(rig: Rig) -> None:
    state = rig.arm.observe()
    shapes = {name: np.shape(getattr(state, name)) for name in vars(state) if name != "status"}
    assert shapes.pop("residual_torque") in ((7,), (0,))  # where the arm says so
    assert shapes == {
        "stamp_ns": (), "joints": (7,), "joint_velocities": (7,), "tip_position": (3,), "tip_quaternion": (4,),
        "tip_velocity": (3,), "wrench": (6,), "gripper": (),
    }  # fmt: skip
    assert isinstance(state.stamp_ns, int)
    assert state.status.fit
    assert state.tip_position == pytest.approx(START, abs=0.003 + rig.slack)
    assert np.linalg.norm(state.tip_quaternion) == pytest.approx(1.0)
    assert abs(state.tip_quaternion[:2]).max() == pytest.approx(0.7071, abs=0.3)  # the tool points down
    assert 0.0 <= state.gripper <= 0.1


def test_stamps_follow_the_callers_clock(rig: Rig) -> None:
    before, began = rig.arm.observe().stamp_ns, rig.clock()
    assert before * 1e-9 == pytest.approx(rig.clock(), abs=rig.latency)
    rig.drive(SIDEWAYS, 1.0)
    passed = rig.clock() - began
    assert passed >= 1.0 - 1e-6
    assert rig.arm.observe().stamp_ns - before == pytest.approx(1e9 * passed, abs=2 + 2e9 * rig.latency)


def test_apply_returns_what_was_applied_and_the_arm_does_it(rig: Rig) -> None:
    applied = rig.drive(SIDEWAYS, 1.0)
    assert applied.reasons == ()
    assert applied.velocity == pytest.approx(SIDEWAYS)
    assert applied.seq == rig.seq
    assert rig.arm.guard_state.mode == "MOVING"
    assert rig.tip() == pytest.approx(applied.tip_target, abs=0.012 + rig.slack)
    assert rig.tip()[1] > 0.085 - rig.slack
    assert rig.arm.observe().tip_velocity == pytest.approx(SIDEWAYS, abs=0.02)


def test_what_the_limits_changed_is_named(rig: Rig) -> None:
    applied = rig.send([0.0, 5.0, 0.0])
    assert np.linalg.norm(applied.velocity) <= rig.arm.limits.acceleration * rig.period + 1e-9
    assert {reason.split(":")[0] for reason in applied.reasons} == {"speed", "acceleration"}


def test_the_measured_tip_stays_in_the_box_whatever_is_asked(rig: Rig) -> None:
    rng = np.random.default_rng(0)
    low, high = np.array(rig.arm.limits.box_low), np.array(rig.arm.limits.box_high)
    for k in range(120):
        rig.drive(rng.uniform(-1.0, 1.0, 3) + np.array([0.0, np.sign(np.sin(k / 15)), -0.5]), 0.05)
        assert (rig.tip() >= low - 0.003 - rig.slack).all()
        assert (rig.tip() <= high + 0.003 + rig.slack).all()


def test_silence_stops_the_arm(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 0.4)
    rig.silence(0.4)
    assert rig.speed() < AT_REST
    place = rig.tip()
    rig.silence(0.5)
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack)
    assert rig.arm.guard_state.mode == "ARMED"


@pytest.mark.parametrize("source", ["policy", "teleop"])
def test_from_full_speed_silence_ends_in_rest_within_400_ms(rig: Rig, source: str) -> None:
    fast = 2.0 * SIDEWAYS
    rig.drive(-fast, 0.6, source)
    rig.drive(fast, 0.8, source)
    assert rig.speed() > 0.15
    rig.silence(0.4)
    assert (rig.true_speed or rig.speed)() < AT_REST


def test_an_arm_that_is_let_go_stops_at_once(rig: Rig) -> None:
    rig.drive(2.0 * SIDEWAYS, 0.6)
    place = rig.tip()
    rig.arm.let_go()
    rig.silence(0.3)
    assert rig.speed() < AT_REST
    assert rig.tip()[1] - place[1] < 0.03 + rig.slack  # 0.2 m/s for another 0.15 s would be 0.03 m more
    rig.drive(SIDEWAYS, 0.4)
    assert rig.arm.guard_state.mode == "MOVING"


def test_nan_holds_and_a_good_command_moves_again(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 0.4)
    applied = rig.send([0.0, float("nan"), 0.0])
    assert [reason.split(":")[0] for reason in applied.reasons] == ["command"]
    rig.send([0.0, 0.0, 0.0])
    rig.silence(0.3)
    assert rig.speed() < AT_REST
    rig.drive(SIDEWAYS, 0.2)
    assert rig.speed() > 0.05


@pytest.mark.parametrize("velocity", [None, "fast", np.zeros(2), np.zeros((1, 3)), [1e300, 0, 0]])
def test_a_bad_command_never_raises(rig: Rig, velocity: object) -> None:
    assert "command" in rig.send(velocity).reasons[0]


def test_stop_latches_until_a_person_resets_it(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 0.4)
    rig.arm.stop("a person pressed stop")
    applied = rig.drive(SIDEWAYS, 0.3)
    assert any("a person pressed stop" in reason for reason in applied.reasons)
    assert rig.speed() < AT_REST
    place = rig.tip()
    for source in ("policy", "teleop", "reset") * 3:
        rig.send(SIDEWAYS, source)
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack)
    with pytest.raises(ArmError, match="a person pressed stop"):
        rig.arm.enable(True)
    rig.arm.reset_fault()
    rig.silence(0.2)
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack)
    rig.drive(SIDEWAYS, 0.3)
    assert rig.speed() > 0.05


def test_a_kill_is_the_robots_own_stop_and_ends_in_two_acts(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 0.4)
    rig.arm.kill("a person pressed kill")
    rig.silence(0.3)
    assert rig.arm.guard_state.mode == "ESTOP"
    assert rig.arm.observe().status.stopped
    assert rig.speed() < AT_REST
    place = rig.tip()
    with pytest.raises(ArmError):
        rig.arm.enable(True)
    rig.arm.reset_fault()
    rig.silence(0.1)
    assert rig.arm.guard_state.mode == "DISABLED"
    assert not rig.send(SIDEWAYS).velocity.any()
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack)
    rig.arm.enable(True)
    rig.silence(0.1)
    assert rig.arm.guard_state.mode == "ARMED"
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack), "enabling moves nothing"
    rig.drive(SIDEWAYS, 0.3)
    assert rig.speed() > 0.05


def test_a_disabled_arm_does_not_move_and_an_enabled_one_begins_where_it_is(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 0.4)
    rig.arm.enable(False)
    applied = rig.drive(SIDEWAYS, 0.4)
    assert rig.arm.guard_state.mode == "DISABLED"
    assert not applied.velocity.any()
    assert "DISABLED" in applied.reasons[0]
    assert rig.speed() < AT_REST
    place = rig.tip()
    rig.arm.enable(True)
    rig.silence(0.1)
    assert rig.arm.guard_state.tip_target == pytest.approx(place, abs=0.003)
    rig.drive(SIDEWAYS, 0.3)
    assert rig.tip()[1] > place[1] + 0.005


def test_home_goes_to_the_start_within_three_millimetres(rig: Rig) -> None:
    rig.drive([0.1, 0.15, 0.0], 2.25)
    assert np.linalg.norm(rig.tip() - START) > 0.2
    rig.arm.home()
    rig.silence(0.2)
    assert rig.tip() == pytest.approx(START, abs=0.003 + rig.slack)
    assert rig.speed() < AT_REST
    rig.drive(SIDEWAYS, 0.2)
    assert rig.send(SIDEWAYS).reasons == ()


def test_home_does_not_move_a_stopped_arm(rig: Rig) -> None:
    rig.drive(SIDEWAYS, 1.0)
    rig.arm.stop("test")
    rig.silence(0.3)
    place = rig.tip()
    rig.arm.home()
    assert rig.tip() == pytest.approx(place, abs=0.002 + rig.slack)
