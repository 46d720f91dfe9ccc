"""Markers come from folders; one thread per process; ROS stays on this machine.

With `pytest -n 2 --dist loadgroup` each file runs on one process, and all files with an emulated arm, which takes most
of a core, on the same one: never two at a time.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

os.environ["GMPS_DATA"] = tempfile.mkdtemp(prefix="gmps-data-")  # trainings are written down in a catalogue
os.environ.pop("GMPS_DB_URL", None)
atexit.register(shutil.rmtree, os.environ["GMPS_DATA"], ignore_errors=True)

TESTS = Path(__file__).parent
FOLDERS = ("unit", "architecture", "sim", "data", "calibration", "ros", "ros1", "panel", "hardware")


EMULATED = re.compile(r'Emulator\(|emulated\(|driven\(|Rig\(\)|start\("emulator"')  # how a file starts an emulated arm


@cache
def group(path: Path) -> str:
    """Return the name of the process that runs the tests of a file."""
    return "emulated arm" if EMULATED.search(path.read_text()) else path.relative_to(TESTS).as_posix()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDERS:
            item.add_marker(folder)
        item.add_marker(pytest.mark.xdist_group(group(item.path)))
