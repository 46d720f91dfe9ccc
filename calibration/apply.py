"""From a solved capture to a rig, and from a rig to the simulator: one record, every other form is made of it.

The lens is handled in exactly one place: `gmps_robot.camera.view.View` straightens real frames. What comes after it,
policy, tracker and twin, knows a pinhole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.poses import rotation_vector
from calibration.solution import Solution
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import Origin, Residuals, RigCalibration, SensorCalibration

ASPECT = (4, 3)  # of what the policy sees
Crop = tuple[int, int, int, int]


def rig_of(solution: Solution, before: RigCalibration, name: str, crop: Crop | None = None) -> RigCalibration:
    """Return the rig `name` with the camera of `solution`; table, delays and servos stay those of `before`.

    Args:
        solution: of a camera that stands.
        before: the rig as it was known so far.
        name: for people.
        crop: x, y, width, height of what the policy sees in the undistorted image; None for that of `before` where
            the images have the same size, else the largest of its aspect in the middle.

    Raises:
        CalibrationError: the camera is in the hand; policies are trained for one that stands.
        ConfigError: the crop leaves the image.
    """
    if solution.setup != "eye_to_hand":
        raise CalibrationError(
            "the camera of this solution moves with the hand; a rig's policy camera stands still. What there is of it "
            "are the other files of `gmps calibrate apply`: camera_info and the transform from the hand"
        )
    sensor = solution.camera
    if crop is None:
        same = (before.camera.width, before.camera.height) == (sensor.width, sensor.height)
        crop = before.camera.crop if same else middle(sensor)
    held = solution.held_out
    return replace(
        before,
        name=name,
        camera=replace(sensor, crop=crop),
        camera_to_base=solution.camera_pose,
        residuals=Residuals(held.pixel.value, held.position.value, float(np.deg2rad(held.rotation.value))),
        origin=Origin(solution.date, solution.capture, solution.covariance),
    )


def middle(sensor: SensorCalibration) -> Crop:
    """Return the largest crop of the policy's aspect in the middle of the image."""
    across, down = ASPECT
    unit = min(sensor.width // across, sensor.height // down)
    width, height = unit * across, unit * down
    return (sensor.width - width) // 2, (sensor.height - height) // 2, width, height


def mjcf_camera(rig: RigCalibration) -> str:
    """Return the rig's camera, undistorted, as an element of a MuJoCo model whose world frame is `base`.

    MuJoCo looks along -z with y up, and takes the principal point's shift from the middle with the other sign.
    """
    lens, pose = rig.camera, rig.camera_to_base
    turned = pose.rotation @ np.diag([1.0, -1.0, -1.0])
    vector = rotation_vector(turned)
    angle = float(np.linalg.norm(vector))
    axis = vector / angle if angle > 0.0 else np.array([0.0, 0.0, 1.0])
    w, (x, y, z) = np.cos(angle / 2), axis * np.sin(angle / 2)
    shift = ((lens.width - 1) / 2 - lens.cx, (lens.height - 1) / 2 - lens.cy)
    return (
        f'<camera name="{rig.name}" pos="{_row(pose.position)}" quat="{_row((w, x, y, z))}" '
        f'resolution="{lens.width} {lens.height}" sensorsize="{lens.width / 1e5:g} {lens.height / 1e5:g}" '
        f'focalpixel="{_row((lens.fx, lens.fy))}" principalpixel="{_row(shift)}"/>'
    )


def _row(values: tuple[float, ...]) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)
