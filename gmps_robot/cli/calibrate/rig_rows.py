"""The self-test's rows of what follows a solution: the twin's camera, delays, servos, the marker on the block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from calibration.rows import Part, Row
from gmps_robot.rig import Latencies, ServoFit, load_rig

if TYPE_CHECKING:
    from gmps_robot.types import FloatArray

DELAYS = (0.033, 0.080, 0.150)  # [s]
TRUE = ServoFit(
    stiffness=(0.8, 1.3, 1.1, 0.7, 1.4, 0.9, 1.2), damping=(1.2, 0.8, 0.9, 1.1, 0.7, 1.3, 1.0),
    friction=(1.5, 0.7, 1.2, 0.8, 1.6, 1.3, 0.7),
)  # fmt: skip
ENCODERS = 1e-4  # noise of a joint's angle [rad]
TRUE_DELAY = 0.010  # [s]


def applied(full: bool) -> list[Row]:
    """A bent lens is calibrated from pictures and applied; the twin's camera against the one that captured."""
    import cv2

    from calibration.apply import middle
    from calibration.lens import project, sensor
    from calibration.poses import frame_pose, transform
    from calibration.rendering import painter
    from calibration.selftest import BENT, BOARD, VIEWS
    from calibration.solve import solve
    from calibration.synthetic import board_poses, painted, rig
    from sim.marked_view import whole_sensor

    rng = np.random.default_rng(2)
    truth = rig("eye_to_hand", BOARD, BENT, rng)
    seen = board_poses(BOARD, BENT, VIEWS, rng)
    with painter(full, BOARD, BENT, rng) as paint:
        solved = solve(painted(truth, seen, truth.hand(seen), paint))
    found = sensor(solved.estimate.lens, BENT.width, BENT.height)
    pose = frame_pose(solved.estimate.camera)
    twin = whole_sensor(
        replace(load_rig("nominal"), camera=replace(found, crop=middle(found)), camera_to_base=pose)
    )
    apart = []
    for place in seen:
        local = transform(place, BOARD.corners)
        real = project(local, BENT).reshape(-1, 1, 2)
        matrix = found.pinhole.matrix
        straight = cv2.undistortPointsIter(
            real, matrix, np.array(found.distortion), np.eye(3), matrix,
            (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 100, 1e-10),
        ).reshape(-1, 2)  # fmt: skip
        apart.append(np.linalg.norm(twin.project(transform(truth.camera, local)) - straight, axis=1))
    return [Row("board corners, twin's camera after apply against the capturing one: worst", _worst(apart), 0.3, "px")]


def delays(full: bool) -> list[Row]:
    """Twins that are late by known times, moved through their guard and watched by their cameras."""
    from calibration.latency import Recording, Signal, measure
    from calibration.track import MarkerSpec
    from calibration.wave import record
    from gmps_robot.cli.calibrate.moving import moving
    from sim.sysid import predict

    rows, nominal = [], load_rig("nominal")
    for delay in DELAYS if full else DELAYS[1:2]:
        rig = replace(nominal, latency=Latencies(image=delay, command=delay))
        with moving("twin", rig, MarkerSpec(), "", "") as made:
            motion = record(made.arm, made.look, made.clock, made.wait, 20.0 if full else 6.0)
        predicted = predict(motion.command_times, motion.commands, float(motion.state_times[-1]))
        found = measure(
            Recording(
                Signal(*predicted), Signal(motion.state_times, motion.joints),
                Signal(motion.state_times, motion.tips), Signal(motion.feature_times, motion.features),
            ),
            np.random.default_rng(0),
        )  # fmt: skip
        for what, one in (("image", found.image_after_state), ("command", found.command_to_state)):
            rows.append(Row(f"latency of {what}, {1e3 * delay:.0f} ms: error", 1e3 * abs(one.value - delay), 3.0, "ms"))
    return rows


def servos(full: bool) -> list[Row]:
    """A twin with known servos, identified from a sweep."""
    from calibration.wave import record
    from gmps_robot.cli.calibrate.moving import moving
    from sim.sysid import Sweep, identify

    rig = replace(load_rig("nominal"), servo=TRUE, latency=Latencies(command=TRUE_DELAY))
    with moving("twin", rig, None, "", "") as made:
        motion = record(made.arm, made.look, made.clock, made.wait, 15.0 if full else 6.0)
    joints = motion.joints + np.random.default_rng(0).normal(0.0, ENCODERS, motion.joints.shape)
    found = identify(Sweep(motion.command_times, motion.commands, motion.state_times, joints))
    rows = [Row("sysid, delay of 10 ms: error", 100 * abs(found.delay / TRUE_DELAY - 1.0), 10.0, "%")]
    for name in ("stiffness", "damping", "friction"):
        off = np.abs(np.array(getattr(found.servo, name)) / getattr(TRUE, name) - 1.0)
        rows.append(Row(f"sysid, {name} of seven joints: worst", 100 * float(off.max()), 10.0, "%"))
    return rows


def marker(full: bool) -> list[Row]:
    """The marker on the block, seen by the nominal camera, wherever the block may lie."""
    from calibration.track import MarkerFinder, MarkerSpec
    from gmps_robot.families.push import PushFamily
    from sim.marked_view import MarkedView
    from sim.twin import Twin

    spec, rig, rng = MarkerSpec(), load_rig("nominal"), np.random.default_rng(0)
    twin = Twin(PushFamily())
    finder, view = MarkerFinder(spec, rig, rig.camera.pinhole), MarkedView(twin, spec.cells, spec.print_size)
    errors, missed, count = [], 0, 1000 if full else 100
    for place in rng.uniform((0.48, -0.20, -np.pi), (0.85, 0.20, np.pi), (count, 3)):
        image = view.image_at(place[:2], float(place[2])) + rng.normal(0.0, 2.0, (480, 640, 3))
        found = finder.find(np.clip(image, 0, 255).astype(np.uint8))
        missed += not found.seen
        if found.seen:
            errors.append(1e3 * float(np.linalg.norm(found.place[:2, 3] - place[:2])))
    return [
        Row("marker on the block: median error", float(np.median(errors)), 2.0, "mm"),
        Row("marker on the block: 99th percentile", float(np.percentile(errors, 99)), 5.0, "mm"),
        Row("marker on the block: found in pictures", 100 * (1 - missed / count), 97.0, "%", at_least=True),
    ]


def _worst(errors: list[FloatArray]) -> float:
    return float(np.concatenate(errors).max())


PARTS = (
    Part("the twin's camera", applied), Part("delays", delays), Part("servos", servos), Part("marker", marker),
)  # fmt: skip
