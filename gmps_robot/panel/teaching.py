"""What is being taught: the chosen task, the open episode, and what a person says of it before it is closed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from gmps_robot.data.models import Episode
from gmps_robot.errors import SessionError, TaskError
from gmps_robot.panel import schema_archive
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.tasks import Split, Task

NO_TASK = "choose a task to teach first"


@dataclass(frozen=True)
class Said:
    """A label of the open episode; the catalogue takes it when the episode is saved."""

    body: schema_archive.LabelBody
    author: str


class Teaching:
    """Leads through choose, record, save or discard. Callable from several threads."""

    def __init__(self, bridge: PanelBridge, archive: Archive, family: str) -> None:
        """`family` is the task family of the rig."""
        self.family = family
        self._bridge, self._archive = bridge, archive
        self._lock = threading.Lock()
        self._task: Task | None = None
        self._resets = 0
        self._open = ""  # id of the episode that was started here and is neither saved nor discarded
        self._said: list[Said] = []

    @property
    def task(self) -> Task | None:
        """The task that was chosen last."""
        return self._task

    def choose(self, split: Split, number: int) -> str:
        """Choose task `number` of the plan and put arm and scene back for it; return what a person must still do.

        Raises:
            TaskError: the plan has no such task.
            SessionError: the reset is refused.
        """
        task = self._find(split, number)
        self._resets += 1
        said = self._bridge.reset_scene(task, self._resets)
        self._task = task
        return said

    def start(self, split: Split, number: int | None, operator: str) -> str:
        """Begin an episode; without `number` of the task that was chosen last. Return its id.

        Raises:
            TaskError: the plan has no such task, or none was chosen.
            SessionError: the recorder refuses.
        """
        task = self._task if number is None else self._find(split, number)
        if task is None:
            raise SessionError(NO_TASK)
        with self._lock:
            episode = self._bridge.record_start(task, operator)
            self._task, self._open, self._said = task, episode, []
        return episode

    def save(self, episode: str, accepted: bool) -> str:
        """Keep the open episode, with everything that was said of it.

        Raises:
            SessionError: it is not open, or could not be kept.
        """
        with self._lock:
            message = self._bridge.record_save(episode, accepted)
            said, self._said, self._open = self._said, [], ""
        if said:
            row = self._archive.catalog.episode(episode)
            for label in said:
                self._archive.label(episode, _placed(label.body, row), label.author)
        return message

    def discard(self, episode: str, reason: str) -> str:
        """Put the open episode aside.

        Raises:
            SessionError: it is not open.
        """
        with self._lock:
            message = self._bridge.record_discard(episode, reason)
            self._said, self._open = [], ""
        return message

    def again(self, episode: str, reason: str, operator: str) -> tuple[str, str]:
        """Discard, put the scene back, start anew; return the new id and what a person must do.

        Raises:
            SessionError: one of the three is refused.
        """
        task = self._task
        if task is None:
            raise SessionError(NO_TASK)
        self.discard(episode, reason)
        said = self.choose(task.split, task.index)
        return self.start(task.split, None, operator), said

    def label(self, episode: str, body: schema_archive.LabelBody, author: str) -> schema_archive.LabelRow | None:
        """Label an episode; None: it is open, and the label is kept until it is saved.

        Raises:
            CatalogError: there is no such episode, or it cannot be labelled so.
        """
        with self._lock:
            if episode == self._open:
                self._said.append(Said(body, author))
                return None
        return self._archive.label(episode, body, author)

    def _find(self, split: Split, number: int) -> Task:
        tasks = self._archive.quota(self.family, split).tasks
        found = next((quota.task for quota in tasks if quota.task.index == number), None)
        if found is None:
            raise TaskError(f"task {number} of split {split!r} is not in the plan; valid: 0 to {len(tasks) - 1}")
        return found


def _placed(body: schema_archive.LabelBody, row: Episode) -> schema_archive.LabelBody:
    """The label on the steps that were kept: the recorder counts from its start, an episode from its first motion."""
    if body.step_from is None or body.step_to is None:
        return body
    skipped = int(row.quality.get("skipped", 0))
    first = min(max(0, body.step_from - skipped), max(0, row.steps - 1))
    last = min(max(first + 1, body.step_to - skipped), max(1, row.steps))
    return body.model_copy(update={"step_from": first, "step_to": last})
