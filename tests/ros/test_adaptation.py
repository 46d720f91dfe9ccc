"""The twin and the adapt node as processes: from a goal to its result, and everything that can go wrong on the way."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from gmps_msgs.action import Adapt
from gmps_msgs.msg import AdaptStatus, AppliedCommand, GuardStatus
from gmps_msgs.srv import AdaptLabel
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.activation import Activation
from rclpy.action.client import ActionClient
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.models import AdaptationStep
from tests.ros.conftest import Graph


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory: pytest.TempPathFactory, checkpoint: str) -> Iterator[Graph]:
    """A twin at full speed and an adapt node, for one goal after the other."""
    with Graph.opened(tmp_path_factory.mktemp("lockstep")) as graph:
        graph.start("twin", speed="max")
        bring_up_adapt(graph, checkpoint, use_sim_time=True)
        yield graph


def start_in_real_time(graph: Graph, checkpoint: str, twin: bool = True) -> None:
    if twin:
        graph.start("twin", speed="realtime")
    bring_up_adapt(graph, checkpoint)


def bring_up_adapt(graph: Graph, checkpoint: str, **parameters: Any) -> None:
    graph.start(
        "adapt", checkpoint=checkpoint, out=str(graph.folder / "runs"), evaluations=1, film=False, **parameters
    )
    activation = Activation(graph.probe, "adapt")
    graph.until(lambda: activation.ready)
    activation.bring_up(lambda client, request: graph.result(client.call_async(request)))


def send(graph: Graph, **goal: Any) -> Any:
    """Send a goal and return its handle."""
    client = ActionClient(graph.probe, Adapt, "adapt")
    graph.until(client.server_is_ready)
    request = Adapt.Goal(**{"task": "7", "split": "test", "episodes": 2, "updates": 1, "reward": "twin", **goal})
    handle = graph.result(client.send_goal_async(request))
    assert handle.accepted
    handle.client = client  # it must live as long as the handle
    return handle


def follow(graph: Graph) -> list[AdaptStatus]:
    """What is said of the goal that was just sent; the last word about the goal before it is left out."""
    heard: list[AdaptStatus] = graph.listen(AdaptStatus, "adapt/status", qos.STATUS)
    graph.until(lambda: heard and not ended(heard))
    return heard


def test_an_adaptation_runs_from_goal_to_result(lockstep: Graph) -> None:
    answer = lockstep.result(send(lockstep, episodes=4).get_result_async())
    assert answer.status == GoalStatus.STATUS_SUCCEEDED, answer.result.message
    result, status = answer.result, answer.result.status
    assert result.completed
    assert status.task_id == "push-test-s0-7"
    assert len(status.returns) == 4
    assert len(status.before_returns) == 1
    stored = json.loads((Path(result.output) / "result.json").read_text())
    assert [row["success"] for row in stored["episodes"]["adapt"]] == list(status.successes)
    assert len(stored["episodes"]["adapt"][0]) == 3  # return, success and final distance
    assert (Path(result.output) / "summary.png").stat().st_size > 10_000


def test_a_cancelled_adaptation_leaves_the_arm_at_rest(lockstep: Graph) -> None:
    graph = lockstep
    guard = graph.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    handle = send(graph, episodes=20)
    waiting = handle.get_result_async()
    graph.until(lambda: any(speed_of(m) > 0.01 for m in applied))
    graph.result(handle.cancel_goal_async())
    answer = graph.result(waiting)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert not answer.result.completed
    assert "cancelled" in answer.result.message
    seen = len(applied)
    graph.until(lambda: len(applied) >= seen + 12)
    assert max(speed_of(m) for m in applied[seen + 6 :]) == 0.0
    assert guard[-1].state in ("ARMED", "HOLD")


@pytest.mark.realtime
def test_a_killed_adapt_node_leaves_the_arm_at_rest_within_300_ms(graph: Graph, checkpoint: str) -> None:
    start_in_real_time(graph, checkpoint)
    applied = graph.listen(AppliedCommand, "arm/applied", qos.STATE)
    send(graph)
    graph.until(lambda: sum(speed_of(m) > 0.01 for m in applied) > 5)
    graph.processes["adapt"].send_signal(signal.SIGKILL)
    killed = time.time_ns()
    graph.until(lambda: conversions.to_ns(applied[-1].header.stamp) > killed + 1_000_000_000)
    moving = [conversions.to_ns(m.header.stamp) for m in applied if speed_of(m) > 0.005]
    assert max(moving) - killed <= 300e6
    assert applied[-1].seq == 0 or speed_of(applied[-1]) == 0.0


def test_two_hands_on_the_command_topic_stop_the_arm(lockstep: Graph) -> None:
    from gmps_msgs.msg import ArmCommand

    graph = lockstep
    guard = graph.listen(GuardStatus, "arm/guard_status", qos.STATUS)
    handle = send(graph, episodes=20)
    status = follow(graph)
    graph.until(lambda: status[-1].step > 5)
    intruder = graph.probe.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
    graph.until(lambda: guard and guard[-1].state == "FAULT")
    assert re.search("policy/command: 2 publishers: (a new one, adapt|adapt, probe);", guard[-1].reason)
    graph.until(lambda: status[-1].paused)
    graph.probe.destroy_publisher(intruder)
    assert not graph.call(Trigger, "adapt/resume", Trigger.Request()).success  # a person must release the stop first
    assert graph.call(Trigger, "arm/reset_fault", Trigger.Request()).success
    graph.until(lambda: graph.call(Trigger, "adapt/resume", Trigger.Request()).success)
    graph.until(lambda: status[-1].step > 5 and not status[-1].paused)
    waiting = handle.get_result_async()
    graph.result(handle.cancel_goal_async())
    assert graph.result(waiting).status == GoalStatus.STATUS_CANCELED


def test_an_image_of_the_wrong_size_holds_the_arm_and_says_what_is_needed(graph: Graph, checkpoint: str) -> None:
    from geometry_msgs.msg import PoseStamped
    from gmps_msgs.msg import ArmCommand
    from gmps_msgs.msg import SceneState as SceneStateMsg
    from gmps_msgs.srv import SceneReset

    commands = graph.listen(ArmCommand, "policy/command", qos.COMMAND)
    status = graph.listen(AdaptStatus, "adapt/status", qos.STATUS)
    images = graph.probe.create_publisher(Image, "camera/image_raw", qos.CAMERA)
    poses = graph.probe.create_publisher(PoseStamped, "arm/ee_pose", qos.STATE)
    scenes = graph.probe.create_publisher(SceneStateMsg, "scene/state", qos.STATE)

    def publish() -> None:
        stamp = time.time_ns()
        poses.publish(PoseStamped(header=conversions.header(stamp)))
        scenes.publish(SceneStateMsg(header=conversions.header(stamp)))
        images.publish(conversions.image_message(np.zeros((100, 128, 3), np.uint8), stamp))

    def reset(_request: SceneReset.Request, response: SceneReset.Response) -> SceneReset.Response:
        response.success = True
        return response

    graph.probe.create_service(SceneReset, "scene/reset", reset)
    graph.probe.create_timer(0.05, publish)
    start_in_real_time(graph, checkpoint, twin=False)
    send(graph)
    graph.until(lambda: status and "(100, 128, 3)" in status[-1].message)
    assert "(48, 64, 3)" in status[-1].message
    assert status[-1].phase == "evaluating"
    seen = len(commands)
    graph.until(lambda: len(commands) > seen + 5)
    assert all(command.hold for command in commands[seen:])


def test_a_person_judges_and_a_late_label_is_refused(lockstep: Graph) -> None:
    graph = lockstep
    waiting = send(graph, reward="human").get_result_async()
    status = follow(graph)
    judge(graph, status, {"before": (0.0,), "adapt": (0.0, 1.0), "after": (1.0,)})
    answer = graph.result(waiting)
    assert (answer.result.success_before, answer.result.success_after) == (0.0, 1.0)
    assert answer.result.accepted
    assert verdict(answer.result.output) == "accepted"
    assert graph.call(Trigger, "adapt/roll_back", Trigger.Request()).success
    graph.until(lambda: status[-1].decision == "rolled_back")
    graph.until(lambda: verdict(answer.result.output) == "rolled_back")


def test_equal_labels_of_a_person_change_nothing_and_that_is_said(lockstep: Graph) -> None:
    graph = lockstep
    waiting = send(graph, reward="human").get_result_async()
    status = follow(graph)
    judge(graph, status, {"before": (0.0,), "adapt": (0.0, 0.0), "after": (0.0,)}, refuse=False)
    result = graph.result(waiting).result
    assert not result.accepted
    assert any("nothing to learn from" in message.message for message in status)
    assert not list(Path(result.output).glob("phi-*"))
    assert verdict(result.output) == "rolled_back"


def judge(
    graph: Graph, status: list[AdaptStatus], labels: dict[str, tuple[float, ...]], refuse: bool = True
) -> None:
    """What a person at the panel does in each episode: puts the block back, and says how it went."""
    for stage, values in labels.items():
        for episode, value in enumerate(values, 1):
            graph.until(lambda s=stage, e=episode: ended(status) or (status and (
                (status[-1].phase, status[-1].stage, status[-1].episode) == ("awaiting_reset", s, e))))  # fmt: skip
            if ended(status):
                return
            assert graph.call(Trigger, "adapt/reset_done", Trigger.Request()).success
            graph.until(lambda: status[-1].phase == "awaiting_label")
            if refuse:
                refused = graph.call(AdaptLabel, "adapt/label", AdaptLabel.Request(episode=episode + 1, value=1.0))
                assert not refused.success
                assert f"label for episode {episode + 1}" in refused.message
            request = AdaptLabel.Request(episode=episode, value=value, author=f"judge of {stage} {episode}")
            assert graph.call(AdaptLabel, "adapt/label", request).success
            graph.until(lambda told=request.author: status[-1].judged_by == told)


def ended(status: list[AdaptStatus]) -> bool:
    return bool(status) and status[-1].phase in ("done", "rolled_back", "stopped")


def verdict(output: str) -> str:
    """What the catalogue says of the session in `output`."""
    with Catalog() as catalog:
        (run,) = [row for row in catalog.runs("adapt") if row.path == str(Path(output).resolve())]
        return next(step.verdict for step in catalog.rows(AdaptationStep) if step.run == run.id)


@pytest.mark.realtime
def test_a_silent_camera_ends_the_episode_and_it_is_run_again(graph: Graph, checkpoint: str) -> None:
    start_in_real_time(graph, checkpoint)
    status = graph.listen(AdaptStatus, "adapt/status", qos.STATUS)
    waiting = send(graph).get_result_async()
    graph.until(lambda: status and status[-1].step > 5)
    graph.processes["twin"].send_signal(signal.SIGSTOP)
    graph.until(lambda: "silent" in status[-1].message)
    assert status[-1].phase == "resetting"
    graph.processes["twin"].send_signal(signal.SIGCONT)
    answer = graph.result(waiting)
    assert answer.result.completed, answer.result.message


def test_a_goal_that_makes_no_sense_is_answered_with_the_reason(lockstep: Graph) -> None:
    graph = lockstep
    for goal, told in (
        ({"task": "1000"}, "expected a number from 0 to 99"),
        ({"split": "tset"}, "did you mean 'test'?"),
        ({"reward": "jury"}, "unknown reward 'jury'"),
        ({"episodes": 1}, "must be at least 2"),
    ):
        answer = graph.result(send(graph, **goal).get_result_async())
        assert answer.status == GoalStatus.STATUS_ABORTED
        assert told in answer.result.message


def test_a_checkpoint_that_is_not_there_keeps_the_node_unconfigured(graph: Graph) -> None:
    from lifecycle_msgs.msg import State, Transition
    from lifecycle_msgs.srv import ChangeState, GetState

    graph.start("adapt", checkpoint="push-visoin")
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not graph.call(ChangeState, "adapt/change_state", request).success
    state = graph.call(GetState, "adapt/get_state", GetState.Request()).current_state
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert "no checkpoint at 'push-visoin'" in graph.log("adapt")


def speed_of(message: AppliedCommand) -> float:
    return float(np.linalg.norm(conversions.vector(message.velocity)))
