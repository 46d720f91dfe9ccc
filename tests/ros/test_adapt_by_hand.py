"""The adapt node in front of an arm that the test plays: what a person at the table says lasts for one way home."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from gmps_msgs.action import Adapt
from gmps_msgs.msg import AdaptStatus, GuardStatus
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.activation import Activation
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action.client import ActionClient
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from gmps_robot import families
from tests.ros.conftest import Graph

START = families.family("push").start_tip


class Arm:
    """Says where it is, 20 times per second, and goes home when told to; notes what it is told."""

    def __init__(self, graph: Graph) -> None:
        self.homing, self.holder, self.at_start = False, "", False
        self.asked: list[str] = []
        node = graph.probe
        self._guard = node.create_publisher(GuardStatus, "arm/guard_status", qos.STATUS)
        self._poses = node.create_publisher(PoseStamped, "arm/ee_pose", qos.STATE)
        self._images = node.create_publisher(Image, "camera/image_raw", qos.CAMERA)
        for act in ("home", "hold"):
            node.create_service(Trigger, f"arm/{act}", lambda _, response, act=act: self._do(act, response))
        node.create_timer(0.05, self._publish)

    def _do(self, act: str, response: Trigger.Response) -> Trigger.Response:
        self.asked.append(act)
        self.homing, response.success = act == "home", True
        return response

    def _publish(self) -> None:
        stamp = time.time_ns()
        header = conversions.header(stamp)
        self._guard.publish(GuardStatus(header=header, state="ARMED", homing=self.homing, holder=self.holder))
        pose = PoseStamped(header=header)
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = START
        pose.pose.position.y += 0.0 if self.at_start else 0.2
        self._poses.publish(pose)
        self._images.publish(conversions.image_message(np.zeros((48, 64, 3), np.uint8), stamp))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, checkpoint: str) -> Iterator[Graph]:
    """An adapt node for a real arm and a marker; the arm is a test's own."""
    with Graph.opened(tmp_path_factory.mktemp("by_hand")) as opened:
        out = str(Path(opened.folder) / "runs")
        opened.start("adapt", checkpoint=checkpoint, out=out, evaluations=1, film=False, robot="sawyer")
        activation = Activation(opened.probe, "adapt")
        opened.until(lambda: activation.ready)
        activation.bring_up(lambda client, request: opened.result(client.call_async(request)))
        yield opened


@pytest.fixture(scope="module")
def arm(graph: Graph) -> Arm:
    return Arm(graph)


class Session:
    """A goal of the adapt node, and the person at the table."""

    def __init__(self, graph: Graph, arm: Arm) -> None:
        arm.at_start = arm.homing = False
        arm.asked.clear()
        self.graph, self.arm = graph, arm
        self._client = ActionClient(graph.probe, Adapt, "adapt")
        graph.until(self._client.server_is_ready)
        goal = Adapt.Goal(task="7", split="test", episodes=2, updates=1, reward="marker")
        self.handle = graph.result(self._client.send_goal_async(goal))
        self.ended = self.handle.get_result_async()
        self.status: list[AdaptStatus] = graph.listen(AdaptStatus, "adapt/status", qos.STATUS)
        self.until("awaiting_reset")

    def until(self, phase: str) -> None:
        self.graph.until(lambda: self.status and self.status[-1].phase == phase)

    def say(self, request: str) -> None:
        answer = self.graph.call(Trigger, f"adapt/{request}", Trigger.Request())
        assert answer.success, answer.message

    def send_home(self) -> None:
        """The person says that hands are clear."""
        self.say("reset_done")
        self.until("resetting")
        self.graph.until(lambda: self.arm.homing)

    def end(self) -> None:
        self.say("stop")
        assert self.graph.result(self.ended).status == GoalStatus.STATUS_ABORTED


def test_a_pause_holds_an_arm_on_its_way_home_and_the_person_must_confirm_again(graph: Graph, arm: Arm) -> None:
    session = Session(graph, arm)
    assert arm.asked == []
    session.send_home()
    session.say("pause")
    graph.until(lambda: not arm.homing)
    session.until("awaiting_reset")
    assert session.status[-1].paused
    session.say("resume")
    graph.until(lambda: not session.status[-1].paused)
    graph.spin(0.5)
    assert (arm.asked, session.status[-1].phase) == (["home", "hold"], "awaiting_reset")
    session.send_home()
    arm.homing, arm.at_start = False, True
    session.until("evaluating")
    session.end()


def test_an_operator_who_takes_the_arm_leaves_it_to_the_person_to_send_it_home_again(graph: Graph, arm: Arm) -> None:
    session = Session(graph, arm)
    session.send_home()
    arm.homing, arm.holder = False, "ada"
    session.until("awaiting_reset")
    assert "ada has taken the arm" in session.status[-1].message
    arm.holder = ""
    graph.spin(0.5)
    assert arm.asked == ["home"]
    session.end()


def test_a_session_that_ends_holds_the_arm_and_the_next_one_begins_with_a_word_of_its_own(
    graph: Graph, arm: Arm
) -> None:
    session = Session(graph, arm)
    session.send_home()
    session.end()
    graph.until(lambda: arm.asked == ["home", "hold"])
    following = Session(graph, arm)
    arm.at_start = True  # as if it had gone on
    graph.spin(0.5)
    assert (arm.asked, following.status[-1].phase) == ([], "awaiting_reset")
    following.end()


def test_a_node_that_is_deactivated_holds_the_arm(graph: Graph, arm: Arm) -> None:
    session = Session(graph, arm)
    session.send_home()
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert graph.call(ChangeState, "adapt/change_state", request).success
    graph.until(lambda: arm.asked == ["home", "hold"])
    assert graph.result(session.ended).status == GoalStatus.STATUS_ABORTED
