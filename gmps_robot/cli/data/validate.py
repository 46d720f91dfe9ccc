"""gmps data validate: read episode files from end to end, checksums and index included."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Validate:
    """Read every saved episode, or the files named, from end to end. The exit code is 1 when one is damaged.

    Example:
        gmps data validate
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files to read; by default all saved episodes."""
    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""
    json: Path | None = None
    """Also write what was found to this file."""


def run(options: Validate) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data import folder
    from gmps_robot.data.check import check
    from gmps_robot.data.folder import default_data
    from gmps_robot.errors import EpisodeError

    data = options.data or default_data()
    found: list[dict[str, object]] = []
    for path in options.files or tuple(folder.saved(data)):
        try:
            summary = check(path)
        except EpisodeError as error:
            print(f"damaged  {error}")
            found.append({"path": str(path), "sound": False, "reason": str(error)})
            continue
        messages = sum(summary.messages.values())
        print(f"sound    {path}  {summary.seconds:.1f} s, {messages} messages")
        found.append({"path": str(path), "sound": True, "sha256": summary.sha256, "messages": messages})
    damaged = sum(not entry["sound"] for entry in found)
    print(f"{len(found)} files, {damaged} damaged")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return min(damaged, 1)
