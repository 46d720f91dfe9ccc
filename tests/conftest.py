"""Markers come from folders; one thread per process; ROS stays on this machine.

A test says by itself when it needs a machine that keeps real time (`realtime`); all others pass on a busy one too.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDERS:
            item.add_marker(folder)
