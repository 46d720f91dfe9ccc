"""The twin of a measured rig: its camera, its servos and its delays. The nominal rig changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gmps_robot import families
from gmps_robot.errors import ConfigError
from gmps_robot.rig import FramePose, Latencies, ServoFit, load_rig
from gmps_robot.types import ArmCommand, FloatArray, ImageArray
from sim.render.camera import POLICY_CAMERA, rig_camera
from sim.twin import Twin
from sim.worlds import Worlds

PUSH = families.family("push")
NOMINAL = load_rig("nominal")
STEPS = 12


def driven(twin: Twin) -> tuple[FloatArray, FloatArray, list[ImageArray], FloatArray]:
    """Measured joints, true tips, images and joints at the exposures after each step to the front and left."""
    joints, tips, images, exposed = [], [], [], []
    for k in range(STEPS):
        now = 0.05 * k
        stamp_ns = round(1e9 * now)
        twin.apply(ArmCommand(stamp_ns, k + 1, "policy", np.array([0.12, 0.06, 0.0]), -0.5, stamp_ns), now)
        joints.append(twin.observe().joints)
        tips.append(twin.scene().tip)
        images.append(twin.image())
        exposed.append(twin.exposed().joints)
    return np.array(joints), np.array(tips), images, np.array(exposed)


@pytest.fixture(scope="module")
def nominal() -> tuple[FloatArray, FloatArray, list[ImageArray], FloatArray]:
    return driven(Twin(PUSH))


def test_a_late_image_shows_what_was_there_and_a_late_state_is_the_earlier_one(
    nominal: tuple[FloatArray, FloatArray, list[ImageArray], FloatArray]
) -> None:
    late = driven(Twin(PUSH, rig=replace(NOMINAL, latency=Latencies(image=0.1, state=0.05))))
    np.testing.assert_array_equal(late[1], nominal[1])  # the world itself is the same
    np.testing.assert_allclose(late[0][1:], nominal[0][:-1], atol=1e-12)
    for seen, was in zip(late[2][2:], nominal[2][:-2], strict=True):
        assert np.abs(seen.astype(int) - was).max() <= 1  # of 255
    np.testing.assert_allclose(late[3][2:], nominal[0][:-2], atol=1e-12)  # what belongs to the image, not the newest


def test_a_late_command_moves_the_arm_later(
    nominal: tuple[FloatArray, FloatArray, list[ImageArray], FloatArray]
) -> None:
    late = driven(Twin(PUSH, rig=replace(NOMINAL, latency=Latencies(command=0.05))))
    np.testing.assert_allclose(late[1][1:], nominal[1][:-1], atol=1e-6)


def test_states_lie_between_the_steps_of_physics() -> None:
    ages = (0.0, 0.0025, 0.005)
    joints = [
        driven(Twin(PUSH, rig=replace(NOMINAL, latency=Latencies(state=age, command=1e-9))))[0][-1] for age in ages
    ]
    np.testing.assert_allclose(joints[1], (joints[0] + joints[2]) / 2, atol=1e-9)
    assert np.abs(joints[0] - joints[2]).max() > 1e-4


def test_softer_servos_lag_more() -> None:
    def behind(servo: ServoFit) -> float:
        twin = Twin(PUSH, rig=replace(NOMINAL, servo=servo))
        driven(twin)
        return float(np.linalg.norm(twin.guard_state.tip_target - twin.scene().tip))

    stiff, soft = behind(ServoFit(stiffness=(2.0,) * 7)), behind(ServoFit(stiffness=(0.5,) * 7))
    assert stiff < 0.7 * behind(ServoFit()) < 0.7 * soft


def test_the_twin_sees_through_the_camera_of_its_rig() -> None:
    pose = FramePose((1.0, 0.05, 0.6), NOMINAL.camera_to_base.quaternion)
    lens = replace(NOMINAL.camera, fx=560.0, cx=300.0, crop=(40, 30, 560, 420))
    rig = replace(NOMINAL, camera=lens, camera_to_base=pose)
    camera = Twin(PUSH, rig=rig).camera
    point = np.array([0.7, 0.1, 0.0])
    x, y, z = lens.pinhole.matrix @ (pose.rotation.T @ (point - pose.position))
    # Pixel 40, 30 is the corner of the crop, and 560 pixels become 64.
    expected = ((x / z - 40 + 0.5) * 64 / 560 - 0.5, (y / z - 30 + 0.5) * 48 / 420 - 0.5)
    np.testing.assert_allclose(camera.project(point), expected, atol=1e-9)
    assert rig_camera(NOMINAL) is POLICY_CAMERA


def test_delays_are_for_one_world_that_feels() -> None:
    with pytest.raises(ConfigError, match="2 worlds cannot be late"):
        Worlds(PUSH, 2, feels=True, latency=Latencies(image=0.1))
