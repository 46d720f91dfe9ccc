"""The database made anew, or mended, from the journal and the episode files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gmps_robot.data import folder, journal
from gmps_robot.data.catalog import KEPT, Catalog
from gmps_robot.data.keep import keep
from gmps_robot.data.models import TABLES, Episode
from gmps_robot.errors import CatalogError, EpisodeError


@dataclass
class Reindexed:
    """What was found. `damaged` are sentences about what could not be read."""

    rows: int = 0  # of the journal
    episodes: int = 0  # files that are in the catalogue now
    added: int = 0  # of them new to it
    missing: list[str] = field(default_factory=list)  # in the catalogue, without a file
    damaged: list[str] = field(default_factory=list)


def reindex(catalog: Catalog, progress: Callable[[Path], None] | None = None) -> Reindexed:
    """Bring the database into agreement with the files. Doing it twice is the same; nothing is deleted."""
    found = Reindexed()
    _replay(catalog, found)
    known = {row.id: row for row in catalog.episodes()}
    present = set()
    for path in [*folder.saved(catalog.data), *folder.discarded(catalog.data)]:
        if progress is not None:
            progress(path)
        name = path.name.removesuffix(folder.SUFFIX)
        try:
            _take(catalog, path, known.get(name), found)
        except EpisodeError as error:
            found.damaged.append(str(error))
        present.add(name)
    for name, row in known.items():
        if name not in present and row.status in KEPT:
            row.status = "missing"
            catalog.put(row)
        if name not in present:
            found.missing.append(row.path)
    return found


def _replay(catalog: Catalog, found: Reindexed) -> None:
    for number, table, row in journal.read(catalog.journal):
        where = f"{catalog.journal}, line {number}"
        if table is None or table not in TABLES:
            found.damaged.append(f"{where}: not a row of the catalogue: {str(row)[:60]}")
            continue
        try:
            catalog.put(TABLES[table](**row), written=True)  # type: ignore[arg-type]
            found.rows += 1
        except (TypeError, SQLAlchemyError, CatalogError) as error:
            found.damaged.append(f"{where}: {table}: {' '.join(str(error).split())[:120]}")


def _take(catalog: Catalog, path: Path, row: Episode | None, found: Reindexed) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    put_aside = path.parent.name == folder.DISCARDED
    place = str(path.resolve().relative_to(catalog.data.resolve()))
    told = row is not None and (row.sha256, row.path) == (digest, place) and (row.status == "discarded") == put_aside
    if not told or (row is not None and row.status == "missing"):
        keep(catalog, path)
        found.added += row is None
    found.episodes += 1
