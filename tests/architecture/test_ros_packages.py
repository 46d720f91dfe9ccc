"""colcon must see two ROS packages of the right kinds; an invalid package.xml would silently change them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name -> build type, as `colcon list` tells them."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "colcon"), "list", "--base-paths", str(ROOT / "ros2_ws" / "src")],
        cwd=tmp_path_factory.mktemp("colcon"), capture_output=True, text=True, check=True,
    )
    return {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines()}


def test_colcon_sees_exactly_our_two_packages(listed: dict[str, str]) -> None:
    assert listed == {"gmps_msgs": "(ros.ament_cmake)", "gmps_robot": "(ros.ament_python)"}


def test_the_ros_package_does_not_hide_the_library() -> None:
    """Two importable `gmps_robot` would break each other: module and distribution have another name."""
    setup = (ROOT / "ros2_ws/src/gmps_robot/setup.py").read_text()
    assert "gmps_robot_nodes" in setup
    assert not (ROOT / "ros2_ws/src/gmps_robot/gmps_robot").exists()
