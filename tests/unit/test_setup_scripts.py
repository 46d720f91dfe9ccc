"""What a person meets while setting up: what is missing is named with the command that brings it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


apt_check = script("apt_check")
install_torch = script("install_torch")
browser = script("browser")
build_msgs = script("build_msgs")


@pytest.fixture
def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("g++", "c++", "cmake") else real(name))
    monkeypatch.delenv("SUDO", raising=False)


def no_command(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
    raise AssertionError("nothing may be run here")


@pytest.mark.usefixtures("without_a_compiler")
def test_a_user_is_shown_the_exact_command_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(apt_check, "install", no_command)
    assert apt_check.main([]) == 1
    shown = capsys.readouterr()
    assert "sudo apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 cmake g++" in shown.out
    assert "SUDO=1" in shown.err


@pytest.mark.usefixtures("without_a_compiler")
@pytest.mark.parametrize(("user", "sudo", "prefix"), [(0, "0", []), (1000, "1", ["sudo"])])
def test_root_or_sudo_runs_the_command(
    monkeypatch: pytest.MonkeyPatch, user: int, sudo: str, prefix: list[str]
) -> None:
    ran: list[list[str]] = []

    def record(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("SUDO", sudo)
    monkeypatch.setattr(apt_check, "has_venv", lambda: True)
    monkeypatch.setattr(subprocess, "run", record)
    assert apt_check.main([]) == 1  # the compiler is still not there afterwards, and that is said
    assert ran[0][: len(prefix) + 2] == [*prefix, "apt-get", "update"]
    assert ran[1] == apt_check.install_command(["cmake", "g++"], prefix)


def test_nothing_missing_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(apt_check, "needs", lambda tests: [apt_check.Need("g++", "building", lambda: True)])
    assert apt_check.main(["--test"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("system", "machine"), [("Linux", "aarch64"), ("Darwin", "arm64")])
def test_a_machine_without_ros_wheels_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], system: str, machine: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert apt_check.main([]) == 1
    assert f"{system} {machine}" in capsys.readouterr().err


@pytest.mark.usefixtures("without_a_compiler")
def test_building_messages_without_a_compiler_names_the_apt_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_msgs.main() == 1
    assert "sudo apt-get install -y cmake g++" in capsys.readouterr().err


def test_every_interface_of_the_package_is_probed_and_listed_for_cmake() -> None:
    cmake = (ROOT / "ros2_ws/src/gmps_msgs/CMakeLists.txt").read_text()
    listed = set(re.findall(r'"?((?:msg|srv|action)/\w+)\.(?:msg|srv|action)"?', cmake))
    assert set(build_msgs.interfaces()) == listed
    assert "action/Adapt" in listed


@pytest.mark.parametrize(
    ("wanted", "gpu", "offered", "index"),
    [
        ("auto", False, "2.13.0+cpu", None),  # pip is set up to find the CPU build
        ("auto", False, "2.13.0", "https://download.pytorch.org/whl/cpu"),  # the plain wheel is the CUDA build
        ("auto", True, "2.13.0", None),
        ("cpu", True, "2.13.0", "https://download.pytorch.org/whl/cpu"),
        ("cuda", False, "2.13.0+cpu", "https://download.pytorch.org/whl/cu130"),
        ("cpu", False, None, "https://download.pytorch.org/whl/cpu"),
    ],
)
def test_torch_build_fits_the_machine_and_the_wish(
    monkeypatch: pytest.MonkeyPatch, wanted: str, gpu: bool, offered: str | None, index: str | None
) -> None:
    calls: list[tuple[str, ...]] = []

    def record(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
        calls.append(arguments)
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(install_torch, "installed", lambda: None)
    monkeypatch.setattr(install_torch, "has_gpu", lambda: gpu)
    monkeypatch.setattr(install_torch, "offered", lambda: offered)
    monkeypatch.setattr(install_torch, "pip", record)
    assert install_torch.main([wanted]) == 0
    (call,) = calls
    assert call[-1] == "torch==2.13.*"
    assert (call[call.index("--index-url") + 1] if "--index-url" in call else None) == index


@pytest.mark.parametrize(("version", "wanted"), [("2.13.0+cpu", "auto"), ("2.13.1", "auto"), ("2.13.0+cpu", "cpu")])
def test_a_torch_that_fits_is_kept(monkeypatch: pytest.MonkeyPatch, version: str, wanted: str) -> None:
    monkeypatch.setattr(install_torch, "installed", lambda: version)
    monkeypatch.setattr(install_torch, "pip", no_command)
    assert install_torch.main([wanted]) == 0


def test_an_unknown_torch_build_names_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert install_torch.main(["cdua"]) == 2
    assert "auto, cpu, cuda" in capsys.readouterr().err


def test_constraints_hold_no_torch_no_host_and_pins_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.+!-]+", line) for line in lines), lines
    names = {line.partition("==")[0] for line in lines}
    assert not names & {"torch", "triton", "lark", "opencv-python"}
    assert {"mujoco", "nicegui", "ros-rclpy", "pytest"} <= names


def test_finding_python_refuses_one_that_is_too_old(tmp_path: Path) -> None:
    fake = tmp_path / "python3.9"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "scripts/find_python.sh")], env={**os.environ, "PYTHON": str(fake)}, capture_output=True, text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"PYTHON={fake} is not a working Python 3.11 or 3.12" in done.stderr


def test_ubuntu_gets_its_browser_elsewhere_because_its_package_is_a_snap(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {}
    for system in ("ubuntu", "debian"):
        monkeypatch.setattr("platform.freedesktop_os_release", lambda system=system: {"ID": system})
        packages[system] = {need.package for need in apt_check.needs(tests=True)}
    assert packages["debian"] - packages["ubuntu"] == {"chromium"}


@pytest.mark.parametrize("offered", [True, False])
def test_ros_1_is_asked_for_where_the_system_offers_it(monkeypatch: pytest.MonkeyPatch, offered: bool) -> None:
    monkeypatch.setattr(apt_check, "is_offered", lambda package: offered)
    packages = {need.package for need in apt_check.needs(tests=True)}
    assert ({"python3-rospy", "python3-rosmaster", "ros-sensor-msgs"} <= packages) is offered
    assert not {need.package for need in apt_check.needs(tests=False)} & set(apt_check.ROS1_PACKAGES)


def test_the_check_of_exports_asks_for_the_decoder_that_it_alone_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("SUDO", "")
    assert apt_check.main(["--peers"]) == 1
    assert capsys.readouterr().out.count("ffmpeg") == 2  # the need, and the command
    assert "ffmpeg" not in {need.package for need in apt_check.needs(tests=True)}


def test_a_browser_that_does_not_start_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = tmp_path / "chromium"
    stub.write_text("#!/bin/sh\necho 'install the snap' >&2\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browser, "download", lambda: None)
    assert browser.main() == 1
    assert "CHROMIUM=" in capsys.readouterr().err
    stub.write_text("#!/bin/sh\necho Chromium 150\n")
    assert browser.main() == 0
    assert capsys.readouterr().out.strip() == str(stub)
