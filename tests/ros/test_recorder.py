"""The recorder among real nodes: a lesson is recorded and replayed, the recorder killed, a session recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmps_msgs.msg import AdaptStatus, ArmCommand, RecorderStatus, SceneState
from gmps_msgs.srv import ArmLease, RecorderDiscard, RecorderSave, RecorderStart, SceneReplay, SceneReset
from gmps_robot_nodes import conversions, qos
from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterType, ParameterValue
from rclpy.qos import qos_profile_parameter_events
from std_srvs.srv import Trigger

from gmps_robot.checkpoint_files import checkpoint_id
from gmps_robot.config import content_id
from gmps_robot.data import folder
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.recover import recover
from gmps_robot.families import family
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand as Request
from tests.ros.conftest import Graph

PUSH = family("push")
TASK = PUSH.sample("train", 3, 0)[2]
LOST = 0.5  # of an open episode, at most [s]


class Teacher:
    """A person at a panel, who holds the lease and steers: as the twin is in lock-step, once per control period."""

    def __init__(self, graph: Graph, data: Path) -> None:
        graph.environment["GMPS_DATA"] = str(data)
        graph.environment.pop("GMPS_DB_URL", None)
        self.graph, self.seq = graph, 0
        graph.start("twin", speed="max")
        graph.start("recorder", use_sim_time=True)
        self.status = graph.listen(RecorderStatus, "recorder/status", qos.STATUS)
        self.scenes = graph.listen(SceneState, "scene/state", qos.STATE)
        self.command = graph.probe.create_publisher(ArmCommand, "teleop/command", qos.COMMAND)
        graph.until(lambda: self.command.get_subscription_count() == 2)  # arm and recorder
        graph.until(lambda: self.status and not self.status[-1].awaits)
        self.lease = graph.call(ArmLease, "arm/lease", ArmLease.Request(action="acquire", holder="ada")).lease

    def start(self) -> str:
        request = RecorderStart.Request(task=TASK.to_json(), source="demo", operator_name="ada")
        answer = self.graph.call(RecorderStart, "recorder/start", request)
        assert answer.success, answer.message
        return str(answer.episode)

    def push(self, periods: int, x: float) -> None:
        """Ask for velocity `x` [m/s] forwards for so many control periods."""
        for _ in range(periods):
            self.seq += 1
            seen = len(self.scenes)
            asked = Request(time.time_ns(), self.seq, "teleop", np.array([x, 0.0, 0.0]), -0.5, lease=self.lease)
            self.command.publish(conversions.command_message(asked, 0))
            self.graph.until(lambda seen=seen: len(self.scenes) > seen)


@pytest.fixture
def teacher(graph: Graph, tmp_path: Path) -> Teacher:
    return Teacher(graph, tmp_path / "data")


def test_a_lesson_is_recorded_catalogued_replayed_and_survives_a_killed_recorder(teacher: Teacher) -> None:
    graph, data = teacher.graph, Path(teacher.graph.environment["GMPS_DATA"])
    reset = graph.call(SceneReset, "scene/reset", SceneReset.Request(task=TASK.to_json(), seed=0))
    graph.until(lambda: conversions.to_ns(teacher.scenes[-1].header.stamp) > conversions.to_ns(reset.stamp))
    episode = teacher.start()
    teacher.push(30, 0.15)
    teacher.push(4, 0.0)
    graph.until(lambda: teacher.status[-1].state == "recording" and teacher.status[-1].steps >= 30)
    answer = graph.call(RecorderSave, "recorder/save", RecorderSave.Request(episode=episode, accepted=True))
    assert (answer.success, answer.message) == (True, "")

    recorded = read_episode(folder.find(data, episode))
    assert 25 <= len(recorded) <= 45
    assert recorded.outcome is not None
    assert recorded.outcome.dropped == 0
    assert (recorded.info.operator, recorded.info.mode, recorded.info.source) == ("ada", "twin", "demo")
    assert recorded.info.envelope == content_id(PUSH.envelope)
    assert np.ptp(np.diff(recorded.stamps_ns)) < 1_000  # no gap
    assert recorded.commanded[:, 0].max() == pytest.approx(0.75, abs=1e-6)
    assert recorded.applied[0, 0] < 0.9 * recorded.commanded[0, 0]  # the guard lets it speed up within its limits
    assert recorded.applied[:, 0].max() == pytest.approx(0.75, abs=1e-3)
    assert len({len(jpeg) for jpeg in recorded.jpegs}) > 3  # pictures of motion
    assert len(recorded.jpegs) == len(recorded)
    assert recorded.after is not None
    block = recorded.after.object_pose[-1, :3]
    assert np.linalg.norm(block - recorded.after.object_pose[0, :3]) > 0.03  # it was pushed
    with Catalog(data) as catalog:
        row = catalog.episode(episode)
        assert (row.steps, row.status, row.operator) == (len(recorded), "complete", "ada")
        assert [(label.kind, label.value) for label in catalog.labels(episode)] == [("accepted", 1.0)]

    played_back(teacher, episode, recorded.after.object_pose[-1, :3])
    killed_while_recording(teacher, data)


def played_back(teacher: Teacher, episode: str, block: Any) -> None:
    graph = teacher.graph
    refused = graph.call(SceneReplay, "scene/replay", SceneReplay.Request(episode="0" * 32))
    assert not refused.success
    assert "no saved episode" in refused.message
    before = teacher.scenes[-1].resets
    answer = graph.call(SceneReplay, "scene/replay", SceneReplay.Request(episode=episode))
    assert answer.success, answer.message
    graph.until(lambda: teacher.scenes[-1].resets > before and teacher.scenes[-1].time > 2.5)
    pose = teacher.scenes[-1].object_pose.position
    assert np.linalg.norm(np.array([pose.x, pose.y, pose.z]) - block) < 0.005


def killed_while_recording(teacher: Teacher, data: Path) -> None:
    graph = teacher.graph
    lost = teacher.start()
    teacher.push(20, -0.1)
    graph.spin(2.0 * LOST)  # on a busy machine the last half second may be short
    graph.processes["recorder"].send_signal(signal.SIGKILL)
    graph.processes["recorder"].wait(5.0)
    assert [path.name for path in folder.saved(data)].count(f"{lost}.mcap") == 0
    (part,) = folder.parts(data)
    summary = recover(part).summary
    assert summary.info.episode == lost
    assert summary.messages["teleop/command"] == 20
    assert graph.call(Trigger, "arm/stop", Trigger.Request()).success  # the arm is as it was


def test_wrong_requests_are_answered_and_a_discarded_lesson_is_put_aside(teacher: Teacher) -> None:
    graph, data = teacher.graph, Path(teacher.graph.environment["GMPS_DATA"])
    none = graph.call(RecorderSave, "recorder/save", RecorderSave.Request(episode="x"))
    assert (none.success, none.message) == (False, "save: no episode is being recorded.")
    wrong = graph.call(RecorderStart, "recorder/start", RecorderStart.Request(task="push 7", source="demo"))
    assert not wrong.success
    assert "not a task" in wrong.message
    episode = teacher.start()
    again = graph.call(RecorderStart, "recorder/start", RecorderStart.Request(task=TASK.to_json(), source="demo"))
    assert not again.success
    assert episode in again.message
    teacher.push(5, 0.1)
    request = RecorderDiscard.Request(episode=episode, reason="the block fell")
    assert graph.call(RecorderDiscard, "recorder/discard", request).success
    assert not list(folder.saved(data))
    (aside,) = folder.discarded(data)
    assert check(aside).info.episode == episode
    with Catalog(data) as catalog:
        assert (catalog.episode(episode).status, catalog.episode(episode).reason) == ("discarded", "the block fell")
    graph.until(lambda: teacher.status[-1].state == "idle")


def test_a_session_is_recorded_under_the_checkpoint_that_the_adapt_node_was_told(graph: Graph, tmp_path: Path) -> None:
    graph.environment["GMPS_DATA"] = str(tmp_path / "data")
    graph.environment.pop("GMPS_DB_URL", None)
    graph.start("recorder", record=True)
    told = graph.probe.create_publisher(ParameterEvent, "/parameter_events", qos_profile_parameter_events)
    session = graph.probe.create_publisher(AdaptStatus, "adapt/status", qos.STATUS)
    status = graph.listen(RecorderStatus, "recorder/status", qos.STATUS)
    graph.until(lambda: status and session.get_subscription_count() > 0 and told.get_subscription_count() > 0)
    graph.until(lambda: "adapt/status" not in status[-1].awaits)
    assert {"arm/applied", "camera/image_raw/compressed", "policy/command"} <= set(status[-1].awaits)
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="push-vision-camera")
    told.publish(ParameterEvent(node="/adapt", changed_parameters=[Parameter(name="checkpoint", value=value)]))
    running = {"task_id": TASK.task_id, "context": list(TASK.context), "stage": "adapt", "episode": 1}
    heard = time.monotonic()
    graph.until(lambda: time.monotonic() > heard + 1.0)  # of another topic, nothing tells that it came
    session.publish(AdaptStatus(phase="collecting", update=2, **running))
    graph.until(lambda: status[-1].state == "recording")
    session.publish(AdaptStatus(phase="awaiting_label", update=2, step=50, **running))
    judged = {"returns": [0.5], "successes": [True], "judged_by": "ada"}
    session.publish(AdaptStatus(phase="adapting", update=2, **judged, **running))
    graph.until(lambda: status[-1].state == "idle")
    with Catalog(tmp_path / "data") as catalog:
        (row,) = graph.until(catalog.episodes)
        labels = [label for label in catalog.labels(row.id) if label.kind != "flag"]
        said = {label.kind: label.value for label in labels}
    assert row.checkpoint == f"{checkpoint_id('push-vision-camera')}/phi-2"
    assert (said["success"], said["reward"]) == (1.0, 0.5)
    assert {label.author for label in labels} == {"ada"}


def test_every_episode_of_a_session_is_recorded_with_its_judgement(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("ROS_DOMAIN_ID", "GMPS_DB_URL")}
    run = subprocess.run(
        [
            sys.executable, "-m", "gmps_robot_nodes.bringup", "panel:=false", "speed:=max", "record:=true",
            "checkpoint:=push-vision", "episodes:=4", "evaluations:=1", "film:=false", "task:=4", f"out:={tmp_path}",
        ],
        env={**environment, "GMPS_DATA": str(tmp_path / "data")}, cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]
    episodes = sorted((read_episode(p) for p in folder.saved(tmp_path / "data")), key=lambda e: e.info.started_ns)
    assert not list(folder.parts(tmp_path / "data"))
    (result,) = tmp_path.glob("*/result.json")
    told = json.loads(result.read_text())["episodes"]
    judged = [(e.outcome.reward, e.outcome.success) for e in episodes if e.outcome is not None]
    counted = [row for stage in ("before", "adapt", "after") for row in told[stage]]
    assert judged == [(pytest.approx(row["return"]), row["success"]) for row in counted]
    policy = checkpoint_id("push-vision")
    wanted = [policy] * (len(told["before"]) + len(told["adapt"])) + [f"{policy}/phi-1"] * len(told["after"])
    assert [e.info.checkpoint for e in episodes] == wanted
    for episode in episodes:
        assert Task.from_json(episode.info.task) == PUSH.sample("test", 100, 0)[4]
        assert episode.info.source == "policy"
        assert len(episode) >= PUSH.horizon - 1
        assert np.ptp(np.diff(episode.stamps_ns)) < 1_000  # no gap
        assert episode.scene is not None
        assert episode.scene.time[0] < 0.2  # from the start of the scene
    with Catalog(tmp_path / "data") as catalog:
        assert catalog.count() == len(counted) >= 5
