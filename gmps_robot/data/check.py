"""Whether an episode file is whole, and what is in it: at a glance where it was just written, else byte by byte."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.reader import SeekingReader
from mcap.records import Chunk, ChunkIndex
from mcap.stream_reader import breakup_chunk

from gmps_robot.data.info import EpisodeInfo, EpisodeOutcome, read_info, read_outcome
from gmps_robot.data.stream import DAMAGE, LARGEST, Stream
from gmps_robot.errors import EpisodeError

RECORD_HEAD = 9  # of every record: what it is and how long [byte]
MAGIC = 8  # the last word of a file [byte]
FOOT = RECORD_HEAD + 20 + MAGIC  # the footer and the last word of a file [byte]


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


def glance(path: Path, sha256: str, size: int) -> Summary:
    """Look at beginning, index and last chunk of a file that was just written: a moment, however long it is.

    Args:
        path: of the file.
        sha256: of what was written.
        size: of what was written [byte].

    Raises:
        EpisodeError: it has another size, no index, or an index that does not fit what is there.
    """
    wrong = f"{path}: was not written as it should be"
    with path.open("rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise EpisodeError(f"{wrong}: {size} bytes were written, {found} are there")
        if not _index_is_sound(file, size):
            raise EpisodeError(f"{wrong}: its index does not have its checksum")
        file.seek(0)
        try:
            reader = SeekingReader(file, validate_crcs=True, record_size_limit=LARGEST)
            index = reader.get_summary()
            records = {record.name: record.metadata for record in reader.iter_metadata()}
            if index is None or index.statistics is None:
                raise EpisodeError(f"{wrong}: it has no index")
            last = sum(1 for _ in _last_chunk(file, index.chunk_indexes))
        except DAMAGE as error:
            raise EpisodeError(f"{wrong}: {str(error) or type(error).__name__}") from error
    statistics, chunks = index.statistics, index.chunk_indexes
    if statistics.chunk_count != len(chunks) or bool(last) != bool(statistics.message_count):
        raise EpisodeError(f"{wrong}: its index speaks of {statistics.chunk_count} chunks and lists {len(chunks)}")
    counted = statistics.channel_message_counts
    messages = {index.channels[key].topic.removeprefix("/"): count for key, count in counted.items() if count}
    return Summary(
        read_info(records, str(path)), read_outcome(records, str(path)), sha256, size, messages,
        statistics.message_start_time, statistics.message_end_time, len(chunks),
        max((chunk.uncompressed_size for chunk in chunks), default=0),
    )  # fmt: skip


def _index_is_sound(file: BinaryIO, size: int) -> bool:
    """Whether the index, which ends with the footer, has the checksum that the footer says."""
    file.seek(max(0, size - FOOT))
    footer = file.read(FOOT - MAGIC)
    if len(footer) < FOOT - MAGIC:
        return False
    begins, _, checksum = struct.unpack("<QQI", footer[RECORD_HEAD:])
    if not 0 < begins < size:
        return False
    file.seek(begins)
    return bool(zlib.crc32(footer[:-4], zlib.crc32(file.read(size - FOOT - begins))) == checksum)


def _last_chunk(file: BinaryIO, chunks: Sequence[ChunkIndex]) -> Iterator[object]:
    """Read the records of the chunk that was written last; its checksum is looked at."""
    if chunks:
        last = max(chunks, key=lambda chunk: chunk.chunk_start_offset)
        file.seek(last.chunk_start_offset + RECORD_HEAD)
        yield from breakup_chunk(Chunk.read(ReadDataStream(file)), validate_crc=True)
