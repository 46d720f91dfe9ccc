"""Markers come from folders and fixtures; one thread per process; ROS stays on this machine.

`alone` marks what keeps real time: an emulated arm, a graph of nodes, a ROS 1 master, a browser. It runs while nothing
else does; the rest may run on two processes.
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


LIVE = ("ros", "ros1", "panel")
REAL_TIME = frozenset({"graph", "lockstep", "browser", "server", "world"})  # fixtures
EMULATED = re.compile(r'Emulator\(|emulated\(|driven\(|Rig\(\)|start\("emulator"')  # how a file starts an emulated arm


@cache
def emulates(path: Path) -> bool:
    """Whether the tests of a file keep an emulated arm."""
    return EMULATED.search(path.read_text()) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDERS:
            item.add_marker(folder)
        if folder in LIVE and (emulates(item.path) or REAL_TIME & set(getattr(item, "fixturenames", ()))):
            item.add_marker("alone")
