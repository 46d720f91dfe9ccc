"""What people say of an episode while it is recorded: on the disk before it is believed, whoever is killed then.

It lies beside the episode's file, a line each, and becomes labels whenever the file gets its row (`keep`): saved,
recovered or put aside, by whichever process, and as often as that happens.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gmps_robot.config import from_dict
from gmps_robot.data import folder, journal, labels
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.models import Episode
from gmps_robot.errors import ConfigError, LabelError, StorageError

TABLE = "said"  # of the lines


@dataclass(frozen=True)
class Said:
    """One label of an open episode. Steps count from the start of the recording, as RecorderStatus has them."""

    kind: str
    value: float
    author: str
    at_ns: int  # when it was given
    text: str = ""
    step_from: int | None = None
    step_to: int | None = None
    key: str = ""  # the same one twice is one label

    @property
    def words(self) -> labels.Words:
        """What it says."""
        return self.kind, self.value, self.text


def say(catalog: Catalog, family: str, episode: str, said: Said) -> None:
    """Write down what was said of the open episode `episode`; it is on the disk when this returns.

    The catalogue is not asked of an open episode, and may be away: `keep` and `reindex` take in what is on the disk.

    Raises:
        CatalogError: it cannot be said of any episode.
        LabelError: its key is of something else that was said.
        StorageError: the disk refuses.
    """
    labels.check(sys.maxsize, said.kind, said.value, said.step_from, said.step_to, said.text)
    path = folder.said_path(catalog.data, family, episode)
    if said.key:
        same_key = (old.words for old in _lines(path) if (old.author, old.key) == (said.author, said.key))
        labels.check_key(said.key, next(same_key, None), said.words)
    line = {**asdict(said), "key": said.key or uuid.uuid4().hex}
    try:
        journal.append(path, [(TABLE, line)])
    except OSError as error:
        raise StorageError(f"nothing was written down: {path}: {error.strerror or error}") from error
    if folder.is_ended(catalog.data, family, episode):  # at the same moment: `keep` may have read just before
        with suppress(StorageError):
            if (row := catalog.find(Episode, episode)) is not None:
                take(catalog, row)


def take(catalog: Catalog, row: Episode) -> None:
    """Make labels of what was said of `row` while it was recorded. Doing it twice is the same."""
    for said in _lines(folder.said_path(catalog.data, row.family, row.id)):
        first, last = _placed(said, row)
        with suppress(LabelError):  # two of one key, as of panels that did not refuse the second: the first one stands
            catalog.label(
                row.id, said.kind, said.value, said.author, text=said.text, step_from=first, step_to=last, key=said.key,
                at_ns=said.at_ns,
            )


def _lines(path: Path) -> Iterator[Said]:
    """What was said, but for a line that a crash has torn: nobody was told that it is written."""
    for _, table, line in journal.read(path):
        said = _read(line) if table == TABLE and isinstance(line, dict) else None
        if said is not None:
            yield said


def _read(line: dict[str, object]) -> Said | None:
    try:
        return from_dict(Said, line, TABLE)
    except ConfigError:
        return None


def _placed(said: Said, row: Episode) -> tuple[int | None, int | None]:
    """The steps that were kept: the recorder counts from its start, an episode from its first motion."""
    if said.step_from is None or said.step_to is None or row.steps == 0:
        return None, None
    skipped = int(row.quality.get("skipped", 0))
    first = min(max(0, said.step_from - skipped), row.steps - 1)
    return first, min(max(first + 1, said.step_to - skipped), row.steps)
