"""gmps data reindex: the catalogue made anew from the episode files and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reindex:
    """Bring the catalogue into agreement with the episode files and the journal, which are the truth.

    Use it after a lost or damaged database, or after episode files were copied here. Nothing is deleted. The exit code
    is 1 when something could not be read.

    Example:
        gmps data reindex
    """

    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""


def run(options: Reindex) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.data.reindex import reindex

    with Catalog(options.data) as catalog:
        found = reindex(catalog)
        place = catalog.data.resolve()
    print(f"{found.rows} rows of the journal, {found.episodes} episodes ({found.added} new) below {place}")
    for path in found.missing:
        print(f"missing: {path}")
    for sentence in found.damaged:
        print(f"damaged: {sentence}")
    return 1 if found.damaged else 0
