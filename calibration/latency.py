"""A rig's three delays, from one recording of an arm that moves on a sum of sines while its camera watches.

image    from the exposure to the grab: by how much pictures show an older arm than its state tells
state    from the motion to the stamp of the state: what the arm's link says, for no other clock sees it
command  from a command to the motion, beyond the lag of the servos, which the twin has too
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from calibration.delay import Channel, Delay, find_delay
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import Latencies, RigCalibration
from gmps_robot.types import FloatArray

SETTLED = 0.5  # at the beginning, before which a late signal has no counterpart [s]
MOVED = 0.02  # joints that move by less say nothing [rad]


@dataclass(frozen=True)
class Signal:
    """Samples of something: at `times` (n,) [s], rising, `values` (n, k)."""

    times: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class Recording:
    """What was commanded, measured and seen while the arm moved; all times on one clock."""

    predicted: Signal  # joints [rad] that the rig's twin would have with these commands and no delay, every few ms
    states: Signal  # joints (n, 7) [rad] at the stamps of the states
    tips: Signal  # (n, 3) [m] at the same stamps
    features: Signal  # (p, k) pixels of what moves with the hand, at the stamps of the grabs


@dataclass(frozen=True)
class Measured:
    """The delays found: pictures after states, and motion (as the state tells it) after commands."""

    image_after_state: Delay
    command_to_state: Delay


def measure(recording: Recording, rng: np.random.Generator) -> Measured:
    """Return the delays of `recording`; `rng` draws the bootstrap.

    Raises:
        CalibrationError: too little was recorded, or it does not fit together.
    """
    return Measured(image_delay(recording, rng), command_delay(recording, rng))


def into_rig(rig: RigCalibration, measured: Measured) -> RigCalibration:
    """Return `rig` with its delays, counted from the state's own (`rig.latency.state`, as the arm's link says).

    Raises:
        CalibrationError: pictures are older, or commands faster, than the state's delay allows.
    """
    state = rig.latency.state
    image = _positive("image", measured.image_after_state.value + state, measured.image_after_state.half_width)
    command = _positive("command", measured.command_to_state.value - state, measured.command_to_state.half_width)
    errors = Latencies(measured.image_after_state.half_width, 0.0, measured.command_to_state.half_width)
    return replace(rig, latency=Latencies(image, state, command), latency_error=errors)


def image_delay(recording: Recording, rng: np.random.Generator) -> Delay:
    """Return by how much pictures are later than states: features as a quadratic function of the tip."""
    seen, tips = recording.features, recording.tips
    inside = (seen.times > tips.times[0] + SETTLED) & (seen.times < tips.times[-1] - 0.1)
    times, values = seen.times[inside], seen.values[inside]
    spline = CubicSpline(tips.times, tips.values)

    def regressors(delay: float) -> FloatArray:
        place = spline(times - delay)
        place = place - place.mean(0)
        products = place[:, [0, 0, 0, 1, 1, 2]] * place[:, [0, 1, 2, 1, 2, 2]]
        return np.concatenate([place, products, np.ones((len(times), 1))], axis=1)

    return find_delay(times, [Channel(column, regressors) for column in values.T], rng)


def command_delay(recording: Recording, rng: np.random.Generator) -> Delay:
    """Return by how much motion is later than the commands, beyond what the servos take: see `Recording.predicted`."""
    states, model = recording.states, recording.predicted
    inside = (states.times > model.times[0] + SETTLED) & (states.times < model.times[-1] - 0.1)
    times, values = states.times[inside], states.values[inside]
    moving = np.flatnonzero(np.ptp(values, axis=0) > MOVED)
    if not len(moving):
        raise CalibrationError("no joint moved: is the arm armed?")
    return find_delay(
        times, [_shifted(times, values[:, joint], model.times, model.values[:, joint]) for joint in moving], rng
    )


def _shifted(times: FloatArray, values: FloatArray, model_times: FloatArray, model: FloatArray) -> Channel:
    """One joint's motion, explained by its predicted one some time before."""

    def regressors(delay: float) -> FloatArray:
        return np.stack([np.interp(times - delay, model_times, model), np.ones(len(times))], axis=1)

    return Channel(values, regressors)


def _positive(what: str, value: float, error: float) -> float:
    """`value` [s], zero where it is negative by no more than its error and a little.

    Raises:
        CalibrationError: clearly negative.
    """
    if value < -(error + 0.005):
        raise CalibrationError(
            f"latency: {what} comes out at {1e3 * value:.0f} ms; it cannot be negative: is `latency: state` of the rig "
            "right, and do camera and arm stamp with one clock?"
        )
    return max(0.0, value)
