"""An arm on a sum of sines, through its guard, while somebody looks: what delays and servos are measured from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gmps_robot.control.arm import ArmDriver
from gmps_robot.errors import ArmError
from gmps_robot.types import ArmCommand, FloatArray

FREQUENCIES = (0.23, 0.5, 1.3)  # no one a multiple of another [Hz]
SHARES = np.array([[0.9, 1.0, 0.5], [1.0, 0.6, 0.9], [0.7, 1.0, 0.8]])  # by axis, then frequency
PHASES = np.array([[0.0, 1.0, 2.0], [2.0, 0.0, 1.0], [1.0, 2.0, 0.0]])  # [rad]
CENTRE = (0.56, 0.0, 0.16)  # over the table, where fingers and hand are free to move [m]
SPEED = 0.06  # of one sine, which three axes and three frequencies add to less than the arm's limit [m/s]
PULL = 0.15  # back to the centre [1/s]
NEAR, PATIENCE = 0.003, 20.0  # of the centre before the sines begin [m], and how long the way may take [s]
LONGEST_PERIOD = 0.1  # after which a robot that hears nothing holds by itself, and follows no sine any more [s]
HELD = 0.02  # share of the periods in which the guard may hold the arm
RAMP = 1.0  # [s]
REST = 0.8  # [s]
AGAIN = "let nothing else run on this machine, and begin again"

Look = Callable[[], tuple[float, FloatArray] | None]


@dataclass(frozen=True)
class Motion:
    """What happened, on the arm's clock [s]."""

    command_times: FloatArray  # (m,)
    commands: FloatArray  # (m, 7) joints that the guard let through [rad]
    state_times: FloatArray  # (n,) stamps of the states
    joints: FloatArray  # (n, 7) [rad]
    tips: FloatArray  # (n, 3) [m]
    feature_times: FloatArray  # (p,) stamps of the grabs
    features: FloatArray  # (p, k) pixels


def record(
    arm: ArmDriver, look: Look, clock: Callable[[], float], wait: Callable[[], object], seconds: float
) -> Motion:
    """Move `arm` to the middle of its room, on sines for `seconds`, and come to rest.

    Args:
        arm: armed.
        look: returns stamp [s] and features (k,) of a picture that it has not returned before, or None; called once
            per control period.
        clock: the arm's [s].
        wait: lets the rest of a control period pass.
        seconds: of sines.

    Raises:
        ArmError: the arm does not move, its guard has stopped it, or the machine was too slow; the message says why.
    """
    _approach(arm, clock, wait)
    _rest(arm, clock, wait)
    began, rows = clock(), _Rows()
    while (now := clock()) - began < seconds:
        rows.require_in_time(now)
        reasons = _drive(arm, sine_velocity(now - began) + _back(arm), now)
        rows.commands.append((now, arm.guard_state.joints.copy()))
        rows.held += [", ".join(reasons)] if arm.guard_state.mode == "HOLD" else []
        wait()
        state, seen = arm.observe(), look()
        if not rows.states or state.stamp_ns > round(rows.states[-1][0] * 1e9):
            rows.states.append((state.stamp_ns * 1e-9, np.concatenate([state.joints, state.tip_position])))
        if seen is not None:
            rows.features.append(seen)
    _rest(arm, clock, wait)
    rows.require_free()
    return rows.motion()


def sine_velocity(time: float) -> FloatArray:
    """Return the tip velocity (3,) [m/s] wanted at `time` [s] since the sines began."""
    waves = np.cos(2.0 * np.pi * np.array(FREQUENCIES) * time + PHASES)
    return np.asarray(min(1.0, time / RAMP) * SPEED * (SHARES * waves).sum(1))


def _back(arm: ArmDriver) -> FloatArray:
    return np.asarray(PULL * (np.array(CENTRE) - arm.guard_state.tip_target))


def _approach(arm: ArmDriver, clock: Callable[[], float], wait: Callable[[], object]) -> None:
    began = clock()
    while True:
        away = np.array(CENTRE) - arm.guard_state.tip_target
        if np.linalg.norm(away) < NEAR:
            return
        if clock() - began > PATIENCE:
            raise ArmError(f"the arm did not reach {CENTRE} m within {PATIENCE:.0f} s: {arm.guard_state.mode}")
        _drive(arm, np.clip(2.0 * away, -SPEED, SPEED), clock())
        wait()


def _rest(arm: ArmDriver, clock: Callable[[], float], wait: Callable[[], object]) -> None:
    """Silence until the commands, and then the servos behind them, have come to rest."""
    still = clock()
    while clock() - still < REST:
        still = still if arm.guard_state.at_rest else clock()
        arm.apply(None, clock())
        wait()


def _drive(arm: ArmDriver, velocity: FloatArray, now: float) -> tuple[str, ...]:
    """Ask for `velocity` (3,) [m/s]; returns why the guard changed it."""
    state = arm.guard_state
    if not state.armed or state.mode in ("FAULT", "ESTOP"):
        raise ArmError(f"the arm may not move: {state.mode} {state.fault_reason}; release it, enable it, begin again")
    seq = 1 if state.command is None else state.command.seq + 1
    return arm.apply(ArmCommand(round(now * 1e9), seq, "reset", velocity, state.gripper), now).reasons


class _Rows:
    """Samples as they come."""

    def __init__(self) -> None:
        self.commands: list[tuple[float, FloatArray]] = []
        self.states: list[tuple[float, FloatArray]] = []
        self.features: list[tuple[float, FloatArray]] = []
        self.held: list[str] = []  # why, in each period in which the guard held the arm

    def require_in_time(self, now: float) -> None:
        """Refuse a motion that the arm has interrupted by itself."""
        passed = now - self.commands[-1][0] if self.commands else 0.0
        if passed > LONGEST_PERIOD:
            raise ArmError(
                f"a control period took {passed:.2f} s: after {LONGEST_PERIOD} s without commands the arm holds by "
                f"itself, and its motion tells nothing; {AGAIN}"
            )

    def require_free(self) -> None:
        """Refuse a motion that is the guard's."""
        if len(self.held) > HELD * len(self.commands):
            raise ArmError(
                f"the guard held the arm in {len(self.held)} of {len(self.commands)} control periods "
                f"({Counter(self.held).most_common(1)[0][0]}): that is no motion to measure; {AGAIN}"
            )

    def motion(self) -> Motion:
        """The samples as arrays; without pictures the features are empty."""
        (command_times, commands), (state_times, states) = (_columns(rows) for rows in (self.commands, self.states))
        feature_times, features = _columns(self.features) if self.features else (np.zeros(0), np.zeros((0, 2)))
        return Motion(command_times, commands, state_times, states[:, :7], states[:, 7:], feature_times, features)


def _columns(rows: list[tuple[float, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    return np.array([time for time, _ in rows]), np.stack([values for _, values in rows])
