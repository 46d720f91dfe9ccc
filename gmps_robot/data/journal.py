"""The journal: every row of the catalogue, one JSON line each, on disk before it is believed.

With the episode files it is the truth; the database is an index that both rebuild. Several processes may append.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = "journal.jsonl"


def append(path: Path, lines: list[tuple[str, Mapping[str, Any]]]) -> None:
    """Append (table, row) pairs, all or none, and wait until they are on disk.

    A torn last line of a crash is closed off first.

    Raises:
        OSError: no room, no right.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = b"".join(json.dumps({"table": t, "row": dict(row)}).encode() + b"\n" for t, row in lines)
    with path.open("a+b", buffering=0) as file:  # nothing left behind in a buffer
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                new = b"\n" + new
        try:
            if file.write(new) != len(new):
                raise OSError(errno.ENOSPC, "No space left on device")
            os.fsync(file.fileno())
        except OSError:  # what was refused must not come back with the next reindex
            os.truncate(path, end)
            raise


def read(path: Path) -> Iterator[tuple[int, str, dict[str, Any]] | tuple[int, None, str]]:
    """Yield (line number, table, row) in the order written; (line number, None, text) for a damaged line."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8", "replace").strip()
            if not line:
                continue
            try:
                entry = json.loads(line)
                yield number, str(entry["table"]), dict(entry["row"])
            except (json.JSONDecodeError, KeyError, TypeError, ValueError):
                yield number, None, line
