"""The driver's node on an emulated arm: from a goal to a result over the arm's own wire, and what goes wrong there."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from gmps_msgs.msg import AppliedCommand, ArmCommand, GuardStatus, SceneState
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.activation import Activation
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from std_srvs.srv import SetBool, Trigger

from gmps_robot.sawyer.master import Master, ask
from gmps_robot.sawyer.names import split_uri
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.types import ArmCommand as Request
from tests.ros.conftest import Graph
from tests.ros.test_adaptation import bring_up_adapt, send
from tests.ros1.ros1_world import ROSPY, free_port

pytestmark = pytest.mark.skipif(not ROSPY, reason="not available: no rospy on this system")
SIDEWAYS = np.array([0.0, 0.1, 0.0])


@pytest.fixture
def rig(graph: Graph) -> Graph:
    """An emulated arm and its driver, motors on."""
    uri = f"http://127.0.0.1:{free_port()}"
    graph.start("emulator", master_uri=uri)
    graph.start("sawyer_driver", master_uri=uri)
    driver = Activation(graph.probe, "sawyer_driver")
    graph.until(lambda: driver.ready)
    driver.bring_up(lambda client, request: graph.result(client.call_async(request)))
    answer = graph.call(SetBool, "arm/enable", SetBool.Request(data=True))
    assert answer.success, answer.message
    return graph


def master_uri(rig: Graph) -> str:
    """Of the robot."""
    words = rig.processes["sawyer_driver"].args
    return next(str(word).split(":=")[1].strip('"') for word in words if str(word).startswith("master_uri"))


class Operator:
    """Commands the arm by hand, 20 times per second while asked to."""

    def __init__(self, graph: Graph) -> None:
        self.velocity: np.ndarray | None = None
        self._graph, self._seq = graph, 0
        self._publisher = graph.probe.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
        graph.probe.create_timer(0.05, self._send)
        graph.until(lambda: self._publisher.get_subscription_count() == 1)

    def _send(self) -> None:
        if self.velocity is not None:
            self._seq += 1
            now = time.time_ns()
            request = Request(now, self._seq, "policy", self.velocity, -0.5)
            self._publisher.publish(conversions.command_message(request, now))


@pytest.mark.realtime
def test_an_adaptation_runs_over_the_arms_own_wire(rig: Graph, checkpoint: str) -> None:
    scenes = rig.listen(SceneState, "scene/state", qos.STATE)
    applied = rig.listen(AppliedCommand, "arm/applied", qos.STATE)
    bring_up_adapt(rig, checkpoint, robot="emulator")
    answer = rig.result(send(rig, episodes=2).get_result_async(), 120.0)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED, answer.result.message
    assert len(answer.result.status.returns) == 2
    assert max(scene.resets for scene in scenes) >= 3  # before, two to learn from; after, unless rolled back
    answered = [message for message in applied if conversions.to_ns(message.answers)]
    assert len(answered) > 150
    assert max(speed_of(message) for message in answered) > 0.03
    assert [m.seq for m in answered] == sorted(m.seq for m in answered)


@pytest.mark.realtime
def test_a_killed_driver_leaves_the_arm_held_by_the_robot(rig: Graph) -> None:
    operator, scenes = Operator(rig), rig.listen(SceneState, "scene/state", qos.STATE)
    rig.until(lambda: scenes)
    operator.velocity = SIDEWAYS
    rig.until(lambda: scenes[-1].tip.y > 0.05)
    rig.processes["sawyer_driver"].send_signal(signal.SIGKILL)
    killed = time.time_ns()
    rig.until(lambda: conversions.to_ns(scenes[-1].header.stamp) > killed + 1_200_000_000)
    there = [s.tip.y for s in scenes if conversions.to_ns(s.header.stamp) < killed]
    later = [s.tip.y for s in scenes if conversions.to_ns(s.header.stamp) > killed + 700_000_000]
    assert max(later) - min(later) < 0.002
    assert 0.0 < later[0] - there[-1] < 0.1 * (0.1 + 0.35)  # time-out, then what the robot needs to stop


@pytest.mark.realtime
def test_two_publishers_are_a_fault_and_the_health_says_so(rig: Graph) -> None:
    guard = rig.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    health = rig.listen(DiagnosticArray, "/diagnostics", qos.STATE)
    operator = Operator(rig)
    operator.velocity = SIDEWAYS
    rig.until(lambda: guard and guard[-1].state == "MOVING")
    intruder = rig.probe.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
    rig.until(lambda: guard[-1].state == "FAULT")
    assert "policy/command: 2 publishers: " in guard[-1].reason
    operator.velocity = None
    rig.until(lambda: health and health[-1].status[0].level == b"\2")
    figures = {value.key: value.value for value in health[-1].status[0].values}
    assert float(figures["rate of /robot/joint_states"]) > 50.0
    assert int(figures["control periods"]) > 50
    assert figures["joint torques"] == "watched"
    rig.probe.destroy_publisher(intruder)
    rig.until(lambda: rig.call(Trigger, "arm/reset_fault", Trigger.Request()).success)
    rig.until(lambda: guard[-1].state in ("HOLD", "ARMED"))


@pytest.mark.realtime
def test_somebody_who_commands_the_robot_past_the_driver_is_a_fault(rig: Graph) -> None:
    guard = rig.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    with RosNode("script", master_uri(rig)) as script:
        script.advertise("/robot/limb/right/joint_command", "intera_core_msgs/JointCommand")
        rig.until(lambda: guard and guard[-1].state == "FAULT")
        assert "/script commands the arm too" in guard[-1].reason


@pytest.mark.realtime
def test_a_driver_whose_link_was_ended_says_so_and_ends(rig: Graph) -> None:
    operator, driver = Operator(rig), rig.processes["sawyer_driver"]
    guard = rig.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    operator.velocity = SIDEWAYS
    rig.until(lambda: guard and guard[-1].state == "MOVING")
    host, port = split_uri(Master(master_uri(rig), "/somebody").node_uri("/gmps_sawyer_driver") or "")
    ask(host, port, "shutdown", "/somebody", "another driver")
    assert driver.wait(10.0) == 1
    assert "is closed" in rig.log("sawyer_driver")
    assert "the robot holds by its own time-out" in rig.log("sawyer_driver")


def on_its_way_home(rig: Graph, away: float) -> tuple[list[GuardStatus], list[SceneState]]:
    """Move the tip `away` [m] to the side and send it home; what is heard of guard and scene."""
    guard = rig.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    operator, scenes = Operator(rig), rig.listen(SceneState, "scene/state", qos.STATE)
    operator.velocity = SIDEWAYS
    rig.until(lambda: scenes and scenes[-1].tip.y > away)
    operator.velocity = None
    assert rig.call(Trigger, "arm/home", Trigger.Request()).success
    rig.until(lambda: guard and guard[-1].homing)
    return guard, scenes


@pytest.mark.realtime
def test_home_kill_and_the_way_back(rig: Graph) -> None:
    guard, scenes = on_its_way_home(rig, 0.05)
    rig.until(lambda: not guard[-1].homing)
    rig.until(lambda: abs(scenes[-1].tip.y) < 0.01)
    assert rig.call(Trigger, "arm/kill", Trigger.Request()).success
    rig.until(lambda: guard[-1].state == "ESTOP")
    refused = rig.call(SetBool, "arm/enable", SetBool.Request(data=True))
    assert not refused.success
    assert "reset it" in refused.message
    assert not rig.call(Trigger, "arm/home", Trigger.Request()).success
    assert rig.call(Trigger, "arm/reset_fault", Trigger.Request()).success
    rig.until(lambda: guard[-1].state == "DISABLED")
    assert rig.call(SetBool, "arm/enable", SetBool.Request(data=True)).success
    rig.until(lambda: guard[-1].state == "ARMED")


@pytest.mark.realtime
def test_a_way_home_that_is_held_leaves_the_arm_where_it_is_and_armed(rig: Graph) -> None:
    guard, scenes = on_its_way_home(rig, 0.1)
    assert rig.call(Trigger, "arm/hold", Trigger.Request()).success
    rig.until(lambda: not guard[-1].homing)
    held = scenes[-1].tip
    rig.spin(2.0)  # in which the way home leads up and over
    rest = scenes[-1].tip
    assert np.linalg.norm([rest.x - held.x, rest.y - held.y, rest.z - held.z]) < 0.02  # what braking takes
    assert guard[-1].state in ("ARMED", "HOLD")


@pytest.mark.parametrize(
    ("uri", "told"),
    [("http://127.0.0.1:9", "does not answer"), ("http://no-such-arm.invalid:11311", "no-such-arm.invalid")],
)
def test_a_robot_that_is_not_there_keeps_the_driver_unconfigured(graph: Graph, uri: str, told: str) -> None:
    graph.start("sawyer_driver", master_uri=uri, connect_timeout=0.5)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not graph.call(ChangeState, "sawyer_driver/change_state", request).success
    state = graph.call(GetState, "sawyer_driver/get_state", GetState.Request()).current_state
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert told in graph.log("sawyer_driver")


def speed_of(message: AppliedCommand) -> float:
    return float(np.linalg.norm(conversions.vector(message.velocity)))
