"""Markers come from folders; one thread per process; ROS stays on this machine.

With `pytest -n 2 --dist loadgroup` each file runs on one process, and all files with an emulated arm, which takes most
of a core, on the same one: never two at a time.
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


# Files that run an emulated arm.
EMULATED = frozenset({
    "ros/test_emulator_node.py", "ros/test_sawyer_driver.py", "ros1/test_emulator_faults.py",
    "ros1/test_emulator_life.py", "ros1/test_emulator_rules.py", "ros1/test_fault_rows.py", "ros1/test_inspection.py",
    "ros1/test_sawyer_arm.py", "ros1/test_sawyer_contract.py",
})  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        file = item.path.relative_to(TESTS).as_posix()
        folder = file.split("/")[0]
        if folder in FOLDERS:
            item.add_marker(folder)
        item.add_marker(pytest.mark.xdist_group("emulated arm" if file in EMULATED else file))
