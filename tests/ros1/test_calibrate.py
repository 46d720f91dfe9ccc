"""`gmps calibrate` over the arm's own wire: an emulated arm, and a camera on the network that watches it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from calibration.board import BoardSpec
from calibration.route import Route
from calibration.solution import load_solution
from calibration.twin_rig import twin_rig
from gmps_robot import config
from gmps_robot.cli.main import main
from gmps_robot.families import family
from gmps_robot.rig import load_rig
from sim.intera_emulator import Emulator
from tests.ros1 import watching_camera

pytestmark = pytest.mark.realtime

NOMINAL = load_rig("nominal")
STOPS = 14
WIRE = 0.008  # pictures on their way to the one who grabs them, at most [s]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(family("push")) as running:
        yield running


@contextmanager
def watched(emulator: Emulator, what: str) -> Iterator[str]:
    """Yields the address of a camera."""
    words = [sys.executable, watching_camera.__file__, emulator.control, what]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def gmps(*words: object) -> int:
    return main(["calibrate", *map(str, words)])


def test_views_along_a_route_are_solved_to_where_the_camera_is(emulator: Emulator, tmp_path: Path) -> None:
    route, capture = tmp_path / "route.yaml", tmp_path / "monday"
    config.save(Route(twin_rig("eye_to_hand", BoardSpec(), NOMINAL).route.stops[:STOPS]), route)
    with watched(emulator, "board") as camera:
        arm = ("--robot", "sawyer", "--master-uri", emulator.master_uri, "--camera", camera)
        assert gmps("capture", capture, "--route", route, *arm) == 0
        assert gmps("solve", capture) == 0
        assert gmps("check", capture, *arm) == 0
    found = load_solution(capture).camera_pose
    assert np.linalg.norm(np.subtract(found.position, NOMINAL.camera_to_base.position)) < 0.003


def test_the_delay_of_a_camera_that_watches_the_arm_is_found(emulator: Emulator, tmp_path: Path) -> None:
    rig = tmp_path / "lab.yaml"
    with watched(emulator, "marker") as camera:
        arm = ("--robot", "sawyer", "--master-uri", emulator.master_uri, "--camera", camera)
        assert gmps("latency", "nominal", "--out", rig, "--seconds", 10, *arm) == 0
    late = load_rig(rig).latency
    assert -0.003 < late.image - watching_camera.DELAY < WIRE
    assert late.command < 0.02


def test_the_servos_of_the_arm_are_identified(emulator: Emulator, tmp_path: Path) -> None:
    rig = tmp_path / "lab.yaml"
    words = ("--robot", "sawyer", "--master-uri", emulator.master_uri, "--out", rig, "--seconds", 6)
    assert gmps("identify", "nominal", *words) == 0
    found, true = load_rig(rig).servo, NOMINAL.servo
    np.testing.assert_allclose(found.stiffness, true.stiffness, rtol=0.15)
