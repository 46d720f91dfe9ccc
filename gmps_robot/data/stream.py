"""Reading an episode file from its first byte to its last, whole or torn."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, Footer, Header, Message, Metadata, Schema, Statistics
from mcap.stream_reader import StreamReader, breakup_chunk
from rosbags.serde import SerdeError

from gmps_robot.data.definitions import described
from gmps_robot.errors import EpisodeError

UNDECODABLE = (SerdeError, struct.error, IndexError, ValueError, KeyError, AssertionError)  # of a generated decoder
LARGEST = 64 * 1024 * 1024  # no record of ours is larger; a damaged length is [byte]
DAMAGE = (McapError, ValueError, struct.error, EOFError, KeyError)  # what the reader of a damaged file raises


@dataclass(frozen=True)
class Heard:
    """One message as it was recorded."""

    topic: str  # without the leading slash
    kind: str  # type
    data: bytes  # CDR
    log_ns: int  # when it was heard
    publish_ns: int  # when it was sent
    sequence: int
    schema: str  # definition of the type

    def decoded(self) -> object:
        """The message, by the definition that is in the file.

        Raises:
            EpisodeError: the bytes do not fit the definition.
        """
        try:
            return described(self.kind, self.schema).deserialize_cdr(self.data, self.kind)
        except UNDECODABLE as error:
            raise EpisodeError(f"a message of {self.topic} is no {self.kind}: {error}") from error


@dataclass
class Stream:
    """What has been read of a file so far."""

    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    chunks: int = 0
    largest_chunk: int = 0  # [byte]
    profile: str = ""
    statistics: Statistics | None = None
    ended: bool = False  # the footer was there
    _schemas: dict[int, Schema] = field(default_factory=dict)
    _channels: dict[int, tuple[str, str, str]] = field(default_factory=dict)  # topic, type and its definition

    def messages(self, file: BinaryIO) -> Iterator[Heard]:
        """Yield the messages in the order written; what else is in the file is kept here.

        Raises:
            EpisodeError: it is damaged or ends too early. What was yielded before is sound: each chunk has a checksum.
        """
        reader = StreamReader(file, emit_chunks=True, validate_crcs=True, record_size_limit=LARGEST)
        try:
            for record in reader.records:
                if isinstance(record, Chunk):
                    self.chunks += 1
                    self.largest_chunk = max(self.largest_chunk, len(record.data))
                    for inner in breakup_chunk(record, validate_crc=True):
                        if isinstance(inner, Message):
                            yield self._heard(inner)
                        else:
                            self._note(inner)
                else:
                    self._note(record)
        except DAMAGE as error:
            raise EpisodeError(f"damaged or not ended: {str(error) or type(error).__name__}") from error

    def _heard(self, message: Message) -> Heard:
        topic, kind, schema = self._channels[message.channel_id]
        return Heard(
            topic, kind, bytes(message.data), message.log_time, message.publish_time, message.sequence, schema
        )

    def _note(self, record: object) -> None:
        if isinstance(record, Schema):
            self._schemas[record.id] = record
        elif isinstance(record, Channel):
            schema = self._schemas[record.schema_id]
            self._channels[record.id] = record.topic.removeprefix("/"), schema.name, schema.data.decode()
        elif isinstance(record, Metadata):
            self.metadata[record.name] = record.metadata
        elif isinstance(record, Header):
            self.profile = record.profile
        elif isinstance(record, Statistics):
            self.statistics = record
        elif isinstance(record, Footer):
            self.ended = True


def read_whole(path: Path, stream: Stream) -> Iterator[Heard]:
    """Yield the messages of a whole file; what else is in it goes into `stream`.

    Raises:
        EpisodeError: it is missing, damaged or not ended; the message names it.
    """
    try:
        with path.open("rb") as file:
            yield from stream.messages(file)
    except FileNotFoundError as error:
        raise EpisodeError(f"no such episode file: {path}") from error
    except EpisodeError as error:
        raise EpisodeError(f"{path}: {error}") from error


def first_stamp(data: bytes) -> int:
    """The stamp of a message that begins with a header, out of its CDR [ns]: nothing else of it is decoded."""
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
