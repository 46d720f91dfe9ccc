"""Writing one episode file: a killed process loses nothing that was flushed, and no half file has a whole one's name.

`<id>.mcap.part` while it is open -> index and outcome -> fsync -> its end looked at -> renamed -> folder fsynced. What
the catalogue wants to know of it (digest, counts, the messages that make its periods) is gathered while it is written,
so that gigabytes are saved as quickly as a short episode. `gmps data validate` reads every byte.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from io import BufferedWriter
from pathlib import Path
from typing import IO, cast

from mcap.writer import CompressionType, Writer

from gmps_robot.data import folder
from gmps_robot.data.check import Summary, glance
from gmps_robot.data.definitions import POSE, TOPICS, schema
from gmps_robot.data.episode import PERIODS, PICTURES, RecordedEpisode, assemble
from gmps_robot.data.info import INFO, OUTCOME, EpisodeInfo, EpisodeOutcome
from gmps_robot.data.stream import Heard, first_stamp
from gmps_robot.errors import EpisodeError

CHUNK = 256 * 1024  # no chunk is larger, unless one message is [byte]
PER_MESSAGE = 31  # of each message in a chunk, beside its own bytes
GATHERED = frozenset((POSE, *PERIODS, *PICTURES))  # what length and figures of an episode are made of
STAMP = 12  # of a picture's message, the bytes that hold its stamp


@dataclass(frozen=True)
class Saved:
    """An episode that is whole and on the disk."""

    info: EpisodeInfo
    outcome: EpisodeOutcome | None
    path: Path
    sha256: str
    summary: Summary
    gathered: tuple[Heard, ...]  # of its messages those of `GATHERED`; of pictures the beginning alone

    def episode(self) -> RecordedEpisode:
        """Its periods, with tips and actions alone, as `read_episode` would find them.

        Raises:
            EpisodeError: they cannot be made out.
        """
        taken: dict[str, list[tuple[int, bytes]]] = {topic: [] for topic in PICTURES}
        for one in self.gathered:
            if one.topic in taken:
                taken[one.topic].append((first_stamp(one.data), b""))
        return assemble(self.info, self.outcome, self.gathered, taken, str(self.path))


class _Digested:
    """A file that is written from its first byte to its last, and the digest of what was written."""

    def __init__(self, file: BufferedWriter) -> None:
        self._file, self._at = file, 0
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self._at += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        self._file.flush()


class EpisodeWriter:
    """One open episode. Messages go in as CDR, as they came over the wire.

    Attributes:
        info: what it is.
        part: the file while it is open.
        bytes: of messages written so far.
    """

    def __init__(self, part: Path, info: EpisodeInfo, path: Path | None = None) -> None:
        """Open `part` and write what the episode is and the definitions of all topics.

        `path` is its name once it is saved; by default that of `part` without its last suffix.

        Raises:
            EpisodeError: the file is there already.
            OSError: no room, no right.
        """
        self.info, self.part, self.bytes = info, part, 0
        self._path = path or folder.saved_path(part)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = part.open("xb")
        except FileExistsError as error:
            raise EpisodeError(f"{part} is there already; an episode is never written over") from error
        fcntl.flock(self._file, fcntl.LOCK_EX)  # tells `gmps data recover` that somebody is at it
        # Chunks are ended here, by size and by `flush`; JPEG does not get smaller.
        self._digested = _Digested(self._file)
        self._writer = Writer(cast(IO[bytes], self._digested), chunk_size=2 * CHUNK, compression=CompressionType.NONE)
        self._chunk = 0
        self._gathered: list[Heard] = []
        self._writer.start(profile="ros2", library="gmps_robot")
        self._writer.add_metadata(INFO, {"json": json.dumps(asdict(info))})
        kinds = {kind: self._schema(kind) for kind in sorted(set(TOPICS.values()))}
        self._channels = {topic: self._channel(topic, kinds[kind]) for topic, kind in TOPICS.items()}
        self.flush()

    def write(self, topic: str, data: bytes, log_ns: int, publish_ns: int, sequence: int = 0) -> None:
        """Add one message of `topic`: its CDR, when it was heard and sent [ns], and its number.

        Raises:
            OSError: no room. Nothing of the open chunk may be on the disk; what was flushed before is.
        """
        size = len(data) + PER_MESSAGE
        if self._chunk and self._chunk + size > CHUNK:
            self.flush()
        self._writer.add_message(self._channels[topic], log_ns, data, publish_ns, sequence)
        self._chunk += size
        self.bytes += len(data)
        if topic in GATHERED:
            kind, part = TOPICS[topic], data[:STAMP] if topic in PICTURES else data
            self._gathered.append(Heard(topic, kind, part, log_ns, publish_ns, sequence, _schema(kind)))

    def flush(self) -> None:
        """End the chunk and hand it to the system: the end of this process no longer loses it."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._chunk = 0

    def close(self, outcome: EpisodeOutcome | None) -> Saved:
        """End the file, wait for the disk, look at its end, and give it its name. Without `outcome`: it was recovered.

        Raises:
            EpisodeError: it is not there as it was written, or is no episode; the file keeps its `.part`.
            OSError: no room. As above; `gmps data recover` makes of it what there is.
        """
        return self._end(outcome, self._path)

    def discard(self, outcome: EpisodeOutcome, data: Path) -> Saved:
        """As `close`, but put the file aside below `data`.

        Raises:
            EpisodeError: as `close`.
            OSError: as `close`.
        """
        path = folder.discarded_path(data, self.info.episode)
        path.parent.mkdir(parents=True, exist_ok=True)
        return self._end(outcome, path)

    def abandon(self) -> None:
        """Let go of a file that cannot be written any more; it stays as `.part`."""
        with suppress(OSError):  # closing tries to write the rest once more
            self._file.close()

    def _end(self, outcome: EpisodeOutcome | None, path: Path) -> Saved:
        self._finish(outcome)
        summary = glance(self.part, self._digested.sha256.hexdigest(), self._digested.tell())
        self.part.rename(path)
        folder.sync_folder(path.parent)
        self._file.close()
        return Saved(self.info, outcome, path, summary.sha256, summary, tuple(self._gathered))

    def _finish(self, outcome: EpisodeOutcome | None) -> None:
        self.flush()
        if outcome is not None:
            self._writer.add_metadata(OUTCOME, {"json": json.dumps(asdict(outcome))})
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.flush()
        os.fsync(self._file.fileno())

    def _schema(self, kind: str) -> int:
        return int(self._writer.register_schema(kind, "ros2msg", _schema(kind).encode()))

    def _channel(self, topic: str, kind: int) -> int:
        return int(self._writer.register_channel(f"/{topic}", "cdr", kind))


@cache
def _schema(kind: str) -> str:
    return schema(kind)
