"""What an arm does with joint commands, by the twin's physics; and from what it did, what its servos are like.

The arm alone, in the air. The fit is the nonlinear least squares of `mujoco.minimize`, which `mujoco.sysid` wraps; that
package itself is not used, because it needs plotting and video packages for a figure of 22 numbers.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache

import mujoco as mj
import numpy as np
from mujoco import minimize, rollout
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import ServoFit
from gmps_robot.types import FloatArray
from sim.sawyer import add_sawyer
from sim.scenes.push import PHYSICS_STEP, set_options
from sim.servos import NOMINAL_SERVO, fit_servos

FACTORS = (0.2, 5.0)  # within which servos are looked for
LONGEST = 0.3  # delay [s]
MOVED = 0.02  # a joint that moved by less says nothing about its servo [rad]
ITERATIONS, STEP = 15, 1e-5  # of the fit, and of its derivatives
FOLLOWS = 0.3  # share of the motion that no shift explains, beyond which the arm does something else
SETTLED = 0.3  # at the beginning, before which the state at the start still shows [s]


@dataclass(frozen=True)
class Sweep:
    """A recorded motion. All times on one clock [s]."""

    command_times: FloatArray  # (m,) each command is in force until the next
    commands: FloatArray  # (m, 7) joints [rad]
    times: FloatArray  # (n,) of the measurements
    joints: FloatArray  # (n, 7) [rad]


@dataclass(frozen=True)
class Identified:
    """The servos that explain a sweep, and how far they do."""

    servo: ServoFit
    delay: float  # from command to motion [s]
    errors: ServoFit  # half of the 95 % interval of each factor
    rms: tuple[float, ...]  # (7,) of what is left [rad]
    before: tuple[float, ...]  # (7,) of what the nominal servos with the same delay leave [rad]
    moved: tuple[bool, ...]  # (7,) joints whose servos the sweep tells about; the others stay nominal


def predict(
    command_times: FloatArray, commands: FloatArray, until: float, servo: ServoFit = NOMINAL_SERVO, delay: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return times (n,) [s], a physics step apart, and the joints (n, 7) [rad] that commands (m, 7) lead to."""
    times = _steps(command_times, until)
    return times, _roll_out([arm_model(servo)], [_controls(command_times, commands, times, delay)], commands[0])[0]


def arm_model(servo: ServoFit) -> mj.MjModel:
    """Return the arm alone with these servos."""
    model = copy(_nominal_arm())
    fit_servos(model, servo)
    return model


@cache
def _nominal_arm() -> mj.MjModel:
    spec = mj.MjSpec()
    set_options(spec)
    add_sawyer(spec)
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    return spec.compile()


def _steps(command_times: FloatArray, until: float) -> FloatArray:
    return np.arange(command_times[0], until + PHYSICS_STEP, PHYSICS_STEP)


def _controls(command_times: FloatArray, commands: FloatArray, times: FloatArray, delay: float) -> FloatArray:
    """The command (n, 7) in force during each step; a step in which it changes gets its share of both."""
    starts = np.clip((command_times + delay - times[0]) / PHYSICS_STEP, 0.0, len(times) - 1.0)
    index = np.searchsorted(starts, np.arange(len(times)) + 1e-9, side="right") - 1
    controls = commands[np.clip(index, 0, None)].copy()
    for start, before, after in zip(starts[1:], commands[:-1], commands[1:], strict=True):
        step = int(start)
        share = start - step
        if share > 0.0:
            controls[step] = share * before + (1.0 - share) * after
    return controls


def _roll_out(models: list[mj.MjModel], controls: list[FloatArray], start: FloatArray) -> FloatArray:
    """Return joints (m, n, 7) at the times of `controls` (m of (n, 7)), from rest at `start` (7,)."""
    model = models[0]
    data = mj.MjData(model)
    data.qpos[:JOINTS] = start
    size = mj.mj_stateSize(model, mj.mjtState.mjSTATE_FULLPHYSICS)
    state = np.zeros(size)
    mj.mj_getState(model, data, state, mj.mjtState.mjSTATE_FULLPHYSICS)
    fingers = np.zeros((len(controls[0]), model.nu - JOINTS))
    given = np.stack([np.concatenate([rows, fingers], axis=1) for rows in controls])
    found, _ = rollout.rollout(models, data, np.repeat(state[None], len(models), axis=0), given)
    joints = found[:, :, 1 : 1 + JOINTS]
    first = np.broadcast_to(start, (len(models), 1, JOINTS))
    return np.asarray(np.concatenate([first, joints[:, :-1]], axis=1))  # a state belongs to the end of its step


def identify(sweep: Sweep) -> Identified:
    """Return the servos and the delay that explain `sweep` best: the delay first, by shifting, then all together.

    Raises:
        CalibrationError: nothing moved, or the fit ends where no servo can be.
    """
    inside = sweep.times > sweep.command_times[0] + SETTLED
    times, measured = sweep.times[inside], sweep.joints[inside]
    moved = np.ptp(measured, axis=0) > MOVED if len(times) else np.zeros(JOINTS, dtype=bool)
    if not moved.any():
        raise CalibrationError("no joint moved in the sweep: is the arm armed?")
    problem = _Problem(sweep, times, measured, np.flatnonzero(moved))
    start = np.concatenate([[_first_delay(problem)], np.zeros(3 * int(moved.sum()))])
    low, high = (np.full(len(start), np.log(factor)) for factor in FACTORS)
    low[0], high[0] = 0.0, LONGEST
    found, _ = minimize.least_squares(
        start, problem.residuals, bounds=[low[:, None], high[:, None]], verbose=minimize.Verbosity.SILENT,
        max_iter=ITERATIONS, x_scale="jac", xtol=1e-5,
    )
    at_edge = (found[1:] < low[1:] + 1e-3) | (found[1:] > high[1:] - 1e-3)
    if at_edge.any():
        raise CalibrationError(
            f"no servo within {FACTORS[0]:g} to {FACTORS[1]:g} of the nominal one explains the sweep: move for longer, "
            "or is this another arm?"
        )
    return _told(problem, found, moved)


class _Problem:
    """What the sweep's joints are off for given parameters: delay, then log factors of stiffness, damping, friction.

    A constant offset of a joint is left out: an arm counts its commands from where it was when it was switched on, and
    what drift it has made good since, only it knows. Read as friction, which bends the motion both ways, it would be
    off by half.
    """

    def __init__(self, sweep: Sweep, times: FloatArray, measured: FloatArray, moved: NDArray[np.int64]) -> None:
        self.sweep, self.times, self.measured, self.moved = sweep, times, measured, moved
        self.steps = _steps(sweep.command_times, float(times[-1]))

    def residuals(self, parameters: FloatArray) -> FloatArray:
        """Errors (r, p) [rad] for columns of `parameters` (k, p), or (r, 1) for one (k,)."""
        columns = parameters.reshape(len(parameters), -1).T
        sweep = self.sweep
        models = [arm_model(self.servo(row)) for row in columns]
        controls = [_controls(sweep.command_times, sweep.commands, self.steps, float(row[0])) for row in columns]
        joints = _roll_out(models, controls, sweep.joints[0])
        errors = [CubicSpline(self.steps, one)(self.times) - self.measured for one in joints]
        return np.stack([(error - error.mean(0))[:, self.moved].ravel() for error in errors], axis=1)

    def servo(self, parameters: FloatArray) -> ServoFit:
        """The servos of one set of parameters."""
        factors = np.ones((3, JOINTS))
        factors[:, self.moved] = np.exp(parameters[1:]).reshape(3, -1)
        return servo_of(factors)


def servo_of(factors: FloatArray) -> ServoFit:
    """Return factors (3, 7) of stiffness, damping, friction as a record."""
    return ServoFit(*(tuple(float(value) for value in row) for row in factors))  # type: ignore[arg-type]


def _first_delay(problem: _Problem) -> float:
    """The delay that the nominal servos need, by shifting what they predict.

    Raises:
        CalibrationError: no shift explains the motion.
    """
    sweep = problem.sweep
    times, joints = predict(sweep.command_times, sweep.commands, float(problem.times[-1]))
    spline = CubicSpline(times, joints)
    delays = np.arange(0.0, LONGEST, 0.005)
    left = [float(((spline(problem.times - delay) - problem.measured) ** 2).sum()) for delay in delays]
    best = int(np.argmin(left))
    share = left[best] / float(((problem.measured - problem.measured.mean(0)) ** 2).sum())
    if share > FOLLOWS:
        raise CalibrationError(
            f"the joints do not follow the commands ({100 * share:.0f} % of their motion is another): does something "
            "else drive the arm, or are both stamped by different clocks?"
        )
    return float(delays[best])


def _told(problem: _Problem, found: FloatArray, moved: NDArray[np.bool_]) -> Identified:
    """The parameters with their intervals and what they leave."""
    steps = problem.residuals(np.column_stack([found, found[:, None] + STEP * np.eye(len(found))]))
    jacobian = (steps[:, 1:] - steps[:, :1]) / STEP
    nominal = found.copy()
    nominal[1:] = 0.0
    both = [problem.residuals(row).reshape(len(problem.times), -1) for row in (nominal, found)]
    left = both[1].ravel()
    freedom = max(len(left) - len(found), 1)
    spread = np.linalg.pinv(jacobian.T @ jacobian) * float(left @ left) / freedom
    widths = np.zeros((3, JOINTS))
    widths[:, moved] = 1.96 * np.sqrt(np.diag(spread)[1:]).reshape(3, -1)
    servo = problem.servo(found)
    factors = np.array([servo.stiffness, servo.damping, servo.friction])
    rms = np.zeros((2, JOINTS))
    rms[:, moved] = [np.sqrt((errors**2).mean(0)) for errors in both]
    return Identified(
        servo, float(found[0]), servo_of(np.maximum(factors * widths, 1e-12)), tuple(rms[1].tolist()),
        tuple(rms[0].tolist()), tuple(bool(m) for m in moved),
    )  # fmt: skip
