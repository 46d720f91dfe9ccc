"""One view of the board tells whether a calibration still holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.board import BoardSpec
from calibration.detect import Corners, board_pose
from calibration.drawing import BoardPainter
from calibration.drift import drift, rotation_error
from calibration.lens import project
from calibration.poses import Pose, angle_between, frame_pose, inverse, matrix, pose, transform
from gmps_robot.errors import CalibrationError
from gmps_robot.types import ImageArray
from tests.calibration.test_apply import CAMERA, LENS, solution

BOARD = BoardSpec()
HAND = pose(np.eye(3), np.array([0.6, 0.0, 0.3]))
SEEN = pose(Rotation.from_euler("xyz", [0.3, -0.2, 0.1]).as_matrix(), np.array([-0.12, -0.09, 0.5]))  # by the camera
SOLVED = solution(board_pose=frame_pose(inverse(HAND) @ matrix(CAMERA) @ SEEN))


def view(moved: Pose) -> ImageArray:
    """What a camera sees that has moved by `moved` in its own frame since it was calibrated."""
    return BoardPainter(BOARD, LENS).image(inverse(moved) @ SEEN, np.random.default_rng(0))


def test_a_rig_that_stayed_as_it_was_holds() -> None:
    found = drift(SOLVED, view(np.eye(4)), HAND)
    assert found.holds
    assert found.position < 5e-4
    assert found.rotation < 0.15
    assert found.rotation_error < 0.4
    assert found.corners == 35


def test_a_camera_that_was_pushed_is_told_by_how_much() -> None:
    pushed = drift(SOLVED, view(pose(np.eye(3), np.array([0.006, 0.0, 0.0]))), HAND)
    assert not pushed.holds
    assert pushed.position == pytest.approx(0.006, abs=5e-4)
    turned = drift(SOLVED, view(pose(Rotation.from_euler("y", 1.0, degrees=True).as_matrix(), np.zeros(3))), HAND)
    assert not turned.holds
    assert turned.rotation == pytest.approx(1.0, abs=0.15)


def test_what_one_view_cannot_tell_is_no_drift() -> None:
    ids = np.arange(24)
    front = pose(np.eye(3), np.array([-0.1, -0.08, 0.8]))
    points = BOARD.corners[ids]
    error = rotation_error(points, front, LENS, 0.3)
    assert error > 1.5 * rotation_error(points, pose(SEEN[:3, :3], front[:3, 3]), LENS, 0.3)
    true, rng = project(transform(front, points), LENS), np.random.default_rng(0)
    noisy = [Corners(ids, true + rng.normal(0.0, 0.3 / np.sqrt(2.0), true.shape)) for _ in range(100)]
    turns = [angle_between(board_pose(corners, BOARD, LENS)[0][:3, :3], front[:3, :3]) for corners in noisy]
    assert 0.5 * error < np.rad2deg(np.quantile(turns, 0.9)) < 1.5 * error


def test_without_its_board_nothing_is_told() -> None:
    with pytest.raises(CalibrationError, match="no drift without the board: no board in the image"):
        drift(SOLVED, np.full((480, 640, 3), 128, dtype=np.uint8), HAND)
    with pytest.raises(CalibrationError, match="320x240 pixels, the calibration is for 640x480"):
        drift(SOLVED, np.zeros((240, 320, 3), dtype=np.uint8), HAND)
    other = replace(SOLVED, board=replace(BOARD, dictionary="DICT_6X6_250"))
    with pytest.raises(CalibrationError, match="wrong board"):
        drift(other, view(np.eye(4)), HAND)
