"""gmps data recover: make whole episodes of what a killed recorder left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recover:
    """Save what is sound of every episode that was never ended, and add it to the catalogue as `recovered`.

    An episode that is being recorded now is left alone. The exit code is 1 when a file held nothing to save.

    Example:
        gmps data recover
    """

    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""


def run(options: Recover) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data import folder
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.data.folder import default_data
    from gmps_robot.data.keep import keep
    from gmps_robot.data.recover import recover
    from gmps_robot.errors import EpisodeError

    data = options.data or default_data()
    parts = list(folder.parts(data))
    if not parts:
        print(f"nothing to recover below {data.resolve()}")
        return 0
    failed = 0
    with Catalog(data) as catalog:
        for part in parts:
            try:
                recovered = recover(part)
                row = keep(catalog, recovered.path)
            except EpisodeError as error:
                print(f"not recovered: {error}")
                failed += 1
                continue
            print(f"{recovered.status}: {recovered.path}  {recovered.summary.seconds:.1f} s, {row.steps} steps")
    return min(failed, 1)
