"""The twin behind ROS is the twin of the simulator: same images, same block path, and a pace that never hangs."""

from __future__ import annotations

import numpy as np
from gmps_msgs.msg import AppliedCommand, ArmCommand, SceneState
from gmps_msgs.srv import SceneReset
from gmps_robot_nodes import conversions, qos
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from gmps_robot.families import family
from gmps_robot.types import ArmCommand as Request
from sim.render.camera import POLICY_CAMERA
from sim.vector import VecSim
from tests.ros.conftest import Graph

STEPS = 50


def test_one_action_sequence_moves_the_block_alike_in_the_simulator_and_behind_ros(
    graph: Graph, rng: np.random.Generator
) -> None:
    push = family("push")
    task = push.sample("test", 8, 0)[7]
    actions = np.clip(rng.normal([0.7, 0.0, 0.0], 0.25, (STEPS, 3)), -1.0, 1.0)
    simulator = VecSim(push, 1, camera=POLICY_CAMERA)
    simulator.reset([3])
    wanted = {"block": [], "image": [simulator.images()[0]]}
    for action in actions:
        wanted["block"].append(simulator.step(push.arm_action(action)[None]).object_pose[0, :3])
        wanted["image"].append(simulator.images()[0])

    graph.start("twin", speed="max", patience=30.0)
    command = graph.probe.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
    scenes = graph.listen(SceneState, "scene/state", qos.STATE)
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    request = SceneReset.Request(task=task.to_json(), seed=3)
    stamp = conversions.to_ns(graph.call(SceneReset, "scene/reset", request).stamp)
    graph.until(lambda: command.get_subscription_count() == 1)
    blocks, pixels = [], []
    for k in range(STEPS + 1):
        image, scene = graph.until(lambda s=stamp: pair(images, scenes, s))
        stamp = conversions.to_ns(image.header.stamp) + 1
        pixels.append(conversions.image_pixels(image))
        blocks.append(conversions.scene(scene).object_pose[:3])
        if k < STEPS:
            arm = push.arm_action(actions[k])
            asked = Request(stamp, k + 1, "policy", arm[:3] * push.envelope.policy.speed, float(arm[3]))
            command.publish(conversions.command_message(asked, stamp - 1))
    assert np.linalg.norm(np.array(wanted["block"])[-1] - blocks[0]) > 0.05  # the block really was pushed
    np.testing.assert_allclose(blocks[1:], wanted["block"], atol=0.005)
    for seen, drawn in zip(pixels, wanted["image"], strict=True):
        np.testing.assert_array_equal(seen, drawn)


def test_a_twin_in_lock_step_without_anybody_to_answer_goes_on_and_shows_its_picture(graph: Graph) -> None:
    graph.start("twin", speed="max")
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    pictures = graph.listen(CompressedImage, "camera/view/compressed", qos.CAMERA)
    graph.until(lambda: len(applied) > 20 and pictures)
    assert {m.seq for m in applied} == {0}
    assert bytes(pictures[0].data[:2]) == b"\xff\xd8"


def test_an_answer_that_fails_to_come_is_waited_out(graph: Graph) -> None:
    graph.start("twin", speed="max", patience=0.5)
    command = graph.probe.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
    images = graph.listen(Image, "camera/image_raw", qos.CAMERA)
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    graph.until(lambda: images and command.get_subscription_count() == 1)
    stamp = conversions.to_ns(images[-1].header.stamp)
    command.publish(conversions.command_message(Request(stamp, 1, "policy", np.array([0.1, 0, 0]), -0.5), stamp))
    graph.until(lambda: any(m.seq == 1 for m in applied))
    seen = len(applied)
    graph.until(lambda: len(applied) > seen + 10)
    assert conversions.vector(applied[-1].velocity).tolist() == [0.0, 0.0, 0.0]


def test_a_stopped_arm_stays_stopped_until_a_person_releases_it(graph: Graph) -> None:
    graph.start("twin", speed="realtime")
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    assert graph.call(Trigger, "arm/stop", Trigger.Request()).success
    graph.until(lambda: applied and any("stopped by a person" in r for r in applied[-1].reasons))
    assert not graph.call(Trigger, "arm/home", Trigger.Request()).success
    assert graph.call(Trigger, "arm/reset_fault", Trigger.Request()).success
    assert graph.call(Trigger, "arm/home", Trigger.Request()).success
    assert graph.call(Trigger, "arm/hold", Trigger.Request()).success
    assert not graph.call(Trigger, "arm/reset_fault", Trigger.Request()).success  # there is none any more


def test_a_task_of_another_family_is_refused_with_the_reason(graph: Graph) -> None:
    graph.start("twin", speed="max")
    task = '{"family": "door", "split": "test", "index": 0, "context": [0.5], "seed": 0}'
    answer = graph.call(SceneReset, "scene/reset", SceneReset.Request(task=task))
    assert not answer.success
    assert "'door'" in answer.message
    answer = graph.call(SceneReset, "scene/reset", SceneReset.Request(task="push 7"))
    assert "not a task" in answer.message


def pair(images: list[Image], scenes: list[SceneState], after_ns: int) -> tuple[Image, SceneState] | None:
    """The newest image not before `after_ns`, with the scene of its stamp."""
    for image in reversed(images):
        stamp = conversions.to_ns(image.header.stamp)
        if stamp >= after_ns:
            same = [s for s in scenes if conversions.to_ns(s.header.stamp) == stamp]
            return (image, same[0]) if same else None
    return None
