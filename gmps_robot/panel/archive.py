"""What the panel reads from the catalogue and the episode files, as answers of the API."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.episode import RecordedEpisode, read_episode
from gmps_robot.data.models import Episode, Label
from gmps_robot.data.plans import Quota
from gmps_robot.data.statistics import statistics
from gmps_robot.errors import CatalogError
from gmps_robot.panel import curves, schema, schema_archive
from gmps_robot.panel.bridge_teach import CameraView
from gmps_robot.panel.figures import figures
from gmps_robot.panel.ghost import ghost
from gmps_robot.panel.journal import Event

OPEN_FILES = 4  # episodes kept decoded: a person looks at one at a time


class Archive:
    """A view of one catalogue. Callable from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._lock = threading.Lock()
        self._decoded: OrderedDict[str, RecordedEpisode] = OrderedDict()

    def episodes(self, wanted: EpisodeFilter, limit: int, offset: int) -> schema_archive.EpisodesAnswer:
        """Return one page of the episodes that pass, newest first."""
        rows = self.catalog.episodes(wanted, limit, offset)
        said = self.catalog.standing([row.id for row in rows])
        lines = [schema_archive.EpisodeRow(**_row(row, said[row.id])) for row in rows]
        return schema_archive.EpisodesAnswer(total=self.catalog.count(wanted), episodes=lines)

    def episode(self, episode: str) -> schema_archive.EpisodeAnswer:
        """Return all that is known of one episode.

        Raises:
            CatalogError: there is no such episode.
        """
        row = self.catalog.episode(episode)
        return schema_archive.EpisodeAnswer(
            **_row(row, self.catalog.standing([episode])[episode]),
            task=json.loads(self.catalog.task(row.task).to_json()), rig=row.rig, envelope=row.envelope,
            revision=row.revision, sha256=row.sha256, reason=row.reason, quality=row.quality,
        )

    def frame(self, episode: str, number: int) -> bytes:
        """Return the picture of step `number` as JPEG.

        Raises:
            CatalogError: there is no such episode, or it has no such step.
            EpisodeError: its file is damaged.
        """
        pictures = self._pictures(self.catalog.episode(episode))
        if not 0 <= number < len(pictures):
            raise CatalogError(f"episode {episode} has no picture {number}; valid: 0 to {len(pictures) - 1}")
        return bytes(pictures[number])

    def signals(self, episode: str) -> schema_archive.SignalsAnswer:
        """Return what was recorded beside the pictures.

        Raises:
            CatalogError: there is no such episode.
            EpisodeError: its file is damaged.
        """
        row = self.catalog.episode(episode)
        rewards: list[float | None] = [None] * row.steps
        for label in self.catalog.standing([episode])[episode]:
            if label.kind == "reward" and label.step_from is not None and label.step_to is not None:
                rewards[label.step_from : label.step_to] = [label.value] * (label.step_to - label.step_from)
        return self._signals(row, rewards)

    def ghost(self, episode: str, number: int, camera: CameraView | None) -> schema_archive.GhostAnswer:
        """Return where the arm of step `number` is in a picture of `camera`.

        Raises:
            CatalogError: there is no such episode, or it has no such step.
            EpisodeError: its file is damaged.
        """
        row = self.catalog.episode(episode)
        if not 0 <= number < row.steps:
            raise CatalogError(f"episode {episode} has no step {number}; valid: 0 to {row.steps - 1}")
        return ghost(self._recorded(row), number, row.rig, camera)

    def statistics(self, wanted: EpisodeFilter) -> schema_archive.StatisticsAnswer:
        """Return figures over the episodes that pass."""
        return figures(statistics(self.catalog, wanted))

    def labels(self, episode: str) -> schema_archive.LabelsAnswer:
        """Return every label of an episode, oldest first.

        Raises:
            CatalogError: there is no such episode.
        """
        self.catalog.episode(episode)
        return schema_archive.LabelsAnswer(labels=[label_row(label) for label in self.catalog.labels(episode)])

    def label(self, episode: str, body: schema_archive.LabelBody, author: str) -> schema_archive.LabelRow:
        """Add a label.

        Raises:
            CatalogError: there is no such episode, or it cannot be labelled so.
        """
        label = self.catalog.label(
            episode, body.kind, body.value, author, step_from=body.step_from, step_to=body.step_to, text=body.text,
            supersedes=body.supersedes, key=body.key,
        )
        return label_row(label)

    def quota(self, family: str, split: str) -> Quota:
        """Return how far the plan is."""
        return self.catalog.quota(family, split)

    def runs(self) -> schema_archive.RunsAnswer:
        """Return every run, newest first."""
        return schema_archive.RunsAnswer(runs=[schema_archive.RunRow(**_run(run)) for run in self.catalog.runs()])

    def run(self, run: str) -> schema_archive.RunAnswer:
        """Return one run with its curves.

        Raises:
            CatalogError: there is no such run.
        """
        found = next((one for one in self.catalog.runs() if one.id == run), None)
        if found is None:
            raise CatalogError(f"no run {run!r} in the catalogue")
        return schema_archive.RunAnswer(**_run(found), curves=curves.read(Path(found.path) / curves.FILE))

    def write(self, event: Event) -> None:
        """Store one act in the audit log."""
        self.catalog.audit(event.what, event.who, event.role, event.detail, event.outcome)

    def events(self, limit: int) -> schema.AuditAnswer:
        """Return the newest acts first."""
        events = [
            schema.AuditEvent(
                at=_when(e.at_ns), who=e.who, role=e.role, what=e.what, detail=e.detail, outcome=e.outcome
            )
            for e in self.catalog.events(limit)
        ]
        return schema.AuditAnswer(events=events)

    def _pictures(self, row: Episode) -> tuple[bytes, ...]:
        """The picture of each step: the one for people where there is one."""
        read = self._read(row)
        return tuple(view or image for view, image in zip_longest(read.views, read.jpegs, fillvalue=b""))

    def _signals(self, row: Episode, rewards: list[float | None]) -> schema_archive.SignalsAnswer:
        read = self._read(row)
        start = read.stamps_ns[0] if len(read) else 0
        return schema_archive.SignalsAnswer(
            t=((read.stamps_ns - start) * 1e-9).tolist(), tip=read.tips.tolist(), commanded=read.commanded.tolist(),
            applied=read.applied.tolist(), reward=rewards,
            object=None if read.scene is None else read.scene.object_pose[:, :3].tolist(), guard=list(read.guard),
        )

    def _recorded(self, row: Episode) -> RecordedEpisode | None:
        """What the file says; None where there is none."""
        return self._read(row)

    def _read(self, row: Episode) -> RecordedEpisode:
        with self._lock:
            if row.id in self._decoded:
                self._decoded.move_to_end(row.id)
                return self._decoded[row.id]
            read = read_episode(self.catalog.file(row))
            self._decoded[row.id] = read
            if len(self._decoded) > OPEN_FILES:
                self._decoded.popitem(last=False)
            return read


def label_row(label: Label) -> schema_archive.LabelRow:
    """Return a label as the API shows it."""
    return schema_archive.LabelRow(
        id=label.id, kind=label.kind, value=label.value, text=label.text, author=label.author,
        created_at=_when(label.created_ns), step_from=label.step_from, step_to=label.step_to,
        supersedes=label.supersedes,
    )


def _row(row: Episode, said: Iterable[Label]) -> dict[str, Any]:
    said = list(said)
    whole = {label.kind: label.value for label in said if label.step_from is None and label.kind != "flag"}
    steps = [label.value for label in said if label.kind == "reward" and label.step_from is not None]
    reward = whole.get("reward", math.fsum(steps) if steps else None)
    accepted, success = whole.get("accepted"), whole.get("success")
    return {
        "episode": row.id, "task_id": row.task, "family": row.family, "split": row.split, "source": row.source,
        "mode": row.mode, "operator": row.operator, "checkpoint": row.checkpoint, "started": _when(row.started_ns),
        "seconds": row.seconds, "steps": row.steps, "bytes": row.bytes, "status": row.status,
        "flags": sorted(label.text for label in said if label.kind == "flag" and label.value == 1.0),
        "accepted": None if accepted is None else bool(accepted),
        "success": None if success is None else int(success), "reward": reward,
    }


def _run(run: Any) -> Mapping[str, Any]:
    return {"run": run.id, "kind": run.kind, "name": run.name, "state": run.state, "started": _when(run.started_ns)}


def _when(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns / 1e9, UTC).isoformat(timespec="milliseconds")
