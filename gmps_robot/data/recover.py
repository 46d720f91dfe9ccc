"""Making whole episodes of what a killed recorder left."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gmps_robot.data import folder
from gmps_robot.data.check import Summary, check
from gmps_robot.data.info import read_info
from gmps_robot.data.stream import Heard, Stream
from gmps_robot.data.writer import EpisodeWriter
from gmps_robot.errors import EpisodeError

UNFINISHED = ".mcap.recovering"  # suffix of what this module writes until it is whole


@dataclass(frozen=True)
class Recovered:
    """An episode that is whole again."""

    path: Path
    summary: Summary
    torn: str  # what was wrong with the file; empty: it only lacked its name

    @property
    def status(self) -> str:
        """`complete` or `recovered`, as the catalogue has it."""
        return "recovered" if self.summary.outcome is None else "complete"


def recover(part: Path) -> Recovered:
    """Make a whole episode of `part`, and remove `part` once that is on the disk. May be killed and run again.

    Raises:
        EpisodeError: it is being recorded now, or there is no message in it to keep.
    """
    with _alone(part) as file:
        path = folder.saved_path(part)
        if not path.exists():
            torn = _restore(part, file, path)
        else:
            torn = "it was recovered before"
        summary = check(path)
        part.unlink(missing_ok=True)
        folder.sync_folder(path.parent)
    return Recovered(path, summary, torn)


def _restore(part: Path, file: BinaryIO, path: Path) -> str:
    """Give `part` its name if it is whole, else write what is sound of it to `path`; return what was wrong."""
    try:
        check(part)
    except EpisodeError as error:
        wrong = str(error)
    else:
        part.rename(path)
        return ""
    unfinished = part.with_name(path.name.removesuffix(folder.SUFFIX) + UNFINISHED)
    unfinished.unlink(missing_ok=True)
    stream = Stream()
    sound = _sound(stream, file)
    first = next(sound, None)
    if first is None:
        raise EpisodeError(f"{part}: no whole message in it; `gmps data prune` removes it")
    writer = EpisodeWriter(unfinished, read_info(stream.metadata, str(part)), path)
    for message in (first, *sound):
        writer.write(message.topic, message.data, message.log_ns, message.publish_ns, message.sequence)
    writer.close(None)
    return wrong


def _sound(stream: Stream, file: BinaryIO) -> Iterator[Heard]:
    """The messages before the first damage."""
    messages = stream.messages(file)
    while True:
        try:
            yield next(messages)
        except (StopIteration, EpisodeError):
            return


def _alone(part: Path) -> BinaryIO:
    """Open `part` so that nobody else does.

    Raises:
        EpisodeError: somebody writes to it, or it is not there.
    """
    try:
        file = part.open("rb")
    except FileNotFoundError as error:
        raise EpisodeError(f"no such file: {part}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise EpisodeError(f"{part} is being recorded now: save or discard it where it was started") from error
    return file
