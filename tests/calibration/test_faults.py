"""Captures spoilt one way each: the fault is noticed and called by its name; good captures are not accused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.capture import Setup
from calibration.drawing import BoardPainter
from calibration.selftest import ARM_NOISE, BOARD, CORNER_NOISE, LENS
from calibration.sightings import Sightings
from calibration.solve import solve
from calibration.spoilt import FAULTS, Good, said_of
from calibration.synthetic import board_poses, projected, rig, unsure
from gmps_robot.errors import CalibrationError

VIEWS = 14


def good(setup: Setup = "eye_to_hand", seed: int = 5) -> tuple[Good, np.random.Generator]:
    rng = np.random.default_rng(seed)
    truth = rig(setup, BOARD, LENS, rng)
    seen = board_poses(BOARD, LENS, VIEWS, rng)
    told = unsure(truth.hand(seen), *ARM_NOISE, rng)
    return Good(truth, seen, told, BoardPainter(BOARD, LENS).image, CORNER_NOISE, ARM_NOISE), rng


def sightings(setup: Setup = "eye_to_hand") -> Sightings:
    capture, rng = good(setup)
    return projected(capture.truth, capture.seen, capture.told, CORNER_NOISE, rng)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_called_by_its_name(fault: str) -> None:
    said = said_of(fault, *good())
    assert fault in said
    assert [other for other in FAULTS if other != fault and other in said] == []


@pytest.mark.parametrize("fault", ["swapped frames", "wrong square size"])
def test_a_fault_with_the_camera_in_the_hand_is_called_by_its_name(fault: str) -> None:
    assert fault in said_of(fault, *good("eye_in_hand"))


def test_a_good_capture_is_not_accused() -> None:
    assert solve(sightings()).dropped == {}


def test_the_bad_view_is_named_with_how_far_it_is_off() -> None:
    said = said_of("bad view", *good())
    assert said.startswith(f"{VIEWS // 2:03d}.png: bad view: ")
    assert abs(float(said.split("bad view: ")[1].split(" mm")[0]) - 30.0) < 3.0


def test_the_right_square_is_told_where_the_file_is_wrong() -> None:
    said = said_of("wrong square size", *good())
    assert abs(float(said.split("measures ")[1].split(" ")[0]) - 30.0) < 0.15


def test_an_image_that_is_stamped_later_than_its_arm_state_is_stale() -> None:
    found = sightings()
    late = replace(found, views=(replace(found.views[0], lag=0.2), *found.views[1:]))
    with pytest.raises(CalibrationError, match=r"stale state: .* up to 200 ms apart \(000.png\)"):
        solve(late)


def test_an_arm_that_stands_while_the_board_moves_is_stale() -> None:
    found = sightings()
    stuck = replace(found.views[4], hand=found.views[3].hand)
    with pytest.raises(CalibrationError, match=r"stale state: .* before 004.png"):
        solve(replace(found, views=(*found.views[:4], stuck, *found.views[5:])))


def test_arm_poses_that_mean_nothing_are_refused() -> None:
    found = sightings()
    rng = np.random.default_rng(9)
    order = rng.permutation(VIEWS)
    views = tuple(replace(view, hand=found.views[k].hand) for view, k in zip(found.views, order, strict=True))
    with pytest.raises(CalibrationError, match="arm and camera disagree by"):
        solve(replace(found, views=views))


def test_an_image_that_does_not_fit_the_others_is_left_out_and_named() -> None:
    found = sightings()
    corners = found.views[2].corners
    rng = np.random.default_rng(3)
    smeared = replace(corners, pixels=corners.pixels + rng.normal(0.0, 1.5, corners.pixels.shape))
    solved = solve(replace(found, views=(*found.views[:2], replace(found.views[2], corners=smeared), *found.views[3:])))
    assert list(solved.dropped) == ["002.png"]
    assert "image does not fit" in solved.dropped["002.png"]
