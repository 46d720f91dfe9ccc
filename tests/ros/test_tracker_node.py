"""reward:=marker on the twin, as processes: a tracker judges from pictures, and its verdicts are those of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from gmps_msgs.msg import MarkerPose, SceneState
from gmps_robot_nodes import conversions, qos

from gmps_robot import families
from gmps_robot.tasks import Task
from tests.ros.conftest import Graph
from tests.ros.test_adaptation import bring_up_adapt, send

PUSH = families.family("push")


@pytest.mark.realtime
def test_an_adaptation_judged_by_a_marker_comes_out_as_the_truth_would(graph: Graph) -> None:
    graph.start("twin", speed="max", reward="marker")
    graph.start("tracker", robot="twin", use_sim_time=True)
    told = graph.listen(SceneState, "scene/state", qos.RECORDED)
    truth = graph.listen(SceneState, "scene/truth", qos.RECORDED)
    seen = graph.listen(MarkerPose, "scene/marker", qos.RECORDED)
    bring_up_adapt(graph, "push-vision", use_sim_time=True)
    answer = graph.result(send(graph, reward="marker", episodes=4).get_result_async(), 120.0)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED, answer.result.message
    status = answer.result.status
    assert len(status.returns) == 4

    by_stamp = {conversions.to_ns(m.header.stamp): m for m in truth}
    pairs = [(m, by_stamp[stamp]) for m in told if (stamp := conversions.to_ns(m.header.stamp)) in by_stamp]
    errors = np.array([np.linalg.norm(place(a)[:2] - place(b)[:2]) for a, b in pairs])
    assert len(pairs) > 50
    assert np.median(errors) <= 0.002
    assert np.percentile(errors, 99) <= 0.005
    tips = [np.linalg.norm(conversions.vector(a.tip) - conversions.vector(b.tip)) for a, b in pairs]
    assert max(tips) < 0.001  # of the same instant
    assert {bool(m.reason) for m in seen if not m.seen} <= {True}
    assert all(np.diag(np.reshape(m.pose.covariance, (6, 6)))[[0, 1, 5]].min() > 0 for m in seen if m.seen)
    # What was judged is what the truth gives, by the same function: the last scene of each episode decides.
    verdicts = [*status.before_successes, *status.successes, *status.after_successes]
    ends = [episode[-1] for episode in episodes(truth)][: len(verdicts)]
    task = Task.from_json(ends[0].task)
    true = [bool(PUSH.success(conversions.scene(m), np.array(task.context))) for m in ends]
    sure = [abs(float(PUSH.distance(conversions.scene(m), np.array(task.context))) - 0.05) > 0.005 for m in ends]
    assert [v for v, s in zip(verdicts, sure, strict=True) if s] == [v for v, s in zip(true, sure, strict=True) if s]
    assert sum(sure) >= 4


def place(message: SceneState) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The object (3,) [m]."""
    return conversions.vector(message.object_pose.position)


def episodes(truth: list[SceneState]) -> list[list[SceneState]]:
    """The scenes between resets, of those in which something was done for as long as an episode lasts."""
    runs: dict[int, list[SceneState]] = {}
    for message in truth:
        if message.task and message.time <= PUSH.horizon / PUSH.control_hz + 1e-6:
            runs.setdefault(message.resets, []).append(message)
    return [run for _, run in sorted(runs.items()) if run[-1].time > 2.4]
