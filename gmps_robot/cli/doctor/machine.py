"""This machine, whatever the robot: Python, packages, the panel's port, disk, shared memory, clock."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from gmps_robot.cli.doctor import finding
from gmps_robot.cli.doctor.finding import Finding, last_line, version_of

DISK_GIGABYTES = 2.0
SHARED_MEMORY_MEGABYTES = 256.0
OPENCV = (4, 14)  # older ones put corners of calibration boards 0.5 pixel off
UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
TIMEX_BYTES = 256  # more than struct timex has


def check_python() -> Finding:
    """The interpreter."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("python", "ok", f"{version} at {sys.prefix}")
    return Finding("python", "problem", f"{version} is not supported", "make setup PYTHON=python3.12")


def check_machine() -> Finding:
    """Processor and system: the ROS 2 wheels exist for Linux x86-64 only."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        return Finding("machine", "ok", machine)
    advice = "there are no ROS 2 wheels for it; train here, and run the nodes on an x86-64 machine"
    return Finding("machine", "problem", machine, advice)


def check_torch() -> Finding:
    """Torch, its threads and CUDA."""
    try:
        import torch
    except ImportError as error:
        return Finding("torch", "problem", str(error), "make setup")
    if torch.cuda.is_available():
        return Finding("torch", "ok", f"{torch.__version__}, CUDA on {torch.cuda.get_device_name(0)}")
    return Finding("torch", "ok", f"{torch.__version__}, CPU, {torch.get_num_threads()} threads")


def check_packages() -> Iterator[Finding]:
    """The packages a user meets in error messages."""
    for name in ("numpy", "mujoco", "numba", "nicegui", "rosbags"):
        version = version_of(name)
        yield Finding(name, "ok", version) if version else Finding(name, "problem", "not installed", "make setup")


def check_opencv() -> Finding:
    """OpenCV by what it can do: another package may have replaced its files."""
    code = "import cv2; print(cv2.__version__, hasattr(cv2, 'calibrateHandEye'))"
    told = finding.probe(code)
    if told.returncode != 0:
        return Finding("opencv", "problem", last_line(told.stderr), "make setup")
    version, hand_eye = told.stdout.split()
    number = tuple(int(part) for part in version.split(".")[:2])
    others = [name for name in ("opencv-python", "opencv-contrib-python") if version_of(name)]
    if number >= OPENCV and hand_eye == "True":
        return Finding("opencv", "ok", version)
    detail = f"{version}, {'no' if hand_eye != 'True' else 'with'} calibrateHandEye; 4.14 or a later 4.x is needed"
    remove = f"pip uninstall {' '.join(others)}, then " if others else ""
    return Finding("opencv", "problem", detail, f"{remove}pip install --force-reinstall 'opencv-python-headless<5'")


def check_port(port: int) -> Finding:
    """The panel's port on the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            advice = "stop the program that holds it (ss -ltnp), or choose another port for the panel"
            return Finding("panel port", "note", f"{port} cannot be used: {error.strerror}", advice)
    return Finding("panel port", "ok", f"{port} is free")


def check_disk(where: Path) -> Finding:
    """Room for episodes and checkpoints."""
    free = shutil.disk_usage(where).free / 1e9
    detail = f"{free:.1f} GB free in {where}"
    if free >= DISK_GIGABYTES:
        return Finding("disk", "ok", detail)
    return Finding("disk", "problem", detail, f"make room: {DISK_GIGABYTES:.0f} GB are needed")


def check_shared_memory(where: Path = Path("/dev/shm")) -> Finding:
    """DDS passes images between processes through shared memory."""
    if not where.is_dir():
        return Finding("shared memory", "note", f"no {where}", "images travel over UDP instead, more slowly")
    free = shutil.disk_usage(where).free / 1e6
    detail = f"{free:.0f} MB free in {where}"
    if free >= SHARED_MEMORY_MEGABYTES:
        return Finding("shared memory", "ok", detail)
    return Finding("shared memory", "note", detail, "in a container: --ipc=host or --shm-size=1g")


def kernel_clock() -> int:
    """Return what adjtimex(2) says of the clock: 5 when nothing keeps it in time."""
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))


def check_clock() -> Finding:
    """Whether something keeps the clock in time. Control does not need it; stamps of several machines do."""
    if kernel_clock() == UNSYNCHRONISED:
        advice = "sudo apt-get install chrony; else records of several machines cannot be laid side by side"
        return Finding("clock", "note", "nothing keeps this machine's clock in time", advice)
    return Finding("clock", "ok", "kept in time")
