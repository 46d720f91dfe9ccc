"""Which state of the program records."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gmps_robot import __version__

ROOT = Path(__file__).resolve().parents[2]


def revision(root: Path = ROOT) -> str:
    """Return the git commit of the program in `root`, `-dirty` where files differ from it; its version without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10.0, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return f"version {__version__}"
    return done.stdout.strip()
