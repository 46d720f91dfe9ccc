"""The nominal rig is the twin's, and what the twin draws is what crop-and-resize makes of a large picture of it."""

from __future__ import annotations

import numpy as np

from gmps_robot import families
from gmps_robot.camera.view import View
from gmps_robot.rig import load_rig
from sim.render.camera import POLICY_CAMERA
from sim.twin import Twin

RIG = load_rig("nominal")


def test_the_nominal_rig_is_the_camera_of_the_twin() -> None:
    pinhole = RIG.camera.policy(POLICY_CAMERA.width, POLICY_CAMERA.height)
    twin = (POLICY_CAMERA.fx, POLICY_CAMERA.fy, POLICY_CAMERA.cx, POLICY_CAMERA.cy)
    np.testing.assert_allclose((pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy), twin, rtol=1e-12)
    np.testing.assert_allclose(RIG.camera_to_base.position, POLICY_CAMERA.position, atol=1e-12)
    np.testing.assert_allclose(RIG.camera_to_base.rotation, POLICY_CAMERA.rotation_matrix, atol=1e-12)


def test_a_camera_in_front_of_the_twin_would_show_the_policy_what_the_twin_shows() -> None:
    family = families.family("push")
    twin = Twin(family)
    large = Twin(family, camera=POLICY_CAMERA.scaled(RIG.camera.width, RIG.camera.height)).image()
    seen = View(RIG.camera, POLICY_CAMERA.width, POLICY_CAMERA.height).image(large)
    errors = {
        (dx, dy): np.abs(np.roll(seen, (dy, dx), (0, 1)).astype(float) - twin.image())[2:-2, 2:-2].mean()
        for dx in (-1, 0, 1) for dy in (-1, 0, 1)
    }
    aligned = errors.pop((0, 0))
    assert aligned < 0.5  # of 255; what is left are edges
    assert aligned < 0.3 * min(errors.values())  # a shift by one pixel would be seen
