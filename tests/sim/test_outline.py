"""The outlines of the arm against rays through MuJoCo's model of it: inside one is arm, outside all of them is none."""

from __future__ import annotations

import cv2
import mujoco as mj
import numpy as np
import pytest

from gmps_robot.control.kinematics import joints_at
from gmps_robot.control.outline import arm_outline, tool_outline
from gmps_robot.rig import load_rig
from gmps_robot.types import FloatArray
from sim.sawyer import add_sawyer, finger_position

WIDTH, HEIGHT = 640, 480
EDGE = 2.0  # nearer to an outline than this nothing is claimed [pixel]


def projection() -> FloatArray:
    rig = load_rig("nominal")
    turn, place = rig.camera_to_base.rotation.T, np.array(rig.camera_to_base.position)
    return np.asarray(rig.camera.policy(WIDTH, HEIGHT).matrix @ np.column_stack([turn, -turn @ place]))


def depths(outlines: list[FloatArray], pixel: FloatArray) -> float:
    """How far inside of the deepest outline a pixel is; negative outside of all [pixel]."""
    at = (float(pixel[0]), float(pixel[1]))
    return max(cv2.pointPolygonTest(outline.astype(np.float32), at, True) for outline in outlines)


@pytest.fixture(scope="module")
def arm() -> tuple[mj.MjModel, mj.MjData]:
    spec = mj.MjSpec()
    add_sawyer(spec)
    model = spec.compile()
    return model, mj.MjData(model)


@pytest.mark.parametrize("gripper", [-1.0, 1.0])
@pytest.mark.parametrize("tip", [(0.45, -0.2, 0.05), (0.6, 0.1, 0.12), (0.55, 0.2, 0.3)])
def test_a_pixel_is_inside_an_outline_where_a_ray_meets_the_arm(
    arm: tuple[mj.MjModel, mj.MjData], tip: tuple[float, float, float], gripper: float
) -> None:
    model, data = arm
    joints = joints_at(tip)
    data.qpos[:7], data.qpos[7:9] = joints, finger_position(np.array(gripper))
    mj.mj_forward(model, data)
    rig = load_rig("nominal")
    eye, lens = np.array(rig.camera_to_base.position), rig.camera.policy(WIDTH, HEIGHT).matrix
    outlines = arm_outline(joints, gripper, projection())
    # Most of the arm is above the picture, which begins at 0.
    pixels = np.random.default_rng(0).uniform((100.0, -400.0), (550.0, 200.0), (600, 2))
    met = claimed = 0
    for pixel in pixels:
        depth = depths(outlines, pixel)
        if abs(depth) < EDGE:
            continue
        ray = rig.camera_to_base.rotation @ np.linalg.solve(lens, [*pixel, 1.0])
        hit = np.array([-1], dtype=np.int32)
        mj.mj_ray(model, data, eye, ray / np.linalg.norm(ray), None, 1, model.body("base").id, hit)
        assert (hit[0] >= 0) == (depth > 0.0), f"pixel {pixel.round()}: {depth:.1f} pixel inside"
        met, claimed = met + (hit[0] >= 0), claimed + 1
    assert met > 100
    assert claimed - met > 100


def test_what_is_asked_for_is_the_tool_further_on() -> None:
    joints, move = joints_at((0.5, 0.0, 0.1)), np.array([0.05, 0.02, 0.0])
    there = joints_at((0.55, 0.02, 0.1))
    asked = tool_outline(joints, 0.0, projection(), move)
    reached = tool_outline(there, 0.0, projection(), np.zeros(3))
    assert len(asked) == 3  # hand and two pads
    for one, other in zip(asked, reached, strict=True):
        np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), atol=1.5)


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    turned = projection()
    turned[2] *= -1.0
    assert arm_outline(joints_at((0.5, 0.0, 0.1)), 0.0, turned) == []
