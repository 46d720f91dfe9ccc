"""Build the ROS 2 messages in ros2_ws/src/gmps_msgs against the wheels and install them into the virtual environment.

    .venv/bin/python scripts/build_msgs.py

Plain CMake, no colcon and no sourced ROS. Ends with an import of every message in a fresh process: what does not import
is not installed. Run from anywhere; needs cmake, a C++ compiler and the headers of this Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "ros2_ws" / "src" / "gmps_msgs"
PREFIX = Path(sys.prefix)
BUILD = PREFIX / ".build" / "gmps_msgs"  # not build/, which is where colcon builds with another Python

PROBE = """
import importlib, sys
from rclpy.serialization import deserialize_message, serialize_message
for name in sys.argv[1:]:
    kind, _, message = name.partition("/")
    cls = getattr(importlib.import_module(f"gmps_msgs.{kind}"), message)
    cls.__class__.__import_type_support__()
    if kind == "msg" and deserialize_message(serialize_message(cls()), cls) != cls():
        raise SystemExit(f"gmps_msgs/{name} does not survive its own serialisation")
"""


class BuildError(Exception):
    """The messages cannot be built; the message says what to do."""


def check_tools() -> None:
    """Refuse to start without a compiler, CMake, or Python's headers.

    Raises:
        BuildError: something is missing; the message holds the command that installs it.
    """
    missing = [] if shutil.which("cmake") else ["cmake"]
    if not (shutil.which("g++") or shutil.which("c++")):
        missing.append("g++")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        missing.append(f"python3.{sys.version_info.minor}-dev")
    if missing:
        raise BuildError(
            f"the ROS 2 messages cannot be built: {', '.join(missing)} not found. Install with\n"
            f"  sudo apt-get install -y {' '.join(missing)}"
        )


def correct_wheels() -> int:
    """Point the CMake files of the wheels at this Python; they name the one of the container they were built in.

    Idempotent. Returns the number of files changed.
    """
    import numpy as np

    python_include, numpy_include = sysconfig.get_paths()["include"], np.get_include()
    container = r"/opt/python/cp3\d+-cp3\d+"
    changed = 0
    for path in (PREFIX / "share").glob("*/cmake/*.cmake"):
        text = path.read_text(encoding="utf-8")
        fixed = re.sub(container + r"/lib/python3\.\d+/site-packages/numpy/_core/include", numpy_include, text)
        fixed = re.sub(container + r"/include/python3\.\d+", python_include, fixed)
        if fixed != text:
            path.write_text(fixed, encoding="utf-8")
            changed += 1
    return changed


def interfaces() -> list[str]:
    """Return every interface of the package as `msg/Name`, `srv/Name` or `action/Name`."""
    kinds = ("msg", "srv", "action")
    return sorted(f"{kind}/{path.stem}" for kind in kinds for path in SOURCE.glob(f"{kind}/*.{kind}"))


def build() -> None:
    """Configure, compile and install.

    Raises:
        BuildError: CMake or the compiler failed; the message is the end of their output.
    """
    shutil.rmtree(BUILD, ignore_errors=True)  # a cache of another virtual environment would point into it
    environment = {
        **os.environ,
        "PATH": f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "AMENT_PREFIX_PATH": str(PREFIX),
        "CMAKE_PREFIX_PATH": str(PREFIX),
    }
    settings = [
        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_INSTALL_PREFIX={PREFIX}", f"-DPython3_EXECUTABLE={sys.executable}",
        "-DBUILD_TESTING=OFF",
    ]
    jobs = str(min(os.cpu_count() or 1, 8))
    for command in (
        ["cmake", "-S", str(SOURCE), "-B", str(BUILD), *settings],
        ["cmake", "--build", str(BUILD), "-j", jobs],
        ["cmake", "--install", str(BUILD)],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise BuildError(f"{' '.join(command[:3])} failed:\n{tail}")


def probe() -> None:
    """Import every interface in a fresh process, outside the source tree.

    Raises:
        BuildError: one does not import or does not survive its own serialisation.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *interfaces()], cwd=PREFIX, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BuildError(f"gmps_msgs was built but does not import:\n{done.stderr[-2000:]}")


def main() -> int:
    """Build and check; returns an exit code."""
    try:
        check_tools()
        print(f"building {len(interfaces())} ROS 2 interfaces of gmps_msgs (about 20 s)", flush=True)
        correct_wheels()
        build()
        probe()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
