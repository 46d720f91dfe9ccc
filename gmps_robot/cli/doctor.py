"""gmps doctor: what works on this machine, and how to get what does not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ok", "note", "missing"]
PANEL_PORT = 8080
DISK_GIGABYTES = 2.0
SHARED_MEMORY_MEGABYTES = 256.0
PROBE_SECONDS = 120  # the first image compiles the ray caster
TWIN = "from gmps_robot.families import family; from sim.twin import Twin; twin = Twin(family('push'), {}); "


@dataclass(frozen=True)
class Doctor:
    """Say in plain words what works on this machine: Python, torch, the twin, its renderers, ROS 2, the port, the disk.

    Every line that is not `ok` says what to do. The exit code is 1 when something that the project needs is missing.

    Example:
        gmps doctor --json doctor.json
    """

    json: Path | None = None
    """Also write the findings to this file."""
    port: int = PANEL_PORT
    """The port the panel would use."""


@dataclass(frozen=True)
class Finding:
    """One line of the report. `advice` says what to do; empty when there is nothing to do."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def check_python() -> Finding:
    """The interpreter."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("python", "ok", f"{version} at {sys.prefix}")
    return Finding("python", "missing", f"{version} is not supported", "make setup PYTHON=python3.12")


def check_machine() -> Finding:
    """Processor and system: the ROS 2 wheels exist for Linux x86-64 only."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        return Finding("machine", "ok", machine)
    advice = "there are no ROS 2 wheels for it; train here, and run the nodes on an x86-64 machine"
    return Finding("machine", "missing", machine, advice)


def check_torch() -> Finding:
    """Torch, its threads and CUDA."""
    try:
        import torch
    except ImportError as error:
        return Finding("torch", "missing", str(error), "make setup")
    if torch.cuda.is_available():
        return Finding("torch", "ok", f"{torch.__version__}, CUDA on {torch.cuda.get_device_name(0)}")
    return Finding("torch", "ok", f"{torch.__version__}, CPU, {torch.get_num_threads()} threads")


def check_packages() -> Iterator[Finding]:
    """The packages a user meets in error messages."""
    for name in ("numpy", "mujoco", "numba", "opencv-python-headless", "nicegui"):
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "missing", "not installed", "make setup")


def check_renderers() -> Iterator[Finding]:
    """The twin, its policy images, and video frames for people, in processes that may crash in a graphics driver."""
    images = probe(TWIN.format("video='rays'") + "print(*twin.image().shape)")
    if images.returncode != 0:
        yield Finding("twin", "missing", last_line(images.stderr), "make setup")
        return
    fast = importlib.util.find_spec("numba") is not None
    height, width, _ = images.stdout.split()
    drawn = f"{width} x {height} policy images by " + ("the fast ray caster" if fast else "MuJoCo's rays")
    slow = "" if fast else "pip install numba makes them some 40 times faster"
    yield Finding("twin", "ok" if fast else "note", drawn, slow)
    frames = probe(TWIN.format("video='gl'") + "twin.video_frame(48, 64)")
    if frames.returncode == 0:
        yield Finding("video", "ok", f"OpenGL ({os.environ.get('MUJOCO_GL', 'egl')})")
    else:
        yield Finding("video", "note", "frames come from the ray caster", last_line(frames.stderr))


def check_ros() -> Iterator[Finding]:
    """ROS 2 and our messages, in a fresh process, because importing them here would tie the doctor to ROS."""
    wheels = probe("import rclpy; print(rclpy.get_rmw_implementation_identifier())")
    if wheels.returncode != 0:
        yield Finding("ros 2", "missing", last_line(wheels.stderr), "make setup")
        return
    yield Finding("ros 2", "ok", f"rclpy {version_of('ros-rclpy')} with {wheels.stdout.strip()}")
    messages = probe("import gmps_msgs.msg, gmps_msgs.srv, gmps_msgs.action, gmps_robot_nodes")
    if messages.returncode != 0:
        yield Finding("messages", "missing", last_line(messages.stderr), "make setup (needs g++ and cmake)")
    else:
        yield Finding("messages", "ok", "gmps_msgs and gmps_robot_nodes import")
    domain, reach = os.environ.get("ROS_DOMAIN_ID", "0"), os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    yield Finding("discovery", "ok", f"domain {domain}, range {reach}")


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
    return Finding("disk", "missing", detail, f"make room: {DISK_GIGABYTES:.0f} GB are needed")


def check_shared_memory(where: Path = Path("/dev/shm")) -> Finding:
    """DDS passes images between processes through shared memory."""
    if not where.is_dir():
        return Finding("shared memory", "note", f"no {where}", "images travel over UDP instead, more slowly")
    free = shutil.disk_usage(where).free / 1e6
    detail = f"{free:.0f} MB free in {where}"
    if free >= SHARED_MEMORY_MEGABYTES:
        return Finding("shared memory", "ok", detail)
    return Finding("shared memory", "note", detail, "in a container: --ipc=host or --shm-size=1g")


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
    """Return an installed version, or a question mark."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "?"


def examine(port: int) -> list[Finding]:
    """Return all findings."""
    single: list[Callable[[], Finding]] = [check_python, check_machine, check_torch]
    findings = [check() for check in single]
    findings += [*check_packages(), *check_renderers(), *check_ros()]
    return [*findings, check_port(port), check_disk(Path.cwd()), check_shared_memory()]


def run(options: Doctor) -> int:
    """Print the report; returns 1 when something needed is missing."""
    findings = examine(options.port)
    for finding in findings:
        print(f"{finding.status:8} {finding.name:24} {finding.detail}")
        if finding.advice:
            print(f"{'':8} {'':24} -> {finding.advice}")
    missing = [finding.name for finding in findings if finding.status == "missing"]
    print(f"\nmissing: {', '.join(missing)}" if missing else "\nThis machine is ready: make adapt")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"ready": not missing, "findings": [asdict(finding) for finding in findings]}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 1 if missing else 0
