"""Writing one episode file: a killed process loses nothing that was flushed, and no half file has a whole one's name.

`<id>.mcap.part` while it is open -> index and outcome -> fsync -> read back and checked -> renamed -> folder fsynced.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

from gmps_robot.data import folder
from gmps_robot.data.check import Summary, check
from gmps_robot.data.definitions import TOPICS, schema
from gmps_robot.data.info import INFO, OUTCOME, EpisodeInfo, EpisodeOutcome
from gmps_robot.errors import EpisodeError

CHUNK = 256 * 1024  # no chunk is larger, unless one message is [byte]
PER_MESSAGE = 31  # of each message in a chunk, beside its own bytes


@dataclass(frozen=True)
class Saved:
    """An episode that is whole and on the disk."""

    info: EpisodeInfo
    outcome: EpisodeOutcome | None
    path: Path
    sha256: str
    summary: Summary


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
        self._writer = Writer(self._file, chunk_size=2 * CHUNK, compression=CompressionType.NONE)
        self._chunk = 0
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

    def flush(self) -> None:
        """End the chunk and hand it to the system: the end of this process no longer loses it."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._chunk = 0

    def close(self, outcome: EpisodeOutcome | None) -> Saved:
        """End the file, wait for the disk, check it, and give it its name. Without `outcome` it counts as recovered.

        Raises:
            EpisodeError: what was written does not read back; the file keeps its `.part`.
            OSError: no room. As above; `gmps data recover` makes of it what there is.
        """
        self._finish(outcome)
        summary = check(self.part)
        self.part.rename(self._path)
        folder.sync_folder(self._path.parent)
        self._release()
        return Saved(self.info, outcome, self._path, summary.sha256, summary)

    def discard(self, outcome: EpisodeOutcome, data: Path) -> Path:
        """End the file and put it aside below `data`; return where.

        Raises:
            OSError: as `close`.
        """
        self._finish(outcome)
        path = folder.discarded_path(data, self.info.episode)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.part.rename(path)
        folder.sync_folder(path.parent)
        self._release()
        return path

    def abandon(self) -> None:
        """Let go of a file that cannot be written any more; it stays as `.part`."""
        with suppress(OSError):  # closing tries to write the rest once more
            self._file.close()

    def _finish(self, outcome: EpisodeOutcome | None) -> None:
        self.flush()
        if outcome is not None:
            self._writer.add_metadata(OUTCOME, {"json": json.dumps(asdict(outcome))})
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._file.flush()
        os.fsync(self._file.fileno())

    def _release(self) -> None:
        self._file.close()

    def _schema(self, kind: str) -> int:
        return int(self._writer.register_schema(kind, "ros2msg", schema(kind).encode()))

    def _channel(self, topic: str, kind: int) -> int:
        return int(self._writer.register_channel(f"/{topic}", "cdr", kind))
