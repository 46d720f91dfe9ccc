"""What the views show is counted rightly, and the hint asks for what is missing; a route of one's own is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.coverage import COLUMNS, ROWS, Coverage, coverage, hint
from calibration.detect import Corners
from calibration.lens import project
from calibration.poses import from_rotation_vector, pose, transform
from calibration.route import Route, load_route
from calibration.selftest import BOARD, LENS
from calibration.twin_rig import twin_rig
from gmps_robot import config
from gmps_robot.errors import ConfigError
from gmps_robot.rig import load_rig

FULL = Coverage(
    20, np.full((ROWS, COLUMNS), 9.0), (3, 3, 3, 3), (0.4, 0.7), np.array([0.5, 0.3, 0.2])
)


def seen(tilt: tuple[float, float], center: tuple[float, float, float]) -> tuple[Corners, np.ndarray]:
    turn = from_rotation_vector(np.array([*tilt, 0.0]))
    there = pose(turn, np.array(center) - turn @ BOARD.center)
    ids = np.arange(len(BOARD.corners))
    return Corners(ids, project(transform(there, BOARD.corners), LENS)), there


def state(*views: tuple[Corners, np.ndarray]) -> Coverage:
    arm = [pose(from_rotation_vector(np.array([0.1 * k, 0.0, 0.0])), np.zeros(3)) for k in range(len(views))]
    return coverage([corners for corners, _ in views], [there for _, there in views], arm, BOARD, LENS)


def test_a_board_top_left_fills_the_cells_there() -> None:
    cells = state(seen((0.0, 0.0), (-0.15, -0.11, 0.6))).cells
    assert cells[0, 0] > 0
    assert cells[ROWS // 2 :, COLUMNS // 2 :].sum() == 0
    assert cells.sum() == len(BOARD.corners)


@pytest.mark.parametrize(
    ("tilt", "which"), [((0.0, -0.5), 0), ((0.0, 0.5), 1), ((0.5, 0.0), 2), ((-0.5, 0.0), 3)]
)
def test_a_tilt_is_told_by_the_edge_that_is_nearer(tilt: tuple[float, float], which: int) -> None:
    corners, there = seen(tilt, (0.0, 0.0, 0.6))
    depth = transform(there, np.array([[0.0, 0.09, 0.0], [0.24, 0.09, 0.0], [0.12, 0.0, 0.0], [0.12, 0.18, 0.0]]))[:, 2]
    assert int(depth.argmin()) == which  # left, right, top, bottom
    tilts = state((corners, there)).tilts
    assert tilts[which] == 1
    assert sum(tilts) == 1


def test_distances_and_the_spread_of_rotations_are_measured() -> None:
    found = state(seen((0.0, 0.0), (0.0, 0.0, 0.5)), seen((0.0, 0.0), (0.0, 0.0, 0.8)))
    assert found.distances == pytest.approx((0.5, 0.8))
    assert found.spread[0] == pytest.approx(0.05, rel=1e-3)
    assert found.spread[1] < 1e-6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "enough: solve"), ({"views": 0}, "middle of the image"), ({"views": 12}, "12 of 20 views"),
        ({"tilts": (3, 3, 0, 3)}, "top edge nearer"), ({"distances": (0.5, 0.55)}, "change the distance"),
        ({"spread": np.array([0.5, 0.02, 0.0])}, "another axis"),
        ({"cells": np.pad(np.full((ROWS, COLUMNS - 2), 9.0), ((0, 0), (0, 2)))}, "right of the image"),
    ],
)  # fmt: skip
def test_the_hint_asks_for_what_is_missing(changes: dict[str, object], said: str) -> None:
    assert said in hint(replace(FULL, **changes))  # type: ignore[arg-type]
    assert replace(FULL, **changes).complete == (not changes)  # type: ignore[arg-type]


def test_a_route_of_ones_own_is_read_and_an_empty_one_refused(tmp_path: Path) -> None:
    route = twin_rig("eye_in_hand", BOARD, load_rig("nominal")).route
    config.save(route, tmp_path / "route.yaml")
    assert load_route(tmp_path / "route.yaml") == route
    config.save(Route(()), tmp_path / "empty.yaml")
    with pytest.raises(ConfigError, match="no stops"):
        load_route(tmp_path / "empty.yaml")
