"""Whether an episode file is whole, and what is in it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gmps_robot.data.info import EpisodeInfo, EpisodeOutcome, read_info, read_outcome
from gmps_robot.data.stream import Stream
from gmps_robot.errors import EpisodeError


@dataclass(frozen=True)
class Summary:
    """What `check` found in a whole file."""

    info: EpisodeInfo
    outcome: EpisodeOutcome | None  # None: recovered
    sha256: str  # of the file
    bytes: int
    messages: dict[str, int]  # by topic
    first_ns: int  # of the messages, when they were heard; 0 without any
    last_ns: int
    chunks: int
    largest_chunk: int  # [byte]

    @property
    def seconds(self) -> float:
        """From the first message to the last."""
        return (self.last_ns - self.first_ns) * 1e-9


def check(path: Path) -> Summary:
    """Read a file from end to end, checksums and index included.

    Raises:
        EpisodeError: it is missing, damaged, not ended, or no episode.
    """
    stream, counted = Stream(), Counter[str]()
    first, last = 0, 0
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            for message in stream.messages(file):
                counted[message.topic] += 1
                first = min(first or message.log_ns, message.log_ns)
                last = max(last, message.log_ns)
    except FileNotFoundError as error:
        raise EpisodeError(f"no such episode file: {path}") from error
    except EpisodeError as error:
        raise EpisodeError(f"{path}: {error}") from error
    statistics = stream.statistics
    if not stream.ended or statistics is None:
        raise EpisodeError(f"{path}: not ended: it has no index")
    if statistics.message_count != counted.total() or statistics.chunk_count != stream.chunks:
        raise EpisodeError(
            f"{path}: {counted.total()} messages in {stream.chunks} chunks, but its index says "
            f"{statistics.message_count} in {statistics.chunk_count}"
        )
    info = read_info(stream.metadata, str(path))
    outcome = read_outcome(stream.metadata, str(path))
    return Summary(
        info, outcome, digest, path.stat().st_size, dict(counted), first, last, stream.chunks, stream.largest_chunk
    )
