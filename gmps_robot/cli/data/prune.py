"""gmps data prune: delete what was put aside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Prune:
    """List what may go: episodes discarded long ago, and files that hold nothing. With --yes, delete it.

    Saved episodes are never deleted, nor what `gmps data recover` could save.

    Example:
        gmps data prune --older-than 30
    """

    older_than: float = 30.0
    """Days since an episode was discarded."""
    yes: bool = False
    """Delete, instead of only listing."""
    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""


def run(options: Prune) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data.folder import default_data
    from gmps_robot.data.prune import rubbish

    found = list(rubbish(options.data or default_data(), options.older_than, time.time()))
    for file in found:
        print(f"{file.path}  {file.bytes / 2**20:.1f} MiB, {file.why}")
        if options.yes:
            file.path.unlink()
    room = sum(file.bytes for file in found) / 2**20
    done = "deleted" if options.yes else "would be deleted; --yes does it"
    print(f"{len(found)} files, {room:.1f} MiB {done}")
    return 0
