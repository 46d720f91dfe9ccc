"""Where a measured rig is written, and the figures behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def destination(rig: str, out: Path | None) -> Path | None:
    """Return `out`, else the file that `rig` names; None where `rig` is a shipped name, which nothing overwrites."""
    if out is not None:
        return out
    return Path(rig) if Path(rig).is_file() else None


def write_figures(figures: Mapping[str, object], path: Path | None) -> None:
    """Write `figures` as JSON into the file `path`, whose folder is made; None: nowhere."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
