"""Where episodes lie: below the data directory, one file per episode, open ones and discarded ones apart.

    episodes/<family>/<id>.mcap         saved: whole, checked, on the disk
    episodes/<family>/<id>.mcap.part    being recorded, or left by a recorder that was killed
    episodes/<family>/<id>.said.jsonl   what people said of it while it was recorded
    discarded/<id>.mcap                 put aside; `gmps data prune` deletes
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gmps_robot.errors import EpisodeError

SUFFIX = ".mcap"
PART = ".mcap.part"
DISCARDED = "discarded"  # the folder


def default_data() -> Path:
    """The data directory: `GMPS_DATA`, else ./data."""
    return Path(os.environ.get("GMPS_DATA") or "data")


def part_path(data: Path, family: str, episode: str) -> Path:
    """Where an episode lies while it is recorded."""
    return data / "episodes" / family / f"{episode}{PART}"


def saved_path(part: Path) -> Path:
    """Where the episode of `part` lies once it is saved."""
    return part.with_name(part.name.removesuffix(PART) + SUFFIX)


def discarded_path(data: Path, episode: str) -> Path:
    """Where a discarded episode lies."""
    return data / DISCARDED / f"{episode}{SUFFIX}"


def said_path(data: Path, family: str, episode: str) -> Path:
    """Where lies what people say of an episode while it is recorded."""
    return data / "episodes" / family / f"{episode}.said.jsonl"


def is_ended(data: Path, family: str, episode: str) -> bool:
    """Whether an episode was saved or put aside; before that the catalogue knows nothing of it."""
    paths = saved_path(part_path(data, family, episode)), discarded_path(data, episode)
    return any(path.exists() for path in paths)


def saved(data: Path) -> Iterator[Path]:
    """Every saved episode, in a fixed order."""
    return iter(sorted((data / "episodes").glob(f"*/*{SUFFIX}")))


def parts(data: Path) -> Iterator[Path]:
    """Every episode that was not ended, or is being recorded now."""
    return iter(sorted((data / "episodes").glob(f"*/*{PART}")))


def discarded(data: Path) -> Iterator[Path]:
    """Every discarded episode."""
    return iter(sorted((data / DISCARDED).glob(f"*{SUFFIX}")))


def find(data: Path, episode: str) -> Path:
    """Return the file of a saved episode.

    Raises:
        EpisodeError: there is none of that id.
    """
    for path in saved(data):
        if path.name == f"{episode}{SUFFIX}":
            return path
    raise EpisodeError(f"no saved episode {episode!r} below {data.resolve()}; `gmps data stats` lists what there is")


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
