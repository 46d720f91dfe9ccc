"""Tables of the catalogue. Every row has a name of its own (UUIDs, never positions); times are ns since the epoch, UTC.

Rows leave the catalogue as detached records: read their columns, `dataclasses.asdict` them, change them only through
`Catalog`. The schema itself is made by the migrations; a test holds both together.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

LabelKind = Literal["accepted", "success", "reward", "stage", "flag"]
LABEL_KINDS: tuple[str, ...] = get_args(LabelKind)
EpisodeStatus = Literal["complete", "recovered", "discarded", "missing"]
EPISODE_STATUSES: tuple[str, ...] = get_args(EpisodeStatus)
Mode = Literal["twin", "robot", "emulator"]
RunKind = Literal["expert", "meta", "adapt"]
RunState = Literal["running", "done", "failed", "stopped"]

NAME = String(200)
UUID = String(32)


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Root of all tables; plain values only, JSON for what is never searched."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this name
        dict[str, Any]: JSON,
        list[str]: JSON,
        int: BigInteger,
    }


class TaskRow(Base):
    """One task that something was recorded for."""

    __tablename__ = "task"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)  # Task.task_id
    family: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(16))
    json: Mapped[str] = mapped_column(Text)  # Task.to_json


class Plan(Base):
    """What is to be taught of a task family: `per_task` demonstrations of each of `tasks` tasks."""

    __tablename__ = "plan"

    family: Mapped[str] = mapped_column(String(64), primary_key=True)
    split: Mapped[str] = mapped_column(String(16), primary_key=True)
    seed: Mapped[int]
    tasks: Mapped[int]
    per_task: Mapped[int]
    author: Mapped[str] = mapped_column(NAME)
    created_ns: Mapped[int]


class Episode(Base):
    """One episode file."""

    __tablename__ = "episode"
    __table_args__ = (Index("episode_by_task", "family", "split", "task"), Index("episode_by_time", "started_ns"))

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    family: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(NAME, ForeignKey("task.id"))
    source: Mapped[str] = mapped_column(String(20))  # demo, policy, expert, intervention
    mode: Mapped[str] = mapped_column(String(20))  # twin, robot, emulator
    operator: Mapped[str] = mapped_column(NAME)
    checkpoint: Mapped[str] = mapped_column(NAME)
    rig: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[str] = mapped_column(String(64))
    revision: Mapped[str] = mapped_column(String(64))
    control_hz: Mapped[float]
    started_ns: Mapped[int]
    steps: Mapped[int]
    bytes: Mapped[int]
    path: Mapped[str] = mapped_column(Text)  # below the data directory
    sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")  # of a discarded one
    quality: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of the episode [s]."""
        return self.steps / self.control_hz


class Label(Base):
    """What somebody said of an episode or of a part of it. Rows are only ever added; a later one may supersede."""

    __tablename__ = "label"
    __table_args__ = (Index("label_by_episode", "episode", "kind"), Index("label_by_superseded", "supersedes"))

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    episode: Mapped[str] = mapped_column(UUID, ForeignKey("episode.id"))
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[float]  # accepted, success, flag: 0 or 1; reward, stage: a number
    text: Mapped[str] = mapped_column(Text)  # the name of a flag; else a remark
    author: Mapped[str] = mapped_column(NAME)
    created_ns: Mapped[int]
    step_from: Mapped[int | None] = mapped_column(default=None)  # None: the whole episode
    step_to: Mapped[int | None] = mapped_column(default=None)  # exclusive
    supersedes: Mapped[str | None] = mapped_column(UUID, default=None)


class Run(Base):
    """One training, adaptation or evaluation and the folder its curves lie in."""

    __tablename__ = "run"

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(NAME)
    path: Mapped[str] = mapped_column(Text)  # absolute
    config: Mapped[dict[str, Any]]
    seed: Mapped[int]
    revision: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    started_ns: Mapped[int]
    ended_ns: Mapped[int | None] = mapped_column(default=None)
    dataset: Mapped[str | None] = mapped_column(UUID, ForeignKey("dataset.id"), default=None)


class Checkpoint(Base):
    """One saved policy."""

    __tablename__ = "checkpoint"

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    run: Mapped[str | None] = mapped_column(UUID, ForeignKey("run.id"))
    parent: Mapped[str] = mapped_column(NAME)  # of an adapted one: name or path of what it was adapted from
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    created_ns: Mapped[int]


class AdaptationRun(Base):
    """One on-line adaptation of a checkpoint to a task."""

    __tablename__ = "adaptation_run"

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    checkpoint: Mapped[str] = mapped_column(Text)
    task: Mapped[str] = mapped_column(NAME)
    mode: Mapped[str] = mapped_column(String(20))
    settings: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))
    started_ns: Mapped[int]
    ended_ns: Mapped[int | None] = mapped_column(default=None)


class AdaptationStep(Base):
    """What an adaptation came to with its updates: what it saw, what it gained, what was decided."""

    __tablename__ = "adaptation_step"

    run: Mapped[str] = mapped_column(UUID, ForeignKey("adaptation_run.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # of updates made
    episodes: Mapped[list[str]]
    before: Mapped[dict[str, Any]]  # evaluation: success, mean_return, episodes
    after: Mapped[dict[str, Any]]
    verdict: Mapped[str] = mapped_column(String(16))  # none, accepted, rolled_back
    checkpoint: Mapped[str] = mapped_column(Text)  # in force in the end


class Dataset(Base):
    """A frozen choice of episodes that something was trained on."""

    __tablename__ = "dataset"

    id: Mapped[str] = mapped_column(UUID, primary_key=True)  # hash of the members: the same choice is the same data set
    query: Mapped[str] = mapped_column(Text)
    episodes: Mapped[list[str]]
    created_ns: Mapped[int]


class Event(Base):
    """Who did what, and how it ended: the audit log."""

    __tablename__ = "event"
    __table_args__ = (Index("event_by_time", "at_ns"),)

    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    at_ns: Mapped[int]
    who: Mapped[str] = mapped_column(NAME)
    role: Mapped[str] = mapped_column(String(20))
    what: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(200))


TABLES: dict[str, type[Base]] = {
    table.__tablename__: table
    for table in (
        TaskRow, Plan, Episode, Label, Dataset, Run, Checkpoint, AdaptationRun, AdaptationStep, Event,
    )
}  # fmt: skip
