"""Check what the project needs from the operating system, and name or run the one command that installs it.

Looks for the things themselves (a compiler, a library that loads), not for package names, so it holds on any Linux.
As root, or with SUDO=1, the command is run; otherwise it is printed and the exit code is 1. Needs only the standard
library: it runs before the virtual environment exists.

    python3 scripts/apt_check.py [--test | --peers]
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LOCK_SECONDS = 300
ROS1_PACKAGES = (
    "python3-rospy", "python3-rosmaster", "python3-roslaunch", "python3-rostopic", "python3-genpy", "python3-std-msgs",
    "python3-sensor-msgs", "python3-geometry-msgs", "ros-std-msgs", "ros-sensor-msgs", "ros-geometry-msgs",
)  # fmt: skip


@dataclass(frozen=True)
class Need:
    """One thing of the operating system: the package that brings it, what it is for, and whether it is there."""

    package: str
    purpose: str
    present: Callable[[], bool]


def program(*names: str) -> Callable[[], bool]:
    """Return a check that one of the programs `names` is on PATH."""
    return lambda: any(shutil.which(name) for name in names)


def library(name: str) -> Callable[[], bool]:
    """Return a check that the shared library `name` loads."""

    def loads() -> bool:
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    return loads


def has_headers() -> bool:
    """Return whether this Python can compile extensions."""
    return (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file()


def has_venv() -> bool:
    """Return whether this Python can make a virtual environment with pip in it."""
    command = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_mesa() -> bool:
    """Return whether a software renderer for OpenGL is installed."""
    roots = [Path("/usr/lib"), Path("/usr/lib64"), Path(f"/usr/lib/{platform.machine()}-linux-gnu")]
    return any(next(root.glob(f"{where}/swrast_dri.so"), None) for root in roots for where in ("dri", "*/dri"))


def has_compose() -> bool:
    """Return whether some docker compose runs here; a program that cannot start does not count."""
    for command in (["docker-compose", "version"], ["docker", "compose", "version"]):
        if shutil.which(command[0]) and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return True
    return False


def has_ffmpeg() -> bool:
    """Return whether the libraries of FFmpeg are installed, in whatever version."""
    return ctypes.util.find_library("avdevice") is not None


def has_postgres() -> bool:
    """Return whether a PostgreSQL server is installed, on PATH or where Debian puts its versions."""
    return shutil.which("postgres") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def is_ubuntu() -> bool:
    """Return whether this is Ubuntu."""
    try:
        return platform.freedesktop_os_release().get("ID") == "ubuntu"
    except OSError:
        return False


def has_ros1() -> bool:
    """Return whether the system's Python, which is not the project's, has ROS 1: master, client and messages."""
    code = "import rospy, rosmaster, genpy.dynamic, std_msgs.msg, sensor_msgs.msg, geometry_msgs.msg"
    clean = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(["/usr/bin/python3", "-c", code], env=clean, capture_output=True, check=False).returncode == 0


def is_offered(package: str) -> bool:
    """Return whether the package lists of this system know `package`."""
    if shutil.which("apt-cache") is None:
        return False
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def needs(tests: bool) -> list[Need]:
    """Return everything needed to run the project, and with `tests` what its tests need on top."""
    python = f"python3.{sys.version_info.minor}"
    run = [
        Need(f"{python}-venv", "make the virtual environment", has_venv),
        Need(f"{python}-dev", "compile the ROS 2 messages", has_headers),
        Need("cmake", "build the ROS 2 messages", program("cmake")),
        Need("g++", "build the ROS 2 messages", program("g++", "c++")),
        Need("make", "build the ROS 2 messages", program("make")),
        Need("libegl1", "video frames without a display", library("libEGL.so.1")),
        Need("libopengl0", "video frames without a display", library("libOpenGL.so.0")),
        Need("libgl1-mesa-dri", "video frames without a graphics card", has_mesa),
    ]
    if not tests:
        return run
    test = [
        Need("docker-compose", "the test of docker-compose.yml", has_compose),
        Need("openssl", "the tests of the panel over TLS", program("openssl")),
        Need("postgresql", "the tests of the catalogue on a server", has_postgres),
    ]
    if not is_ubuntu():  # its chromium is a snap; scripts/browser.py brings another
        browsers = program("chromium", "google-chrome", "google-chrome-stable")
        test.append(Need("chromium", "the tests of the panel", browsers))
    if is_offered("python3-rospy"):  # Ubuntu 24.04 has none; there these tests say that they are not available
        test += [Need(package, "a ROS 1 master and the emulated arm", has_ros1) for package in ROS1_PACKAGES]
    return run + test


PEERS = [Need("ffmpeg", "the test of exported video with lerobot's own decoder", has_ffmpeg)]


def install_command(packages: list[str], prefix: list[str]) -> list[str]:
    """Return the apt-get call that installs `packages`, waiting for another one to finish."""
    options = ["install", "-y", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    return [*prefix, "apt-get", *options, *packages]


def check_platform() -> str:
    """Return why the ROS 2 wheels cannot run on this machine, or an empty string."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine not in ("x86_64", "AMD64"):
        return (
            f"error: this machine is {system} {machine}; the ROS 2 wheels exist for Linux x86-64 only. Use an x86-64"
            " machine, or the library without ROS: pip install -e '.[sim]', then gmps train-expert, meta-train, adapt."
        )
    return ""


def install(packages: list[str], prefix: list[str]) -> int:
    """Run apt-get for `packages`; refreshing its lists may fail, since they may be good enough."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = [*prefix, "apt-get", "update", "-qq", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    if subprocess.run(update, env=environment, check=False).returncode != 0:
        print("warning: apt-get update failed; trying with the package lists that are here", file=sys.stderr)
    return subprocess.run(install_command(packages, prefix), env=environment, check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    """Check, print, and where it is allowed install. Returns 0 when everything is there in the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    also = parser.add_mutually_exclusive_group()
    also.add_argument("--test", action="store_true", help="also what the tests need")
    also.add_argument("--peers", action="store_true", help="only what make export-check needs on top of that")
    options = parser.parse_args(arguments)
    if reason := check_platform():
        print(reason, file=sys.stderr)
        return 1

    wanted = PEERS if options.peers else needs(options.test)
    missing = [need for need in wanted if not need.present()]
    if not missing:
        return 0
    print("Missing from the operating system:")
    for need in missing:
        print(f"  {need.package:18} {need.purpose}")
    packages = [need.package for need in missing]
    is_root = os.geteuid() == 0
    prefix = [] if is_root else ["sudo"]
    print(f"Debian and Ubuntu:\n  {shlex.join(install_command(packages, prefix))}", flush=True)
    if shutil.which("apt-get") is None:
        print("error: no apt-get here; install the equivalents of the packages above, then run again", file=sys.stderr)
        return 1
    if not is_root and os.environ.get("SUDO") != "1":
        print("error: run that command (or `make setup SUDO=1`), then run make again", file=sys.stderr)
        return 1
    if install(packages, prefix) != 0:
        print("error: apt-get failed (see above); run the command by hand, then make again", file=sys.stderr)
        return 1
    still = [need.package for need in missing if not need.present()]
    if still:
        print(f"error: installed, but still not usable: {', '.join(still)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
