"""What may be deleted: what was put aside long enough ago, and what holds nothing."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gmps_robot.data import folder
from gmps_robot.data.recover import UNFINISHED
from gmps_robot.data.stream import Stream
from gmps_robot.errors import EpisodeError

DAY = 86400.0  # [s]


@dataclass(frozen=True)
class Rubbish:
    """A file that may go."""

    path: Path
    bytes: int
    why: str


def rubbish(data: Path, older_than: float, now: float) -> Iterator[Rubbish]:
    """Yield the files below `data` that may be deleted. Nothing that `recover` could save, and no saved episode.

    Args:
        data: the data directory.
        older_than: discarded episodes go after so many days.
        now: wall clock [s].
    """
    for path in folder.discarded(data):
        days = (now - path.stat().st_mtime) / DAY
        if days >= older_than:
            yield Rubbish(path, path.stat().st_size, f"discarded {days:.0f} days ago")
    for path in sorted((data / "episodes").glob(f"*/*{UNFINISHED}")):
        if path.with_name(path.name.removesuffix(UNFINISHED) + folder.PART).exists():
            yield Rubbish(path, path.stat().st_size, "half a recovery, which `gmps data recover` begins anew")
    for path in folder.parts(data):
        if _holds_nothing(path):
            yield Rubbish(path, path.stat().st_size, "not ended, and without one whole message")


def _holds_nothing(part: Path) -> bool:
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # it is being recorded now
        try:
            return next(Stream().messages(file), None) is None
        except EpisodeError:
            return True
