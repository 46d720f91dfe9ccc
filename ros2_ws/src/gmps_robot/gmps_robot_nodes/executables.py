"""What `ros2 run` and `ros2 launch` start: each hands over to the Python of the project's virtual environment.

The nodes always run on the ROS 2 wheels of that environment. A sourced ROS 2 would put its own libraries, its own numpy
and its own Python modules before them, so what it set is dropped first; what says how nodes find each other is kept.
Standard library only: this runs in the Python of the sourced ROS 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

DROPPED = (
    "AMENT_CURRENT_PREFIX", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "LD_LIBRARY_PATH",
    "PKG_CONFIG_PATH", "PYTHONHOME", "PYTHONPATH", "RMW_IMPLEMENTATION", "ROS_DISTRO", "ROS_ETC_DIR",
    "ROS_PACKAGE_PATH", "ROS_PYTHON_VERSION", "ROS_ROOT", "ROS_VERSION", "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)  # fmt: skip


class NoEnvironmentError(RuntimeError):
    """The project's virtual environment was not found; the message says how to make or name it."""


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` without what a sourced ROS 2 put there."""
    return {name: value for name, value in environment.items() if name not in DROPPED}


def find_python(environment: Mapping[str, str], start: Path) -> Path:
    """Return the Python of the project's virtual environment: `GMPS_VENV`, or `.venv` in a folder above `start`.

    Raises:
        NoEnvironmentError: there is none.
    """
    named = environment.get("GMPS_VENV")
    folders = [Path(named)] if named else [folder / ".venv" for folder in start.parents]
    for folder in folders:
        python = folder / "bin" / "python"
        if python.is_file():
            return python
    where = f"GMPS_VENV={named} has no bin/python" if named else f"no .venv in any folder above {start}"
    raise NoEnvironmentError(f"{where}: run `make setup` in the project, or set GMPS_VENV to its .venv")


def hand_over(name: str) -> NoReturn:
    """Replace this process by node `name` in the project's virtual environment."""
    try:
        python = find_python(os.environ, Path(__file__).resolve())
    except NoEnvironmentError as error:
        sys.exit(f"error: {error}")
    command = [str(python), "-m", f"gmps_robot_nodes.{name}_node", *sys.argv[1:]]
    os.execve(python, command, clean(os.environ))


def twin() -> NoReturn:
    """Run the twin."""
    hand_over("twin")


def emulator() -> NoReturn:
    """Run the emulator of the arm's wire."""
    hand_over("emulator")


def sawyer_driver() -> NoReturn:
    """Run the driver of the arm."""
    hand_over("sawyer_driver")


def camera() -> NoReturn:
    """Run the camera."""
    hand_over("camera")


def tracker() -> NoReturn:
    """Run the marker tracker."""
    hand_over("tracker")


def calibrator() -> NoReturn:
    """Run the capturing of a calibration."""
    hand_over("calibrator")


def adapt() -> NoReturn:
    """Run the adaptation."""
    hand_over("adapt")


def panel() -> NoReturn:
    """Run the web panel."""
    hand_over("panel")


def recorder() -> NoReturn:
    """Run the recorder."""
    hand_over("recorder")


def conductor() -> NoReturn:
    """Run the conductor."""
    hand_over("conductor")
