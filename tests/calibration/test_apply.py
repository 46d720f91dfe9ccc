"""From a solved capture to everything that uses it: the rig, the twin's camera, ROS files, and back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import mujoco as mj
import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from calibration import formats
from calibration.apply import middle, mjcf_camera, rig_of
from calibration.board import BoardSpec
from calibration.lens import project
from calibration.poses import frame_pose, inverse, matrix, pose, transform
from calibration.solution import HeldOut, Interval, Solution
from gmps_robot import config
from gmps_robot.camera.view import View
from gmps_robot.errors import CalibrationError, ConfigError
from gmps_robot.rig import FramePose, SensorCalibration, load_rig, save_rig
from sim.marked_view import whole_sensor
from sim.render.camera import rig_camera

NOMINAL = load_rig("nominal")
LENS = SensorCalibration(640, 480, 579.0, 581.0, 321.5, 236.5, (-0.28, 0.09, 1e-3, -5e-4, 0.0), (0, 0, 640, 480))
TURN = NOMINAL.camera_to_base.rotation @ Rotation.from_euler("xyz", [0.04, -0.03, 0.05]).as_matrix()
CAMERA = frame_pose(pose(TURN, np.array([1.02, 0.03, 0.61])))
GOOD = Interval(0.0, 0.0, 0.0)


def solution(**changes: Any) -> Solution:
    """A solved capture of a bent lens that stands beside the nominal camera's place."""
    held = HeldOut(Interval(0.4, 0.3, 0.5), Interval(1e-3, 8e-4, 2e-3), Interval(0.1, 0.05, 0.2))
    made = Solution(
        "eye_to_hand", LENS, CAMERA, CAMERA, tuple(np.diag([1e-6] * 6).ravel().tolist()), (0.1,) * 9, 4, 0.1, held,
        1e-4, 0.01, 0.06, {}, ("000.png",), {}, BoardSpec(), "0123456789ab", "2026-11-21T09:00:00+00:00",
    )  # fmt: skip
    return replace(made, **changes)


def test_the_twins_camera_shows_board_corners_where_the_capturing_camera_shows_them(tmp_path: Path) -> None:
    save_rig(rig_of(solution(), NOMINAL, "lab"), tmp_path / "rig.yaml")
    rig = load_rig(tmp_path / "rig.yaml")
    board = BoardSpec()
    tilted = pose(Rotation.from_euler("xyz", [0.3, -0.2, 0.1]).as_matrix(), np.array([-0.20, -0.15, 0.45]))
    place = matrix(CAMERA) @ tilted
    corners = transform(place, board.corners)
    real = project(transform(inverse(matrix(CAMERA)), corners), LENS)  # pixels of the bent, real image
    straight = cv2.undistortPoints(
        real.reshape(-1, 1, 2), LENS.pinhole.matrix, np.array(LENS.distortion), P=LENS.pinhole.matrix
    ).reshape(-1, 2)
    seen = whole_sensor(rig).project(corners)
    assert (seen > 0).all()
    assert (seen < (640, 480)).all()
    assert np.abs(real - straight).max() > 3.0  # the lens matters
    assert np.abs(seen - straight).max() <= 0.3
    # The policy's image of the same points, by the one place that undoes the lens.
    policy = View(rig.camera, 64, 48).pinhole
    np.testing.assert_allclose(rig_camera(rig).project(corners), (straight + 0.5) * 0.1 - 0.5, atol=0.03)
    assert (policy.width, policy.height) == (64, 48)


def test_the_camera_for_mujoco_projects_as_the_rig_does() -> None:
    rig = rig_of(solution(), NOMINAL, "lab")
    points = np.array([[0.6, 0.0, 0.0], [0.7, 0.15, 0.05], [0.5, -0.2, 0.02]])
    model = mj.MjModel.from_xml_string(
        f"<mujoco><worldbody>{mjcf_camera(rig)}<geom size='1'/></worldbody></mujoco>"
    )
    data = mj.MjData(model)
    mj.mj_forward(model, data)
    rotation = data.cam_xmat[0].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    local = (points - data.cam_xpos[0]) @ rotation
    # Focal lengths and shift as MuJoCo keeps them: of a sensor in metres.
    (fx, fy, sx, sy), size = model.cam_intrinsic[0], model.cam_sensorsize[0]
    pixel = size[0] / 640, size[1] / 480
    u = 319.5 - sx / pixel[0] + fx / pixel[0] * local[:, 0] / local[:, 2]
    v = 239.5 - sy / pixel[1] + fy / pixel[1] * local[:, 1] / local[:, 2]
    np.testing.assert_allclose(np.column_stack([u, v]), whole_sensor(rig).project(points), atol=0.02)


def test_what_was_known_of_the_rig_stays_and_what_was_measured_is_told() -> None:
    known = replace(NOMINAL, table_height=0.002, latency=replace(NOMINAL.latency, image=0.05))
    rig = rig_of(solution(), known, "lab")
    assert (rig.table_height, rig.latency, rig.name) == (0.002, known.latency, "lab")
    assert (rig.residuals.reprojection, rig.residuals.position) == (0.4, 1e-3)
    assert rig.residuals.rotation == pytest.approx(np.deg2rad(0.1))
    assert rig.origin.capture == "0123456789ab"
    assert rig.origin.covariance[0] == 1e-6
    assert rig.rig_id != rig_of(solution(date="later"), known, "lab").rig_id


def test_a_wide_image_is_cropped_to_what_policies_see_unless_told_otherwise() -> None:
    wide = replace(LENS, width=1280, height=720, crop=(0, 0, 1280, 720))
    assert middle(wide) == (160, 0, 960, 720)
    assert rig_of(solution(camera=wide), NOMINAL, "lab").camera.crop == (160, 0, 960, 720)
    assert rig_of(solution(camera=wide), NOMINAL, "lab", (0, 0, 640, 480)).camera.crop == (0, 0, 640, 480)
    with pytest.raises(ConfigError, match="leaves the image of 1280x720"):
        rig_of(solution(camera=wide), NOMINAL, "lab", (800, 0, 640, 480))


def test_a_camera_in_the_hand_makes_no_rig() -> None:
    with pytest.raises(CalibrationError, match="moves with the hand"):
        rig_of(solution(setup="eye_in_hand"), NOMINAL, "lab")


def test_camera_info_and_easy_handeye2_come_back_as_they_went(tmp_path: Path) -> None:
    info, calib = tmp_path / "camera_info.yaml", tmp_path / "lab.calib"
    config.write(formats.camera_info(LENS, "lab"), info)
    assert formats.read_camera_info(info) == LENS
    config.write(formats.easy_handeye2(CAMERA, "eye_to_hand", "lab"), calib)
    found, setup = formats.read_easy_handeye2(calib)
    assert setup == "eye_to_hand"
    np.testing.assert_allclose(found.position, CAMERA.position)
    np.testing.assert_allclose(found.quaternion, CAMERA.quaternion)
    flat = {"x": 1, "y": 2, "z": 3, "qx": 0, "qy": 0, "qz": 0, "qw": 1}
    config.write({"parameters": {"eye_on_hand": True}, "transformation": flat}, calib)
    assert formats.read_easy_handeye2(calib) == (FramePose((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0)), "eye_in_hand")


def test_a_file_of_ros_itself_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ost.yaml"
    path.write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: narrow\ncamera_matrix:\n  rows: 3\n  cols: 3\n"
        "  data: [600.5, 0., 320.25, 0., 601., 240., 0., 0., 1.]\ndistortion_model: plumb_bob\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [-0.1, 0.02, 0., 0.001, 0.]\n"
    )
    sensor = formats.read_camera_info(path)
    assert (sensor.fx, sensor.cx, sensor.distortion[3]) == (600.5, 320.25, 0.001)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distortion_model": "rational_polynomial"}, "only 'plumb_bob'"),
        ({"camera_matrix": {"data": [1.0] * 8}}, "expected `data` with 9 numbers"),
        ({"image_width": "wide"}, "image_width = 'wide': expected a whole number"),
        ({"distortion_coefficients": None}, "no key 'distortion_coefficients'"),
    ],
)
def test_what_is_no_camera_info_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    raw = {k: v for k, v in {**formats.camera_info(LENS, "lab"), **changes}.items() if v is not None}
    config.write(raw, tmp_path / "info.yaml")
    with pytest.raises(ConfigError, match=said):
        formats.read_camera_info(tmp_path / "info.yaml")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"parameters": {"calibration_type": "eye_on_wall"}}, "calibration_type = 'eye_on_wall'; valid: eye_on_base"),
        ({"parameters": {}}, "no file of easy_handeye2"),
        ({"parameters": {"eye_on_hand": False}, "transform": {}}, "no key 'translation'"),
        ({}, "no key 'parameters'"),
    ],
)
def test_what_is_no_easy_handeye2_is_refused(tmp_path: Path, raw: dict[str, Any], said: str) -> None:
    config.write(raw, tmp_path / "x.calib")
    with pytest.raises(ConfigError, match=said):
        formats.read_easy_handeye2(tmp_path / "x.calib")


def test_transform_and_urdf_joint_are_the_same_pose() -> None:
    joint = ElementTree.fromstring(f"<robot>{formats.urdf_joint(CAMERA, 'base')}</robot>").find("joint/origin")
    assert joint is not None
    rpy = [float(v) for v in joint.attrib["rpy"].split()]
    np.testing.assert_allclose(Rotation.from_euler("xyz", rpy).as_matrix(), CAMERA.rotation, atol=1e-9)
    told = yaml.safe_load(yaml.safe_dump(formats.static_transform(CAMERA, "base", (0.0,) * 36, rig="abc")))
    assert told["rotation"]["w"] == CAMERA.quaternion[3]
    assert told["parent_frame"] == "base"
    assert "--frame-id base --child-frame-id camera_optical_frame" in formats.publisher_command(CAMERA, "base")
