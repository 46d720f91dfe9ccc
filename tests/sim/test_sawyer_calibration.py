"""Calibration through the Sawyer's driver, in virtual time: an emulated arm, and a camera that sees it late.

tests/ros1/test_calibrate.py runs the commands themselves over the arm's own wire.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from calibration.board import BoardSpec
from calibration.capture import Capture, CaptureWriter, load_capture
from calibration.capturing import along
from calibration.latency import Recording, Signal, into_rig, measure
from calibration.route import Driver, Route
from calibration.session import CaptureSession
from calibration.solve import solve_capture
from calibration.track import MarkerSpec, marker_corners
from calibration.twin_rig import twin_rig
from calibration.wave import Motion, record
from gmps_robot.errors import ArmError
from gmps_robot.rig import load_rig
from gmps_robot.types import ArmState, FloatArray, ImageArray
from sim.sysid import Sweep, identify, predict
from tests.ros1 import watching_camera
from tests.ros1.watching_camera import DELAY
from tests.sim.emulated_wire import driven_robot

RIG = load_rig("nominal")
NOISE = 1.0  # of the emulator's encoders, as it is delivered
STOPS = 10
PICTURE = 0.06  # from one to the next [s]


class Bench:
    """An arm that may move, and where its joints have been."""

    def __init__(self) -> None:
        self.arm, self.link = driven_robot(NOISE)
        self._times: list[float] = []
        self._joints: list[FloatArray] = []

    def now(self) -> float:
        return self.link.now

    def wait(self) -> None:
        self.link.sleep(self.arm.period)
        self._times.append(self.link.now)
        self._joints.append(np.array(self.link.describe()["joints"]))

    def exposed(self) -> FloatArray:
        """The true joints (7,) that a picture grabbed now shows."""
        times, joints = np.array(self._times[-50:]), np.array(self._joints[-50:])
        return np.array([np.interp(self.link.now - DELAY, times, column) for column in joints.T])


def moved(bench: Bench, seconds: float, marker: bool) -> Motion:
    """The arm on its sines, with a marker on its hand or nobody looking."""
    draw, spec, due = watching_camera.marker(), MarkerSpec(), 0.0

    def look() -> tuple[float, FloatArray] | None:
        nonlocal due
        if not marker or bench.now() < due:
            return None
        due = bench.now() + PICTURE
        corners = marker_corners(draw(bench.exposed()), spec)
        return None if isinstance(corners, str) else (bench.now(), corners.mean(0))

    return record(bench.arm, look, bench.now, bench.wait, seconds)


def test_views_along_a_route_are_solved_to_where_the_camera_is(tmp_path: Path) -> None:
    bench, draw, place = Bench(), watching_camera.board(), twin_rig("eye_to_hand", BoardSpec(), RIG)

    def look() -> tuple[ImageArray, int, ArmState]:
        for _ in range(6):  # for the next picture; meanwhile nobody commands the arm
            bench.wait()
        return draw(bench.exposed()), round(bench.now() * 1e9), bench.arm.observe()

    session = CaptureSession(CaptureWriter(tmp_path, Capture("eye_to_hand", BoardSpec(), 640, 480, "emulated")))
    driver = Driver(bench.arm, bench.now, bench.wait)
    told = list(along(Route(place.route.stops[:STOPS]), driver, session, look))
    assert [line for line in told if not line.endswith("taken")] == []
    solution, _ = solve_capture(tmp_path, load_capture(tmp_path))
    assert np.linalg.norm(np.subtract(solution.camera_pose.position, RIG.camera_to_base.position)) < 1e-3
    assert solution.passed
    assert bench.arm.guard_state.mode != "FAULT"


def test_the_delay_of_a_camera_that_watches_the_arm_is_found() -> None:
    motion = moved(Bench(), 8.0, marker=True)
    predicted = predict(motion.command_times, motion.commands, float(motion.state_times[-1]), RIG.servo)
    found = measure(
        Recording(
            Signal(*predicted), Signal(motion.state_times, motion.joints), Signal(motion.state_times, motion.tips),
            Signal(motion.feature_times, motion.features),
        ),
        np.random.default_rng(0),
    )  # fmt: skip
    late = into_rig(RIG, found).latency
    assert abs(late.image - DELAY) < 0.003
    assert late.command < 0.01


def test_the_servos_of_the_arm_are_identified() -> None:
    motion = moved(Bench(), 6.0, marker=False)
    found = identify(Sweep(motion.command_times, motion.commands, motion.state_times, motion.joints))
    np.testing.assert_allclose(found.servo.stiffness, RIG.servo.stiffness, rtol=0.05)
    np.testing.assert_allclose(found.servo.damping, RIG.servo.damping, rtol=0.05)
    np.testing.assert_allclose(found.servo.friction, RIG.servo.friction, rtol=0.1)
    assert found.delay < 0.005


@pytest.mark.parametrize(
    ("slow", "said"),
    [
        (lambda period: 0.15 if period == 500 else 0.01, "a control period took 0.15 s: after 0.1 s without commands"),
        (lambda period: 0.03 if period > 400 and period % 10 == 0 else 0.01, r"the guard held the arm in .*overrun"),
    ],
)
def test_what_a_slow_machine_makes_of_a_motion_is_not_measured(slow: Callable[[int], float], said: str) -> None:
    bench, periods = Bench(), count()
    with pytest.raises(ArmError, match=said):
        record(bench.arm, lambda: None, bench.now, lambda: bench.link.sleep(slow(next(periods))), 4.0)
