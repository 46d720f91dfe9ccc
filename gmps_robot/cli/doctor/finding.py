"""One line of the doctor's report, and the fresh processes that what may crash is tried in."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "problem"]
PROBE_SECONDS = 120  # the first image compiles the ray caster


@dataclass(frozen=True)
class Finding:
    """What was looked at and found. `advice` says what to do; empty when there is nothing to do."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def probe(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh Python of this environment."""
    try:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 1, "", f"no answer within {PROBE_SECONDS} s")


def last_line(text: str) -> str:
    """Return the last line of a traceback: the error itself."""
    return (text.strip().splitlines() or ["no message"])[-1]


def version_of(distribution: str) -> str:
    """Return an installed version, or an empty string."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
