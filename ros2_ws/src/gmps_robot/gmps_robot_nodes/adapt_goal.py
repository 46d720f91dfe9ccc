"""From a goal of the action `adapt` to a running session, and from its end to the result."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from gmps_msgs.action import Adapt

from gmps_robot.control.session import AdaptationSession, SessionConfig
from gmps_robot.control.session_status import ENDED
from gmps_robot.errors import ConfigError, SessionError, TaskError, nearest
from gmps_robot.families.family import Family
from gmps_robot.policy import MetaPolicy
from gmps_robot.rig import RigCalibration
from gmps_robot.tasks import Task, split
from gmps_robot_nodes import session_status
from gmps_robot_nodes.adapt_report import SessionFolder, inner_loop
from gmps_robot_nodes.adapt_run import RIG_LAG, AdaptRun, RewardSource
from gmps_robot_nodes.adapt_topics import AdaptTopics
from gmps_robot_nodes.pairing import RIG_TOLERANCE_NS, Pairing, Part

TASKS_PER_SPLIT = 100  # `task` counts within the list of this many that `gmps evaluate` draws too


@dataclass(frozen=True)
class GoalOptions:
    """What holds for every goal of the node."""

    checkpoint: str
    out: Path
    evaluations: int
    film: bool
    robot: str  # twin | sawyer | emulator
    rig: RigCalibration


@dataclass(frozen=True)
class Started:
    """A session with what feeds it."""

    run: AdaptRun
    pairing: Pairing
    folder: SessionFolder

    def label(self, value: float, episode: int, author: str) -> None:
        """A person judges an episode; an empty `author` is nobody by name.

        Raises:
            SessionError: that episode is over, or not there yet.
        """
        self.run.session.label(value, episode, author=author)

    def accept(self) -> None:
        """A person keeps the adapted policy."""
        self.run.session.accept()

    def roll_back(self) -> None:
        """A person goes back."""
        self.run.session.roll_back()

    def pause(self) -> None:
        """Hold.

        Raises:
            SessionError: nothing is running.
        """
        self._need_running("pause")
        self.run.session.pause()

    def resume(self, fault: str) -> None:
        """Go on.

        Raises:
            SessionError: not paused, or the arm is stopped because of `fault`.
        """
        if not self.run.session.status.paused:
            raise SessionError("resume: the session is not paused")
        if fault:
            raise SessionError(f"resume: the arm is stopped ({fault}); release the stop first")
        self.run.session.resume()

    def stop(self) -> None:
        """End the session.

        Raises:
            SessionError: nothing is running.
        """
        self._need_running("stop")
        self.run.session.stop("stopped by a person")

    def result(self) -> Adapt.Result:
        """What the action's client gets."""
        status = self.run.session.status
        before, after = status.success_before, status.success_after
        return Adapt.Result(
            completed=status.phase in ("done", "rolled_back"),
            accepted=status.decision == "accepted",
            success_before=before,
            success_after=before if status.decision == "rolled_back" and math.isnan(after) else after,
            output=str(self.folder.path),
            message=status.message,
            status=session_status.message(status, time.time_ns(), self.run.task.context, self.run.reward),
        )

    def _need_running(self, request: str) -> None:
        phase = self.run.session.status.phase
        if phase in ENDED:
            raise SessionError(f"{request}: no session is running (it is {phase!r})")


def begin(
    goal: Adapt.Goal, policy: MetaPolicy, family: Family, options: GoalOptions, topics: AdaptTopics
) -> Started:
    """Start the session that `goal` asks for.

    Raises:
        GmpsError: the goal names no task, an impossible number, or a reward that is not there.
    """
    task = find_task(goal.task, goal.split, int(goal.seed), family)
    reward = reward_source(goal.reward, options.robot)
    settings = SessionConfig(
        int(goal.episodes), int(goal.updates), options.evaluations, seed=int(goal.seed),
        adapt=inner_loop(options.checkpoint),
    )  # fmt: skip
    folder = SessionFolder(options.out, task, options.checkpoint, settings, family)
    session = AdaptationSession(policy, family, settings, clock=time.monotonic, save=folder.save_phi)
    tolerance_ns, lag = (0, 0) if options.robot == "twin" else (RIG_TOLERANCE_NS, RIG_LAG)
    pairing = Pairing(needs(policy, reward), time.monotonic, tolerance_ns)
    run = AdaptRun(
        session, family, task, reward, int(goal.seed), pairing, topics, time.monotonic, film=options.film, lag=lag,
        by_hand=reward == "human" or options.robot == "sawyer",
    )
    topics.on_reset(run)
    return Started(run, pairing, folder)


def needs(policy: MetaPolicy, reward: RewardSource) -> frozenset[Part]:
    """What makes an observation complete: the scene only for a twin's reward, or a policy on full state.

    A marker's scene is looked at when the episode is judged: the policy need not wait for a tracker.
    """
    parts: set[Part] = {"arm"}
    if policy.spec.kind == "vision":
        parts.add("camera")
    if policy.spec.kind == "state" or reward == "twin":
        parts.add("scene")
    return frozenset(parts)


def find_task(name: str, split_name: str, seed: int, family: Family) -> Task:
    """Return task number `name` of the split, or the task that `name` holds as JSON.

    Raises:
        TaskError: no such task or split.
    """
    if name.lstrip().startswith("{"):
        return Task.from_json(name)
    tasks = family.sample(split(split_name or "test"), TASKS_PER_SPLIT, seed)
    if not name.isdecimal() or int(name) >= len(tasks):
        raise TaskError(f"task {name!r} of split {split_name!r}: expected a number from 0 to {len(tasks) - 1}, or JSON")
    return tasks[int(name)]


def reward_source(name: str, robot: str) -> RewardSource:
    """Return `name` as a source of rewards.

    Raises:
        ConfigError: unknown, not part of this version, or not to be had with `robot`.
    """
    known = get_args(RewardSource)
    if name not in known:
        raise ConfigError(f"unknown reward {name!r}{nearest(name, known)}")
    if name == "twin" and robot == "sawyer":
        raise ConfigError("reward 'twin': a real arm has no simulated scene that could judge; valid: human, marker")
    if name == "marker" and robot == "emulator":
        raise ConfigError("reward 'marker': the emulator's block carries no marker; valid: twin, human")
    return "human" if name == "human" else "marker" if name == "marker" else "twin"
