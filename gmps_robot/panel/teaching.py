"""What is being taught: the chosen task, the open episode, and what a person says of it before it is closed."""

from __future__ import annotations

import threading

from gmps_robot.data import folder, said
from gmps_robot.data.models import Episode
from gmps_robot.data.said import Said
from gmps_robot.errors import SessionError, TaskError
from gmps_robot.panel import schema_archive
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.tasks import Split, Task

NO_TASK = "choose a task to teach first"


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
        self._closed = ""  # of the one that was saved or discarded here last: the recorder may not have said so yet

    @property
    def task(self) -> Task | None:
        """The task that was chosen last."""
        return self._task

    def choose(self, split: Split, number: int, lease: str) -> str:
        """Choose task `number` of the plan and put arm and scene back for it; return what a person must still do.

        `lease` is of whoever asks (`LeaseDesk.lease_to_move`): a way home gives it back.

        Raises:
            TaskError: the plan has no such task.
            SessionError: an episode is open, or the reset is refused.
        """
        task = self._find(split, number)
        self._need_no_open("the scene is put back")
        self._resets += 1
        by_hand = self._bridge.reset_scene(task, self._resets, lease)
        self._task = task
        return by_hand

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
            self._task, self._open = task, episode
        return episode

    def save(self, episode: str, accepted: bool) -> str:
        """Keep the open episode, with everything that was said of it.

        Raises:
            SessionError: it is not open, or could not be kept.
        """
        with self._lock:
            message = self._bridge.record_save(episode, accepted)
            self._open, self._closed = "", episode
        return message

    def discard(self, episode: str, reason: str) -> str:
        """Put the open episode aside.

        Raises:
            SessionError: it is not open.
        """
        with self._lock:
            message = self._bridge.record_discard(episode, reason)
            self._open, self._closed = "", episode
        return message

    def again(self, episode: str, reason: str, operator: str, lease: str) -> tuple[str, str]:
        """Discard, put the scene back, start anew; return the new id and what a person must do. `lease` as of `choose`.

        Raises:
            SessionError: one of the three is refused.
        """
        task = self._task
        if task is None:
            raise SessionError(NO_TASK)
        self.discard(episode, reason)
        by_hand = self.choose(task.split, task.index, lease)
        return self.start(task.split, None, operator), by_hand

    def replay(self, episode: str) -> str:
        """Play a recorded episode back on the twin; return what the twin says.

        Raises:
            CatalogError: there is no such episode.
            SessionError: an episode is open, there is no twin, or it refuses.
        """
        self._archive.catalog.episode(episode)  # an unknown one is named before anything moves
        self._need_no_open("an episode is played back")
        return self._bridge.replay(episode)

    def placed(self, episode: str, body: schema_archive.LabelBody) -> schema_archive.LabelBody:
        """Give a label of this very moment its step; to be asked before anything that takes time.

        Raises:
            SessionError: it names steps too, or the episode is not being recorded.
        """
        if not body.now:
            return body
        recorder = self._bridge.state().recorder
        if body.step_from is not None or body.step_to is not None:
            raise SessionError("now: the recorder says which step that is; leave step_from and step_to out")
        if recorder.state != "recording" or recorder.episode != episode:
            raise SessionError(f"now: episode {episode} is not being recorded; say step_from and step_to of the label")
        return body.model_copy(update={"step_from": recorder.steps, "step_to": recorder.steps + 1})

    def label(self, episode: str, body: schema_archive.LabelBody, author: str) -> schema_archive.LabelRow | None:
        """Label an episode; None: it is open, and the label waits on the disk until the episode is in the catalogue.

        Raises:
            CatalogError: there is no such episode, or it cannot be labelled so.
            StorageError: it could not be written down, or the catalogue is needed and away.
        """
        catalog = self._archive.catalog
        if not self._records(episode) or self._has_row(episode):
            return self._archive.label(episode, body, author)
        label = Said(
            body.kind, body.value, author, catalog.now_ns(), body.text, body.step_from, body.step_to, body.key
        )
        said.say(catalog, self.family, episode, label)
        return None

    def _records(self, episode: str) -> bool:
        """Whether it is open: this panel began it, or one before it did and the recorder has it still.

        Raises:
            SessionError: it was, until the recorder failed; nothing that is said now has a moment in it.
        """
        recorder, ours = self._bridge.state().recorder, episode == self._open
        if ours and recorder.state == "failed" and not self._has_row(episode):
            raise SessionError(f"episode {episode} is recorded no more: {recorder.message}")
        return ours or (recorder.state == "recording" and recorder.episode == episode)

    def _has_row(self, episode: str) -> bool:
        """Whether the catalogue knows it; asked only when it can, so that it may be away while one records."""
        catalog = self._archive.catalog
        ended = folder.is_ended(catalog.data, self.family, episode)
        return ended and catalog.find(Episode, episode) is not None

    def _need_no_open(self, what: str) -> None:
        recorder = self._bridge.state().recorder
        if recorder.state == "recording" and recorder.episode != self._closed:
            raise SessionError(f"episode {recorder.episode} is being recorded: save or discard it before {what}")

    def _find(self, split: Split, number: int) -> Task:
        tasks = self._archive.quota(self.family, split).tasks
        found = next((quota.task for quota in tasks if quota.task.index == number), None)
        if found is None:
            raise TaskError(f"task {number} of split {split!r} is not in the plan; valid: 0 to {len(tasks) - 1}")
        return found
