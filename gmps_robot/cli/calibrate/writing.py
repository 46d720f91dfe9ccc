"""Where a measured rig is written."""

from __future__ import annotations

from pathlib import Path


def destination(rig: str, out: Path | None) -> Path | None:
    """Return `out`, else the file that `rig` names; None where `rig` is a shipped name, which nothing overwrites."""
    if out is not None:
        return out
    return Path(rig) if Path(rig).is_file() else None
