"""An arm on its sines for `gmps calibrate latency` and `identify`: the twin in lock-step, the real one in real time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from calibration.track import MarkerSpec
    from calibration.wave import Look
    from gmps_robot.control.guarded_arm import GuardedArm
    from gmps_robot.rig import RigCalibration

HZ = 100.0  # control and states of an arm that is measured


@dataclass(frozen=True)
class Moving:
    """An arm that may move, and what watches it."""

    arm: GuardedArm
    look: Look
    clock: Callable[[], float]
    wait: Callable[[], object]


@contextmanager
def moving(
    robot: Literal["twin", "sawyer"], rig: RigCalibration, marker: MarkerSpec | None, camera: str, master_uri: str
) -> Iterator[Moving]:
    """Yield an arm, armed, and at the end let it rest; `marker` on its hand is watched where one is given."""
    with (_twin(rig, marker) if robot == "twin" else _sawyer(rig, marker, camera, master_uri)) as made:
        yield made


@contextmanager
def _twin(rig: RigCalibration, marker: MarkerSpec | None) -> Iterator[Moving]:
    from dataclasses import replace

    from calibration.track import marker_corners
    from gmps_robot.families.push import PushFamily
    from gmps_robot.types import FloatArray
    from sim.measured_twin import WatchedTwin
    from sim.twin import Twin

    twin = Twin(replace(PushFamily(), control_hz=HZ), rig=rig)
    watched = None if marker is None else WatchedTwin(twin, marker.cells)
    looks = 0

    def look() -> tuple[float, FloatArray] | None:
        nonlocal looks
        looks += 1
        if watched is None or marker is None or looks % 4:
            return None
        stamp, image = watched.picture()
        corners = marker_corners(image, marker)
        return None if isinstance(corners, str) else (stamp, corners.mean(0))

    yield Moving(twin, look, lambda: twin.observe().stamp_ns * 1e-9, lambda: None)


@contextmanager
def _sawyer(rig: RigCalibration, marker: MarkerSpec | None, camera: str, master_uri: str) -> Iterator[Moving]:
    import os
    import time

    from calibration.track import marker_corners
    from gmps_robot.camera.capture import Capture
    from gmps_robot.camera.sources import is_finite, open_source
    from gmps_robot.control.timing import Pacer
    from gmps_robot.families import family
    from gmps_robot.sawyer.driver import SawyerArm
    from gmps_robot.sawyer.wire import connect
    from gmps_robot.types import FloatArray

    wire = connect("gmps_calibrate", master_uri or os.environ.get("ROS_MASTER_URI", ""), 20.0)
    arm = SawyerArm(family("push"), wire)
    pacer = Pacer(arm.period, time.monotonic, time.sleep)
    source = rig.camera
    eyes = None if marker is None else Capture(
        lambda: open_source(camera, source), 30.0, time.monotonic_ns, finite=is_finite(camera)
    )

    def look() -> tuple[float, FloatArray] | None:
        frame = None if eyes is None else eyes.newest(0.0)
        if frame is None or marker is None:
            return None
        corners = marker_corners(frame.pixels, marker)
        return None if isinstance(corners, str) else (frame.stamp_ns * 1e-9, corners.mean(0))

    try:
        arm.enable(True)
        yield Moving(arm, look, time.monotonic, pacer.wait)
    finally:
        if eyes is not None:
            eyes.close()
        arm.rest("the measurement is over")
        wire.close()
