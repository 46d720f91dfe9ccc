"""The emulated arm in ROS 2: what its camera and its scene show, what a reset puts back, and its refusals."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from gmps_msgs.msg import SceneState
from gmps_msgs.srv import SceneReset
from gmps_robot_nodes import conversions, qos
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from gmps_robot.families.push import PushFamily
from sim.emulator import children
from sim.render.camera import POLICY_CAMERA
from sim.twin import Twin
from tests.ros.conftest import Graph

PUSH = PushFamily()


@pytest.fixture(autouse=True)
def rospy() -> None:
    if children.missing():
        pytest.skip("not available: no rospy on this system")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_camera_scene_and_reset_are_those_of_a_rig(graph: Graph) -> None:
    graph.start("emulator", master_uri=f"http://127.0.0.1:{free_port()}")
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    infos = graph.listen(CameraInfo, "camera/camera_info", qos.CAMERA)
    scenes = graph.listen(SceneState, "scene/state", qos.STATE)
    pictures = graph.listen(CompressedImage, "camera/view/compressed", qos.CAMERA)
    graph.until(lambda: len(images) > 20 and scenes and infos and pictures)

    seen = conversions.image_pixels(images[-1]).astype(float)
    assert np.abs(seen - Twin(PUSH).image()).mean() < 1.0  # what the policy sees at the start, but for a settled block
    scene_stamps = {conversions.to_ns(scene.header.stamp) for scene in scenes}
    image_stamps = {conversions.to_ns(image.header.stamp) for image in images}
    assert len(image_stamps & scene_stamps) > 0.5 * len(image_stamps)
    assert (infos[-1].width, infos[-1].height) == (POLICY_CAMERA.width, POLICY_CAMERA.height)
    assert infos[-1].k[0] == pytest.approx(POLICY_CAMERA.fx)

    task = PUSH.sample("test", 3, 0)[2]
    answer = graph.call(SceneReset, "scene/reset", SceneReset.Request(task=task.to_json(), seed=1))
    assert answer.success, answer.message
    after = conversions.to_ns(answer.stamp)
    graph.until(lambda: conversions.to_ns(scenes[-1].header.stamp) > after)
    scene = conversions.scene(scenes[-1])
    assert (scenes[-1].resets, scenes[-1].task) == (1, task.to_json())
    np.testing.assert_allclose(scene.object_pose[:3], PUSH.start_object, atol=2e-3)
    np.testing.assert_allclose(scene.tip, PUSH.start_tip, atol=2e-3)
    refused = graph.call(SceneReset, "scene/reset", SceneReset.Request(task="{}", seed=1))
    assert not refused.success
    assert refused.message


@pytest.mark.parametrize(("uri", "words"), [("http://robot.example:11311", "this machine"), ("", "this machine")])
def test_a_master_elsewhere_is_refused(graph: Graph, uri: str, words: str) -> None:
    process = graph.start("emulator", master_uri=uri)
    assert process.wait(60.0) == 2
    assert words in graph.log("emulator")


def test_a_port_that_is_taken_is_told(graph: Graph) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = graph.start("emulator", master_uri=f"http://127.0.0.1:{port}")
        assert process.wait(60.0) == 1
    assert f"port {port}: Address already in use" in graph.log("emulator")
