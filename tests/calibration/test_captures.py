"""Captures: driven through the guard and solved to the truth; bad input is named, and what was captured is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.board import BoardSpec
from calibration.capture import FILE, Capture, CaptureWriter, load_capture, write_image
from calibration.capturing import along, by_hand
from calibration.drawing import BoardPainter
from calibration.opencv import check_opencv
from calibration.poses import angle_between, inverse, matrix
from calibration.report import write_report
from calibration.route import Driver, Route, Stop, default_route
from calibration.session import CaptureSession, hand_pose
from calibration.sightings import FEWEST_VIEWS
from calibration.solution import Solution, load_solution
from calibration.solve import Solved, solve_capture
from calibration.twin_rig import CENTER, TwinRig, twin_rig
from gmps_robot import config, families
from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.errors import ArmError, CalibrationError, ConfigError, SetupError
from gmps_robot.rig import load_rig
from gmps_robot.types import ArmState, ImageArray

BOARD = BoardSpec()
PLACE = twin_rig("eye_to_hand", BOARD, load_rig("nominal"))
PERIOD = 0.05


class Rig:
    """An ideal arm with a painted board in its hand, in simulated time."""

    def __init__(self, place: TwinRig = PLACE) -> None:
        self.now, self.place, self.rng = 100.0, place, np.random.default_rng(0)
        self.arm = FakeArm(families.family("push"), lambda: self.now, self.sleep)
        self.driver = Driver(self.arm, lambda: self.now, lambda: self.sleep(self.arm.period))
        self.painter = BoardPainter(place.board, place.rig.camera)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> tuple[ImageArray, int, ArmState]:
        state = self.arm.observe()
        there = inverse(self.place.camera) @ hand_pose(state) @ self.place.fixed
        return self.painter.image(there, self.rng), state.stamp_ns, state


def writer(directory: Path, board: BoardSpec = BOARD) -> CaptureWriter:
    return CaptureWriter(directory, Capture("eye_to_hand", board, 640, 480, "test"))


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of twelve views, along the first stops of the usual route."""
    directory, rig = tmp_path_factory.mktemp("capture"), Rig()
    session = CaptureSession(writer(directory))
    told = list(along(Route(PLACE.route.stops[:12]), rig.driver, session, rig.look))
    assert [line for line in told if "taken" not in line] == []
    assert rig.arm.guard_state.mode != "FAULT"
    return directory


@pytest.fixture(scope="module")
def answer(captured: Path) -> tuple[Solution, Solved]:
    return solve_capture(captured, load_capture(captured))


def test_the_arm_drives_along_the_route_and_the_capture_solves_to_the_truth(
    captured: Path, answer: tuple[Solution, Solved], tmp_path: Path
) -> None:
    capture, (solution, solved) = load_capture(captured), answer
    found = matrix(solution.camera_pose)
    assert np.linalg.norm(found[:3, 3] - PLACE.camera[:3, 3]) < 0.5e-3
    assert np.rad2deg(angle_between(found[:3, :3], PLACE.camera[:3, :3])) < 0.05
    assert solution.passed
    config.save(solution, tmp_path / "solution.yaml")
    assert load_solution(tmp_path) == solution
    write_report(tmp_path / "report.html", captured, capture, solution, solved)
    page = (tmp_path / "report.html").read_text()
    assert "PASSED" in page
    assert page.count("data:image/png;base64,") == 7
    assert "http://" not in page  # self-contained


def test_solving_again_gives_the_same(captured: Path, answer: tuple[Solution, Solved]) -> None:
    again, _ = solve_capture(captured, load_capture(captured))
    assert replace(again, date="") == replace(answer[0], date="")


def test_a_stop_out_of_reach_is_told_and_left_out(tmp_path: Path) -> None:
    rig = Rig()
    high = Stop((0.5, 0.0, 0.60), PLACE.route.stops[0].attitude)
    session = CaptureSession(writer(tmp_path))
    told = list(along(Route((high, PLACE.route.stops[0])), rig.driver, session, rig.look))
    assert told[0].startswith("stop 1 of 2: left out: the arm did not reach tip (0.5, 0.0, 0.6) m")
    assert told[1] == "stop 2 of 2: view 1 taken"


def test_an_arm_that_is_stopped_ends_the_route(tmp_path: Path) -> None:
    rig = Rig()
    lines = along(PLACE.route, rig.driver, CaptureSession(writer(tmp_path)), rig.look)
    next(lines)
    rig.arm.stop("somebody came near")
    with pytest.raises(ArmError, match="somebody came near"):
        list(lines)
    assert len(load_capture(tmp_path).views) == 1


def test_by_hand_a_view_is_taken_once_the_board_is_still_and_not_twice(tmp_path: Path) -> None:
    rig = Rig()
    session = CaptureSession(writer(tmp_path))
    for _ in rig.driver.go(PLACE.route.stops[0]):
        pass
    taking = by_hand(session, rig.look)
    said = []
    for _ in range(20):
        rig.arm.apply(None, rig.now)
        rig.sleep(0.1)
        said.append(next(taking))
    told = list(dict.fromkeys(p.message for p in said))
    assert told[:3] == ["moving: hold still", "hold still a little longer", "view 1 taken"]
    assert sum(p.taken is not None for p in said) == 1
    assert "like a view that is there already" in said[-1].message


def test_a_dark_and_a_blurred_image_are_refused_with_the_reason(tmp_path: Path) -> None:
    rig = Rig()
    session = CaptureSession(writer(tmp_path))
    for _ in rig.driver.go(PLACE.route.stops[0]):
        pass
    image, stamp_ns, state = rig.look()
    blurred = cv2.GaussianBlur(image, (0, 0), 1.3)
    assert "blurred" in session.offer(blurred, stamp_ns, state, at_once=True).message
    assert "too dark" in session.offer(image // 5, stamp_ns, state, at_once=True).message
    assert session.state.views == 0


def test_the_route_keeps_the_tip_in_the_box_of_slow_motions() -> None:
    box = families.family("push").envelope.reset
    low, high = np.array(box.box_low), np.array(box.box_high)
    tips = np.array([stop.tip for stop in default_route(CENTER, np.eye(3)).stops])
    assert (tips > low).all()
    tips = np.array([stop.tip for stop in PLACE.route.stops])
    assert (tips > low).all()
    assert (tips < high).all()


def copy_of(captured: Path, directory: Path) -> Path:
    directory.mkdir()
    for path in captured.iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    return directory


def solve_it(directory: Path) -> None:
    solve_capture(directory, load_capture(directory))


def test_too_few_views_are_refused_and_kept(captured: Path, tmp_path: Path) -> None:
    few = copy_of(captured, tmp_path / "few")
    config.save(replace(load_capture(few), views=load_capture(few).views[: FEWEST_VIEWS - 1]), few / FILE)
    with pytest.raises(CalibrationError, match="too few views: the board is in 7, at least 8 are needed"):
        solve_it(few)
    assert len(list(few.glob("*.png"))) == 12


def test_a_board_that_is_never_seen_is_told(captured: Path, tmp_path: Path) -> None:
    empty = copy_of(captured, tmp_path / "empty")
    for path in empty.glob("*.png"):
        write_image(path, np.full((480, 640, 3), 90, np.uint8))
    with pytest.raises(CalibrationError, match=r"in none of 12 images \(000.png: no board in the image"):
        solve_it(empty)


def test_another_board_is_told_with_its_dictionary(captured: Path, tmp_path: Path) -> None:
    other = copy_of(captured, tmp_path / "other")
    config.save(replace(load_capture(other), board=replace(BOARD, dictionary="DICT_6X6_250")), other / FILE)
    with pytest.raises(CalibrationError, match="wrong board: these are markers of DICT_5X5_100"):
        solve_it(other)


def test_mixed_resolutions_are_refused_when_taken_and_when_solved(captured: Path, tmp_path: Path) -> None:
    mixed = copy_of(captured, tmp_path / "mixed")
    small = np.zeros((240, 320, 3), np.uint8)
    with pytest.raises(CalibrationError, match="mixed resolutions: this image has 320x240"):
        CaptureWriter(mixed, replace(load_capture(mixed), views=())).add(small, 0, Rig().arm.observe())
    write_image(mixed / "003.png", small)
    with pytest.raises(CalibrationError, match=r"mixed resolutions: .*003.png has 320x240"):
        solve_it(mixed)


def test_an_image_that_is_unreadable_or_missing_is_named(captured: Path, tmp_path: Path) -> None:
    broken = copy_of(captured, tmp_path / "broken")
    (broken / "002.png").write_bytes(b"not a picture")
    with pytest.raises(CalibrationError, match=r"002.png is unreadable"):
        solve_it(broken)
    (broken / "002.png").unlink()
    with pytest.raises(CalibrationError, match=r"002.png is missing"):
        solve_it(broken)


def test_views_without_an_arm_pose_are_named(captured: Path, tmp_path: Path) -> None:
    without = copy_of(captured, tmp_path / "without")
    capture = load_capture(without)
    views = (replace(capture.views[0], hand=None), *capture.views[1:])
    config.save(replace(capture, views=views), without / FILE)
    with pytest.raises(CalibrationError, match=r"no arm pose for 000.png \(1 of 12 views\)"):
        solve_it(without)


def test_a_capture_goes_on_where_it_was_but_not_with_another_board(captured: Path, tmp_path: Path) -> None:
    again = copy_of(captured, tmp_path / "again")
    rig = Rig()
    assert writer(again).add(*rig.look()).image == "012.png"
    with pytest.raises(ConfigError, match="another board"):
        writer(again, BOARD.measured(0.0299))
    assert len(load_capture(again).views) == 13


def test_a_file_edited_by_hand_is_told_what_is_wrong_with_it(captured: Path, tmp_path: Path) -> None:
    edited = copy_of(captured, tmp_path / "edited")
    text = (edited / FILE).read_text()
    (edited / FILE).write_text(text.replace("squares_x: 8", "squares_x: eight"))
    with pytest.raises(ConfigError, match=r"squares_x = 'eight': expected int"):
        load_capture(edited)
    (edited / FILE).write_text(text.replace("setup:", "set_up:"))
    with pytest.raises(ConfigError, match="did you mean 'setup'"):
        load_capture(edited)
    with pytest.raises(ConfigError, match="no capture in"):
        load_capture(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("version", "hand_eye", "said"),
    [("4.13.0", True, "half a pixel"), ("4.9.0", True, "half a pixel"), ("5.0.0", False, "no calibrateHandEye")],
)
def test_an_opencv_that_calibrates_wrongly_is_refused(version: str, hand_eye: bool, said: str) -> None:
    with pytest.raises(SetupError, match=said):
        check_opencv(version, hand_eye)
