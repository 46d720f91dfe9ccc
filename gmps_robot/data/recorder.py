"""The recorder without ROS: what it hears it writes, from start to save or discard. Time and disk are passed in.

Its failures are its own: no room, no right or a broken disk end the recording and leave a `.part`; nothing else stops.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from gmps_robot.data import folder
from gmps_robot.data.definitions import APPLIED, GUARD, SESSION
from gmps_robot.data.info import EpisodeInfo, EpisodeOutcome, Mode, Source
from gmps_robot.data.writer import EpisodeWriter, Saved
from gmps_robot.errors import EpisodeError, nearest
from gmps_robot.tasks import Task

State = Literal["idle", "recording", "refusing", "failed"]

ROOM_TO_START = 2 * 1024**3  # free on the disk, else no recording begins [byte]
ROOM_TO_GO_ON = 64 * 1024**2  # [byte]
BEFORE_NS = 1_000_000_000  # what was heard this long before the start belongs to the episode
FLUSH_NS = 200_000_000  # what was heard longer ago than this survives a killed process
PROBE_NS = 1_000_000_000  # between two looks at the disk
LATCHED = (GUARD, SESSION)  # said when they change: the last word holds at the start


@dataclass(frozen=True)
class Rig:
    """What all episodes of one recorder have in common."""

    family: str
    mode: Mode
    rig: str  # content id of its calibration
    revision: str
    control_hz: float
    action_speed: float  # [m/s]


@dataclass(frozen=True)
class Take:
    """What is to be recorded."""

    task: str  # JSON as written by Task.to_json
    source: str
    operator: str = ""
    checkpoint: str = ""


@dataclass(frozen=True)
class Report:
    """Where the recorder stands; the fields of RecorderStatus."""

    state: State
    episode: str
    task: str
    seconds: float
    steps: int
    bytes: int
    dropped: int
    message: str


class Message(NamedTuple):
    """What was heard: topic, CDR, when it was heard and sent [ns], and its number among those of its publisher."""

    topic: str
    data: bytes
    log_ns: int
    publish_ns: int
    sequence: int


class Recorder:
    """One episode at a time.

    Attributes:
        envelope: content id of the safety envelope in force, as soon as the guard has told it.
        over: the open episode is over and waits to be judged: what the arm and the camera do meanwhile is not its own.
    """

    def __init__(
        self, data: Path, rig: Rig, envelope: str, *, free: Callable[[Path], int], now_ns: Callable[[], int],
        steady_ns: Callable[[], int],
    ) -> None:
        """Be idle.

        Args:
            data: the data directory.
            rig: goes into every episode.
            envelope: content id, until the guard says its own.
            free: bytes that are free on the disk of a folder.
            now_ns: wall clock, for what is written; it may be set, also backwards.
            steady_ns: monotonic clock, for what is due.
        """
        self.envelope, self.over = envelope, False
        self._data, self._rig, self._free, self._now = data, rig, free, now_ns
        self._steady = steady_ns
        self._writer: EpisodeWriter | None = None
        self._before: deque[tuple[int, Message]] = deque()  # with when it came, by the steady clock
        self._latched: dict[str, Message] = {}
        self._numbers: dict[str, int] = {}
        self._info: EpisodeInfo | None = None
        self._steps = self._dropped = self._bytes = 0
        self._began_ns = self._ended_ns = self._flushed_ns = self._probed_ns = 0  # by the steady clock
        self._problem, self._room = "", ""

    @property
    def recording(self) -> bool:
        """Whether an episode is open."""
        return self._writer is not None

    @property
    def report(self) -> Report:
        """Where it stands."""
        info = self._info
        if self._writer is not None:
            state: State = "recording"
        else:
            state = "failed" if self._problem else "refusing" if self._room else "idle"
        until = self._steady() if self._writer is not None else self._ended_ns
        return Report(
            state, info.episode if info else "", info.task if info else "", (until - self._began_ns) * 1e-9,
            self._steps, self._bytes, self._dropped, self._problem or self._room,
        )  # fmt: skip

    def start(self, take: Take) -> str:
        """Open an episode and return its id.

        Raises:
            EpisodeError: one is open, there is too little room, or the disk refuses.
            TaskError: no task, or one of another family.
        """
        if self._writer is not None:
            raise EpisodeError(f"episode {self._writer.info.episode} is being recorded: save or discard it first")
        if take.source not in get_args(Source):
            raise EpisodeError(f"unknown source {take.source!r}{nearest(take.source, get_args(Source))}")
        task = Task.from_json(take.task)
        if task.family != self._rig.family:
            raise EpisodeError(f"task {task.task_id} is not of the family {self._rig.family!r} that is recorded here")
        self._look()
        if self._room:
            raise EpisodeError(self._room)
        info = EpisodeInfo(
            uuid.uuid4().hex, task.family, take.task, _source(take.source), self._rig.mode, take.operator,
            take.checkpoint, self._rig.rig, self.envelope, self._rig.revision, self._rig.control_hz, self._now(),
            self._rig.action_speed,
        )  # fmt: skip
        part = folder.part_path(self._data, info.family, info.episode)
        try:
            self._writer = EpisodeWriter(part, info)
        except OSError as error:
            self._problem = f"cannot record to {part.parent}: {error.strerror or error}"
            raise EpisodeError(self._problem) from error
        self._info, self._problem = info, ""
        self._steps = self._dropped = self._bytes = 0
        self._began_ns = self._flushed_ns = self._steady()
        before = [message for _, message in self._before]
        for message in (*(known for known in self._latched.values() if known not in before), *before):
            self._write(message)
        return info.episode

    def hear(self, message: Message) -> None:
        """Take one message; never fails."""
        last = self._numbers.get(message.topic, message.sequence - 1)
        self._numbers[message.topic] = message.sequence
        if message.topic in LATCHED:
            self._latched[message.topic] = message
        if self._writer is not None:
            self._dropped += max(0, message.sequence - last - 1)
            if not self.over or message.topic in LATCHED:
                self._write(message)
        came = self._steady()
        self._before.append((came, message))
        # What waited for us came all at once: its stamps tell how old it is, unless the wall clock was set back.
        while came - self._before[0][0] > BEFORE_NS or message.log_ns - self._before[0][1].log_ns > BEFORE_NS:
            self._before.popleft()

    def tick(self) -> None:
        """Do what is due: flush, look at the disk. Call it at least every 100 ms."""
        now = self._steady()
        if now - self._probed_ns >= PROBE_NS:
            self._look()
        if now - self._flushed_ns >= FLUSH_NS:
            self._flushed_ns = now
            self._flush()

    def save(
        self, episode: str, *, accepted: bool = False, reward: float | None = None, success: bool | None = None,
        judge: str = "", ended_ns: int | None = None,
    ) -> Saved:
        """End the open episode and keep it. What was sent after `ended_ns` (default: now) belongs to the next one too.

        `judge` gave reward and success; empty: the operator, or no person.

        Raises:
            EpisodeError: another episode is open, or none; or the file could not be ended, and is left as `.part`.
        """
        writer = self._open(episode, "save")
        try:
            saved = writer.close(EpisodeOutcome(self._now(), self._dropped, accepted, reward, success, judge=judge))
        except (OSError, EpisodeError) as error:
            self._fail(str(error))
            raise EpisodeError(self._problem) from error
        self._let_go(ended_ns)
        return saved

    def discard(self, episode: str, reason: str, ended_ns: int | None = None) -> Saved:
        """End the open episode and put it aside. `ended_ns` as in `save`.

        Raises:
            EpisodeError: as `save`.
        """
        writer = self._open(episode, "discard")
        try:
            saved = writer.discard(EpisodeOutcome(self._now(), self._dropped, reason=reason), self._data)
        except (OSError, EpisodeError) as error:
            self._fail(str(error))
            raise EpisodeError(self._problem) from error
        self._let_go(ended_ns)
        return saved

    def close(self) -> None:
        """The process ends: an open episode stays as `.part`, with everything that was heard."""
        self._flush()
        if self._writer is not None:
            self._fail("the recorder was ended")

    def _open(self, episode: str, request: str) -> EpisodeWriter:
        if self._writer is None:
            raise EpisodeError(f"{request}: no episode is being recorded. {self._problem}".rstrip())
        if episode != self._writer.info.episode:
            raise EpisodeError(f"{request}: {episode!r} is not open; {self._writer.info.episode} is")
        return self._writer

    def _flush(self) -> None:
        if self._writer is not None:
            try:
                self._writer.flush()
            except OSError as error:
                self._fail(error.strerror or str(error))

    def _write(self, message: Message) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(*message)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        self._steps += message.topic == APPLIED
        self._bytes = self._writer.bytes

    def _look(self) -> None:
        """See how much room there is."""
        self._probed_ns = self._steady()
        place = next(path for path in (self._data, *self._data.resolve().parents) if path.is_dir())
        free = self._free(place)
        self._room = ""
        if free < ROOM_TO_START:
            self._room = f"{free / 2**30:.1f} GiB free at {place}, 2 GiB are needed to begin: `gmps data prune`"
        if free < ROOM_TO_GO_ON and self._writer is not None:
            self._fail("the disk is full")

    def _fail(self, reason: str) -> None:
        if self._writer is not None:
            part = self._writer.part
            self._writer.abandon()
            self._problem = f"recording ended: {reason}. What was heard until then: `gmps data recover` reads {part}"
        self._let_go()

    def _let_go(self, ended_ns: int | None = None) -> None:
        self._writer, self._ended_ns, self.over = None, self._steady(), False
        later = [heard for heard in self._before if ended_ns is not None and heard[1].publish_ns > ended_ns]
        self._before = deque(later)


def _source(name: str) -> Source:
    return next(source for source in get_args(Source) if source == name)
