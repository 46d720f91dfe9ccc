"""gmps calibrate capture: views of the board, with where the arm was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from calibration.board import BoardSpec
    from calibration.capturing import Look
    from calibration.route import Driver, Route
    from calibration.session import CaptureSession


@dataclass(frozen=True)
class CaptureOptions:
    """Capture views of a board. Without hardware this rehearses on the twin, with a rendered board, end to end.

    Example:
        gmps calibrate capture captures/monday

    On a robot the arm is moved by hand: a view is taken whenever the board is still, sharp and somewhere new; a hint
    says what to show next. With --route the arm drives itself, every step through the guard. Ctrl-C ends; what was
    taken is on disk, and the same command goes on with it.
    """

    directory: Annotated[Path, tyro.conf.Positional]
    """Where the images and capture.yaml go."""
    board: Path | None = None
    """YAML of the board, from gmps calibrate board; the default board otherwise."""
    setup: Literal["eye_to_hand", "eye_in_hand"] = "eye_to_hand"
    """The camera stands and the arm holds the board, or the reverse."""
    robot: Literal["twin", "sawyer"] = "twin"
    """The twin drives itself; the real arm is moved by hand, or along --route."""
    camera: str = "0"
    """Camera of the real rig: a number, /dev/videoN, an address, a recording."""
    rig: str = "nominal"
    """Rig whose camera size is used (and, on the twin, whose camera is the truth)."""
    route: Path | None = None
    """YAML list of stops (tip, attitude) to drive along."""
    master_uri: str = ""
    """ROS 1 master of the real arm; empty: ROS_MASTER_URI."""


def run(options: CaptureOptions) -> int:
    """Carry out the command; returns the exit code."""
    from calibration.board import BoardSpec, load_board
    from calibration.capture import Capture, CaptureWriter
    from calibration.opencv import check_opencv
    from calibration.session import CaptureSession
    from gmps_robot.rig import load_rig

    check_opencv()
    board = BoardSpec() if options.board is None else load_board(options.board)
    sensor = load_rig(options.rig).camera
    source = "twin" if options.robot == "twin" else options.camera
    capture = Capture(options.setup, board, sensor.width, sensor.height, source)
    session = CaptureSession(CaptureWriter(options.directory, capture))
    with (on_twin(options, board) if options.robot == "twin" else on_sawyer(options)) as (look, driver, route):
        if route is not None:
            _drive(route, driver, session, look)
        else:
            _watch(session, look)
    print(f"{session.state.views} views in {options.directory}; next: gmps calibrate solve {options.directory}")
    return 0


def _drive(route: Route, driver: Driver, session: CaptureSession, look: Look) -> None:
    from calibration.capturing import along

    for line in along(route, driver, session, look):
        print(line, flush=True)


def _watch(session: CaptureSession, look: Look) -> None:
    from calibration.capturing import by_hand

    said = ""
    for progress in by_hand(session, look):
        line = f"{progress.state.views} views; {progress.message}; next: {progress.hint}"
        if line != said:
            print(line, flush=True)
        said = line


@contextmanager
def on_twin(options: CaptureOptions, board: BoardSpec) -> Iterator[tuple[Look, Driver, Route]]:
    """Yield how to look, what drives and where, on a twin with a rendered board."""
    import numpy as np

    from calibration.route import Driver, load_route
    from calibration.twin_rig import TwinEyes, twin_rig
    from gmps_robot.families import family
    from gmps_robot.rig import load_rig
    from gmps_robot.types import ArmState, ImageArray
    from sim.twin import Twin

    place = twin_rig(options.setup, board, load_rig(options.rig))
    arm, eyes = Twin(family("push")), TwinEyes(place, np.random.default_rng(0))

    def look() -> tuple[ImageArray, int, ArmState]:
        state = arm.observe()
        return eyes.image(state), state.stamp_ns, state

    route = place.route if options.route is None else load_route(options.route)
    try:
        yield look, Driver(arm, lambda: arm.observe().stamp_ns * 1e-9, lambda: None), route
    finally:
        eyes.close()


@contextmanager
def on_sawyer(options: CaptureOptions) -> Iterator[tuple[Look, Driver, Route | None]]:
    """Yield how to look, what drives and, where there is a route, along which, on the real arm."""
    import os
    import time

    from calibration.route import Driver, load_route
    from gmps_robot.camera.capture import Capture
    from gmps_robot.camera.sources import is_finite, open_source
    from gmps_robot.control.timing import Pacer
    from gmps_robot.errors import ObservationError
    from gmps_robot.families import family
    from gmps_robot.rig import load_rig
    from gmps_robot.sawyer.driver import SawyerArm
    from gmps_robot.sawyer.wire import connect
    from gmps_robot.types import ArmState, ImageArray

    sensor = load_rig(options.rig).camera
    wire = connect("gmps_calibrate", options.master_uri or os.environ.get("ROS_MASTER_URI", ""), 20.0)
    arm = SawyerArm(family("push"), wire)
    pacer = Pacer(arm.period, time.monotonic, time.sleep)
    # Images and arm states are stamped on one clock, the monotonic one.
    camera = Capture(
        lambda: open_source(options.camera, sensor), 10.0, time.monotonic_ns, finite=is_finite(options.camera)
    )

    def look() -> tuple[ImageArray, int, ArmState]:
        camera.newest(0.0)  # one that has waited shows an arm of some time ago
        frame = camera.newest(2.0)
        if frame is None:
            raise ObservationError(f"no image from camera {options.camera} for 2 s: {camera.health().detail}")
        return frame.pixels, frame.stamp_ns, arm.observe()

    try:
        if options.route is not None:
            arm.enable(True)
        route = None if options.route is None else load_route(options.route)
        yield look, Driver(arm, time.monotonic, pacer.wait), route
    finally:
        camera.close()
        arm.rest("capture is over")
        wire.close()
