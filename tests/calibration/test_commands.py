"""`gmps calibrate apply | check | latency | identify | capture` as a person types them, and mistyped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from calibration.board import BoardSpec
from calibration.capture import load_capture
from calibration.drawing import BoardPainter
from calibration.poses import frame_pose, to_quaternion
from calibration.route import Route
from calibration.session import hand_frame
from calibration.twin_rig import CENTER, TwinRig, twin_rig
from gmps_robot import config
from gmps_robot.cli.main import main
from gmps_robot.control.kinematics import joints_at
from gmps_robot.rig import FramePose, Latencies, load_rig, save_rig
from gmps_robot.types import ArmState
from tests.calibration.test_apply import CAMERA, LENS, solution

NOMINAL = load_rig("nominal")
Told = pytest.CaptureFixture[str]


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    """A folder with the solution of a capture."""
    folder = tmp_path / "captures" / "monday"
    config.save(solution(), folder / "solution.yaml")
    return folder


def gmps(*words: object) -> int:
    return main(["calibrate", *map(str, words)])


def test_apply_makes_a_rig_and_the_files_of_others(solved: Path, tmp_path: Path, capsys: Told) -> None:
    out = tmp_path / "rigs" / "lab"
    assert gmps("apply", solved, "--out", out) == 0
    rig = load_rig(out / "rig.yaml")
    assert (rig.name, rig.camera_to_base) == ("lab", CAMERA)
    assert (rig.camera.fx, rig.camera.distortion) == (LENS.fx, LENS.distortion)
    made = {path.name for path in out.iterdir()}
    assert made == {"rig.yaml", "camera_info.yaml", "transform.yaml", "camera.urdf.xml", "camera.mjcf.xml", "lab.calib"}
    told = capsys.readouterr().out
    assert "static_transform_publisher" in told
    assert f"rig lab ({rig.rig_id})" in told
    assert yaml.safe_load((out / "transform.yaml").read_text())["parent_frame"] == "base"


def test_calibrating_the_camera_again_keeps_the_delays_that_were_measured_since(
    solved: Path, tmp_path: Path, capsys: Told
) -> None:
    out = tmp_path / "rigs" / "lab"
    assert gmps("apply", solved, "--out", out) == 0
    late = Latencies(image=0.05, command=0.02)
    save_rig(replace(load_rig(out / "rig.yaml"), latency=late), out / "rig.yaml")
    assert gmps("apply", solved, "--out", out) == 0
    assert load_rig(out / "rig.yaml").latency == late
    assert f"delays and servos as in {out / 'rig.yaml'}" in capsys.readouterr().out
    assert gmps("apply", solved, "--out", out, "--before", "nominal") == 0
    assert load_rig(out / "rig.yaml").latency == NOMINAL.latency


def test_apply_imports_the_files_of_others(solved: Path, tmp_path: Path) -> None:
    assert gmps("apply", solved, "--out", tmp_path / "ours") == 0
    lens, pose = tmp_path / "ours" / "camera_info.yaml", tmp_path / "ours" / "ours.calib"
    assert gmps("apply", "--camera-info", lens, "--easy-handeye2", pose, "--out", tmp_path / "again") == 0
    rig = load_rig(tmp_path / "again" / "rig.yaml")
    np.testing.assert_allclose(rig.camera_to_base.position, CAMERA.position)
    assert rig.camera.fx == LENS.fx


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply",), "nothing to apply: name a solved capture"),
        (("apply", "captures/tuesday"), "no solution in captures/tuesday: solution.yaml is missing; make it with"),
        (("apply", "{solved}", "--before", "nominall"), "did you mean 'nominal'"),
        (("apply", "{solved}", "--crop", "0", "0", "2000", "1500"), "crop"),
        (("apply", "{solved}", "--out", "{file}/lab"), "Not a directory"),
        (("check", "captures/tuesday"), "make it with gmps calibrate solve captures/tuesday"),
        (("check", "{solved}", "--rig", "nominall"), "did you mean 'nominal'"),
        (("latency", "rigs/none.yaml"), "no rig calibration at 'rigs/none.yaml'"),
        (("latency", "nominal", "--marker", "none.yaml"), "no such file: none.yaml"),
        (("latency", "nominal", "--robot", "sawyer", "--master-uri", "lab"), "http://"),
        (("identify", "rigs/none.yaml"), "no rig calibration at 'rigs/none.yaml'"),
        (("capture", "{file}/monday"), "name another directory for the capture"),
        (("capture", "captures/new", "--board", "none.yaml"), "no such file: none.yaml"),
        (("solve", "captures/tuesday"), "no capture in captures/tuesday"),
        (("report", "captures/tuesday"), "no capture in captures/tuesday"),
    ],
)
def test_a_wrong_path_or_word_is_one_sentence(
    words: tuple[str, ...], said: str, solved: Path, tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    assert gmps(*(word.format(solved=solved, file=tmp_path / "file") for word in words)) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_a_camera_in_the_hand_is_no_rig_but_its_files_are_written(solved: Path, tmp_path: Path, capsys: Told) -> None:
    config.save(solution(setup="eye_in_hand"), solved / "solution.yaml")
    assert gmps("apply", solved, "--out", tmp_path / "lab") == 2
    assert "moves with the hand" in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / "lab" / "transform.yaml").read_text())["parent_frame"] == "right_gripper_tip"
    assert not (tmp_path / "lab" / "rig.yaml").exists()


@contextmanager
def painted_twin(place: TwinRig) -> Iterator[Any]:
    """A twin at rest whose board is painted, which needs no OpenGL."""
    hand, still = hand_frame(joints_at(CENTER)), np.zeros(7)
    turn = to_quaternion(hand[:3, :3])
    arm = ArmState(1, joints_at(CENTER), still, hand[:3, 3], turn, np.zeros(3), np.zeros(6), 0.0)
    image = BoardPainter(place.board, place.rig.camera).image(place.board_in_camera(hand), np.random.default_rng(0))
    yield (lambda: (image, 1, arm)), None, None


@pytest.mark.parametrize(("moved", "code", "said"), [(0.0, 0, "the calibration holds"), (0.02, 1, "CALIBRATE AGAIN")])
def test_check_says_whether_the_camera_has_moved(
    moved: float, code: int, said: str, solved: Path, tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = twin_rig("eye_to_hand", BoardSpec(), NOMINAL)
    x, y, z = NOMINAL.camera_to_base.position
    told = solution(
        camera=NOMINAL.camera, board_pose=frame_pose(place.fixed),
        camera_pose=FramePose((x + moved, y, z), NOMINAL.camera_to_base.quaternion),
    )
    config.save(told, solved / "solution.yaml")
    monkeypatch.setattr("gmps_robot.cli.calibrate.capture.on_twin", lambda *_: painted_twin(place))
    figures = tmp_path / "figures" / "drift.json"
    assert gmps("check", solved, "--json", figures) == code
    assert said in capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert found["position"] == pytest.approx(moved, abs=1e-3)
    assert found["holds"] is (code == 0)


def test_latency_and_identify_rehearse_on_the_twin_and_write_what_they_find(tmp_path: Path, capsys: Told) -> None:
    rig = tmp_path / "lab.yaml"
    save_rig(replace(NOMINAL, name="lab", latency=Latencies(image=0.06, command=0.03)), rig)
    assert gmps("latency", rig, "--seconds", 3, "--json", tmp_path / "figures" / "latency.json") == 0
    found = load_rig(rig).latency
    assert found.image == pytest.approx(0.06, abs=0.003)
    assert found.command == pytest.approx(0.03, abs=0.003)
    assert json.loads((tmp_path / "figures" / "latency.json").read_text())["image_after_state"]["value"] > 0.05
    assert gmps("identify", rig, "--seconds", 3, "--json", tmp_path / "figures" / "servos.json") == 0
    assert load_rig(rig).servo.stiffness == pytest.approx(NOMINAL.servo.stiffness, rel=0.1)
    assert load_rig(rig).latency.command == pytest.approx(0.03, abs=0.003)
    assert len(json.loads((tmp_path / "figures" / "servos.json").read_text())["rms"]) == 7
    assert capsys.readouterr().out.count(f"{rig}") == 2


def test_a_capture_goes_on_and_its_coverage_with_it(tmp_path: Path, capsys: Told) -> None:
    place = twin_rig("eye_to_hand", BoardSpec(), NOMINAL)
    config.save(Route(place.route.stops[:2]), tmp_path / "route.yaml")
    for views in (2, 4):
        assert gmps("capture", tmp_path / "monday", "--route", tmp_path / "route.yaml") == 0
        assert f"{views} views in" in capsys.readouterr().out
        assert len(load_capture(tmp_path / "monday").views) == views
