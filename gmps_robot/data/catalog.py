"""The catalogue: what was recorded, what people said of it, what was trained on it, who did what.

Files are the truth: episodes in their MCAP files, everything else in the journal, which is on disk before the database
is asked. The database is the index of both (`reindex`). Nothing is ever deleted; a later label supersedes an earlier.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from gmps_robot.data import labels, plans
from gmps_robot.data.models import (
    EPISODE_STATUSES,
    Episode,
    EpisodeStatus,
    Event,
    Label,
    Plan,
    Run,
    TaskRow,
)
from gmps_robot.data.selection import EpisodeFilter, passing
from gmps_robot.data.store import Store
from gmps_robot.errors import CatalogError, nearest
from gmps_robot.families import family as family_by_name
from gmps_robot.tasks import Task
from gmps_robot.tasks import split as task_split

__all__ = ["Catalog", "EpisodeFilter"]

if TYPE_CHECKING:
    from gmps_robot.data.info import EpisodeInfo

KEPT = ("complete", "recovered")


class Catalog(Store):
    """One open catalogue. Safe to use from several threads and processes."""

    # Episodes

    def add(
        self,
        info: EpisodeInfo,
        path: Path,
        sha256: str,
        steps: int,
        status: EpisodeStatus = "complete",
        quality: Mapping[str, Any] | None = None,
    ) -> Episode:
        """Add the episode file `path`, or renew its row; each of `quality["flags"]` becomes a label once.

        Raises:
            CatalogError: an unknown status, or `path` is not below the data directory.
            TaskError: `info.task` is not a task.
        """
        if status not in EPISODE_STATUSES:
            raise CatalogError(f"unknown episode status {status!r}{nearest(status, EPISODE_STATUSES)}")
        try:
            place = str(path.resolve().relative_to(self.data.resolve()))
        except ValueError as error:
            raise CatalogError(f"{path} is not below the data directory {self.data}") from error
        task = Task.from_json(info.task)
        named = self._named(task)
        row = Episode(
            id=info.episode, family=info.family, split=task.split, task=named.id, source=info.source,
            mode=info.mode, operator=info.operator, checkpoint=info.checkpoint, rig=info.rig, envelope=info.envelope,
            revision=info.revision, control_hz=info.control_hz, started_ns=info.started_ns, steps=steps,
            bytes=path.stat().st_size, path=place, sha256=sha256, status=status, quality=dict(quality or {}),
        )  # fmt: skip
        self.put(named, row)
        for flag in row.quality.get("flags", ()):
            self.label(info.episode, "flag", 1.0, "recorder", text=str(flag), key=f"recorder:{flag}")
        return row

    def discard(self, episode: str, reason: str, author: str, path: Path | None = None) -> Episode:
        """Mark an episode as discarded, by whom goes into the audit log; `path` is where its file lies now.

        Raises:
            CatalogError: there is no such episode.
        """
        row = self.episode(episode)
        row.status, row.reason = "discarded", reason
        if path is not None:
            row.path = str(path.resolve().relative_to(self.data.resolve()))
        self.put(row, self._event("episode/discard", author, "", f"{episode}: {reason}", "ok"))
        return row

    def episode(self, episode: str) -> Episode:
        """Return one row.

        Raises:
            CatalogError: there is no such episode.
        """
        row = self.find(Episode, episode)
        if row is None:
            raise CatalogError(
                f"no episode {episode!r} in the catalogue; gmps data stats says what there is, gmps data reindex adds "
                "what is on the disk"
            )
        return row

    def task(self, task_id: str) -> Task:
        """Return the task called `task_id`.

        Raises:
            CatalogError: nothing was recorded for it.
        """
        row = self.find(TaskRow, task_id)
        if row is None:
            raise CatalogError(f"nothing was recorded for a task {task_id!r}")
        return Task.from_json(row.json)

    def file(self, episode: Episode) -> Path:
        """Where the file of a row lies."""
        return self.data / episode.path

    def episodes(
        self, wanted: EpisodeFilter | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Episode]:
        """Return the episodes that pass, newest first."""
        query = passing(select(Episode), wanted or EpisodeFilter())
        query = query.order_by(Episode.started_ns.desc(), Episode.id).offset(offset)
        return self.read(query if limit is None else query.limit(limit))

    def count(self, wanted: EpisodeFilter | None = None) -> int:
        """How many episodes pass."""
        query = passing(select(func.count()).select_from(Episode), wanted or EpisodeFilter())
        with self.transaction() as t:
            return int(t.scalar(query) or 0)

    # Labels

    def label(
        self,
        episode: str,
        kind: str,
        value: float,
        author: str,
        *,
        step_from: int | None = None,
        step_to: int | None = None,
        text: str = "",
        supersedes: str | None = None,
        key: str = "",
        at_ns: int | None = None,
    ) -> Label:
        """Add a label for the whole episode, or for its steps [step_from, step_to).

        What it says anew it supersedes: the standing label of the same kind and the same steps (a flag: of the same
        name). `supersedes` names the one that its author saw there; where another one stands by now, that goes, so that
        never two stand. The same `key` twice is one label: a request may be sent again. It was said now, or at `at_ns`.

        Raises:
            CatalogError: no such episode or label, an unknown kind, or a value or a range that cannot be.
            LabelError: `key` is of a label that says something else.
        """
        row = self.episode(episode)
        labels.check(row.steps, kind, value, step_from, step_to, text)
        identity = uuid.uuid5(uuid.UUID(episode), f"{author}:{key}").hex if key else uuid.uuid4().hex
        history = self.labels(episode)
        same_key = next(((known.kind, known.value, known.text) for known in history if known.id == identity), None)
        labels.check_key(key, same_key, (kind, value, text))
        for known in history:
            if known.id == identity:
                return known
        if supersedes is not None and supersedes not in {known.id for known in history}:
            raise CatalogError(f"episode {episode} has no label {supersedes!r} to supersede")
        same = (kind, step_from, step_to, text if kind == "flag" else "")
        stands = next((known.id for known in labels.standing(history) if labels.subject(known) == same), None)
        label = Label(
            id=identity, episode=episode, kind=kind, value=float(value), text=text, author=author,
            created_ns=self.now_ns() if at_ns is None else at_ns, step_from=step_from, step_to=step_to,
            supersedes=stands,
        )  # fmt: skip
        self.put(label)
        return label

    def labels(self, episode: str) -> list[Label]:
        """Return every label an episode ever got, oldest first."""
        return self.read(select(Label).where(Label.episode == episode).order_by(Label.created_ns, Label.id))

    def standing(self, episodes: Sequence[str]) -> dict[str, list[Label]]:
        """Return the labels of each of `episodes` that nothing supersedes, oldest first."""
        query = select(Label).where(Label.episode.in_(episodes)).order_by(Label.created_ns, Label.id)
        found: dict[str, list[Label]] = {episode: [] for episode in episodes}
        for label in self.read(query):
            found[label.episode].append(label)
        return {episode: labels.standing(said) for episode, said in found.items()}

    # What is to be taught

    def plan(self, family: str, split: str, tasks: int, per_task: int, seed: int, author: str) -> Plan:
        """Decide that `per_task` demonstrations of each of the first `tasks` tasks of a split are wanted.

        Raises:
            CatalogError: numbers that cannot be.
            TaskError: no such family or split.
        """
        plans.check(tasks, per_task)
        row = Plan(
            family=family_by_name(family).name, split=task_split(split), seed=seed, tasks=tasks, per_task=per_task,
            author=author, created_ns=self.now_ns(),
        )  # fmt: skip
        self.put(row)
        return row

    def quota(self, family: str, split: str = "train") -> plans.Quota:
        """Count what is taught and what is missing.

        Raises:
            TaskError: no such family or split.
        """
        plan = self.find(Plan, (family, split))
        wanted, per_task, seed = (
            (plans.TASKS, plans.PER_TASK, 0) if plan is None else (plan.tasks, plan.per_task, plan.seed)
        )
        tasks = family_by_name(family).sample(task_split(split), wanted, seed)
        names = [self._named(task).id for task in tasks]
        demos = EpisodeFilter(family=family, split=split, source="demo")
        recorded, accepted = self._tally(demos), self._tally(replace(demos, accepted=True))
        return plans.Quota(family, split, per_task, plans.count(tasks, names, per_task, recorded, accepted))

    # What happens around them

    def audit(self, what: str, who: str, role: str = "", detail: str = "", outcome: str = "ok") -> Event:
        """Write down that `who` did `what`, and how it ended."""
        event = self._event(what, who, role, detail, outcome)
        self.put(event)
        return event

    def events(self, limit: int = 100, what: str | None = None) -> list[Event]:
        """Return the audit log, newest first."""
        query = select(Event).order_by(Event.at_ns.desc(), Event.id).limit(limit)
        return self.read(query if what is None else query.where(Event.what == what))

    def runs(self, kind: str | None = None) -> list[Run]:
        """Return trainings, adaptations and evaluations, newest first."""
        query = select(Run).order_by(Run.started_ns.desc(), Run.id)
        return self.read(query if kind is None else query.where(Run.kind == kind))

    def _event(self, what: str, who: str, role: str, detail: str, outcome: str) -> Event:
        return Event(
            id=uuid.uuid4().hex, at_ns=self.now_ns(), who=who, role=role, what=what,
            detail=detail[: labels.LONGEST_TEXT], outcome=outcome[:200],
        )  # fmt: skip

    def _tally(self, wanted: EpisodeFilter) -> dict[str, int]:
        """How many episodes of each task pass, discarded and missing ones left out."""
        query = passing(select(Episode.task, func.count()), wanted).where(Episode.status.in_(KEPT))
        with self.transaction() as t:
            return {str(task): int(n) for task, n in t.execute(query.group_by(Episode.task))}

    def _named(self, task: Task) -> TaskRow:
        """The row of `task`: its task_id names it, unless that is taken by a task with another context."""
        row = TaskRow(id=task.task_id, family=task.family, split=task.split, json=task.to_json())
        taken = self.find(TaskRow, row.id)
        if taken is not None and taken.json != row.json:
            row.id += "-" + hashlib.sha256(row.json.encode()).hexdigest()[:6]
        return row
