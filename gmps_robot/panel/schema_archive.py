"""Bodies and answers of the API that speak of what was recorded and trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gmps_robot.panel.schema import Answer, Body, EpisodeId

Step = Annotated[int, Field(ge=0, le=10_000_000)]
LabelKind = Literal["accepted", "success", "reward", "stage", "flag"]


class EpisodeRow(Answer):
    """One line of the table of episodes."""

    episode: str
    task_id: str
    family: str
    split: str
    source: str
    mode: str
    operator: str
    checkpoint: str
    started: str
    seconds: float
    steps: int
    bytes: int
    status: str
    flags: list[str]
    accepted: bool | None
    success: int | None
    reward: float | None


class EpisodesAnswer(Answer):
    """One page of episodes, newest first."""

    total: int
    episodes: list[EpisodeRow]


class EpisodeAnswer(EpisodeRow):
    """Everything the catalogue knows of one episode."""

    task: dict[str, Any]
    rig: str
    envelope: str
    revision: str
    sha256: str
    reason: str
    quality: dict[str, Any]


class SignalsAnswer(Answer):
    """One value per step; times since the start [s], positions [m], actions in action units."""

    t: list[float]
    tip: list[list[float]]
    commanded: list[list[float]]
    applied: list[list[float]]
    reward: list[float | None]
    object: list[list[float]] | None
    guard: list[str]


class GhostAnswer(Answer):
    """The arm over the picture of one step: outlines, [[x, y], ...] in pixels of a picture of this size."""

    width: int
    height: int
    arm: list[list[list[float]]]  # by the measured joints, the base's first
    asked: list[list[list[float]]]  # hand and pads where the command leads them
    why: str  # there is none; empty where there is one


class GroupRow(Answer):
    """Episodes with one thing in common; `low` and `high` are the 95 % interval of the share of successes."""

    name: str
    episodes: int
    minutes: float
    successes: int
    judged: int
    low: float
    high: float


class HistogramRow(Answer):
    """How many episodes lie in [start + k width, start + (k + 1) width), and the mean of all; SI units."""

    start: float
    width: float
    counts: list[int]
    mean: float | None


class StatisticsAnswer(Answer):
    """Figures over the episodes that a filter lets through."""

    all: GroupRow
    groups: dict[str, list[GroupRow]]  # by source, task, operator, split and status
    measures: dict[str, HistogramRow]  # seconds, speed [m/s], jerk [m/s^3]
    flags: dict[str, int]
    judged: dict[str, int]  # labels of people by how long after the end they were given
    moments: list[int]  # labels of steps by the tenth of the episode that they speak of


class LabelBody(Body):
    """POST /api/episodes/{episode}/labels. The same `key` twice is one label: a request may be sent again.

    `now`: of the step that is being recorded when it arrives, which a page cannot know as exactly.
    """

    kind: LabelKind
    value: Annotated[float, Field(ge=-1e6, le=1e6)]
    text: Annotated[str, Field(max_length=200)] = ""
    step_from: Step | None = None
    step_to: Step | None = None
    now: bool = False
    supersedes: EpisodeId | None = None
    key: Annotated[str, Field(max_length=64)] = ""


class LabelRow(Answer):
    """One label; steps from `step_from` to before `step_to`, or the whole episode."""

    id: str
    kind: str
    value: float
    text: str
    author: str
    created_at: str
    step_from: int | None
    step_to: int | None
    supersedes: str | None


class LabelsAnswer(Answer):
    """Every label an episode ever got, oldest first."""

    labels: list[LabelRow]


class CheckpointRow(Answer):
    """One policy that a session can begin from."""

    name: str
    kind: str
    family: str
    shipped: bool


class CheckpointsAnswer(Answer):
    """What there is, and what the next session begins from."""

    checkpoints: list[CheckpointRow]
    current: str


class CheckpointBody(Body):
    """POST /api/checkpoint."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


class RunRow(Answer):
    """One training, adaptation or evaluation."""

    run: str
    kind: str
    name: str
    state: str
    started: str


class RunsAnswer(Answer):
    """Newest first."""

    runs: list[RunRow]


class RunAnswer(RunRow):
    """One run with its learning curves: name -> [[x, y], ...]."""

    curves: dict[str, list[list[float]]]
