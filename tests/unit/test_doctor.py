"""`gmps doctor` in words, each thing broken on purpose; and the report as JSON, with an exit code that counts."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from gmps_robot.cli import doctor
from gmps_robot.cli.doctor import camera, finding, machine, robot, ros
from gmps_robot.cli.doctor.finding import Finding
from gmps_robot.rig import SHIPPED
from gmps_robot.sawyer.inspection import Answer

Usage = namedtuple("Usage", "total used free")


def broken(error: str) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A probe in which everything fails."""
    return lambda code: subprocess.CompletedProcess([], 1, "", f"Traceback\n  deep\n{error}\n")


def printing(text: str) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A probe that prints `text`."""
    return lambda code: subprocess.CompletedProcess([], 0, text, "")


def test_a_taken_port_says_what_to_do() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        found = machine.check_port(holder.getsockname()[1])
    assert found.status == "note"
    assert "cannot be used" in found.detail
    assert "another port" in found.advice


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 100e6))
    assert machine.check_disk(tmp_path).status == "problem"
    assert "0.1 GB free" in machine.check_disk(tmp_path).detail


def test_little_shared_memory_is_noted_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 64e6))
    found = machine.check_shared_memory(tmp_path)
    assert (found.status, "--ipc=host" in found.advice) == ("note", True)
    assert machine.check_shared_memory(tmp_path / "none").status == "note"


def test_a_machine_without_ros_wheels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    found = machine.check_machine()
    assert found.status == "problem"
    assert "no ROS 2 wheels" in found.advice


@pytest.mark.parametrize(("answer", "status"), [(5, "note"), (0, "ok")])
def test_a_clock_that_nothing_keeps_is_noted(monkeypatch: pytest.MonkeyPatch, answer: int, status: str) -> None:
    assert machine.kernel_clock() in range(6)
    monkeypatch.setattr(machine, "kernel_clock", lambda: answer)
    assert machine.check_clock().status == status


@pytest.mark.parametrize(
    ("printed", "status", "part"),
    [
        ("4.14.0 True", "ok", "4.14.0"),
        ("4.13.0 True", "problem", "4.14 or a later 4.x"),
        ("5.0.0 False", "problem", "no calibrateHandEye"),
    ],
)
def test_opencv_is_judged_by_what_it_can_do(
    monkeypatch: pytest.MonkeyPatch, printed: str, status: str, part: str
) -> None:
    monkeypatch.setattr(finding, "probe", printing(printed))
    monkeypatch.setattr(machine, "version_of", lambda name: "5.0.0" if name == "opencv-python" else "")
    found = machine.check_opencv()
    assert (found.status, part in found.detail) == (status, True)
    assert ("pip uninstall opencv-python, then" in found.advice) == (status == "problem")


def test_a_missing_package_and_a_broken_opencv_say_make_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "version_of", lambda name: "" if name == "rosbags" else "1")
    assert [found.name for found in machine.check_packages() if found.status == "problem"] == ["rosbags"]
    monkeypatch.setattr(finding, "probe", broken("ImportError: libGL.so.1"))
    assert machine.check_opencv() == Finding("opencv", "problem", "ImportError: libGL.so.1", "make setup")


def test_broken_ros_gives_the_error_itself_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "probe", broken("ImportError: librcl.so: cannot open"))
    (found,) = ros.check_ros()
    assert (found.status, found.detail) == ("problem", "ImportError: librcl.so: cannot open")
    assert "make setup" in found.advice


@pytest.mark.parametrize(
    ("domain", "free", "status"),
    [(None, "True", "ok"), ("42", "True", "ok"), ("42", "False", "note"), ("500", "True", "problem"),
     ("robot", "True", "problem")],
)  # fmt: skip
def test_the_ros_domain(monkeypatch: pytest.MonkeyPatch, domain: str | None, free: str, status: str) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    if domain is not None:
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    monkeypatch.setattr(finding, "probe", printing(free))
    assert ros.check_domain().status == status


def test_a_graph_that_the_network_can_reach_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    assert "whoever is on the network" in ros.check_reach().detail
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    assert ros.check_reach().status == "ok"


def test_without_opengl_the_doctor_says_what_draws_instead_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    error = "gmps_robot.errors.RenderError: no egl on this machine; install it with: apt-get install libegl1"

    def probe(code: str) -> subprocess.CompletedProcess[str]:
        fails = "video='gl'" in code
        return subprocess.CompletedProcess([], int(fails), "48 64 3\n", error if fails else "")

    monkeypatch.setattr(finding, "probe", probe)
    twin, video = ros.check_renderers()
    assert (twin.status, "64 x 48" in twin.detail) == ("ok", True)
    assert (video.status, "ray caster" in video.detail) == ("note", True)
    assert "apt-get install libegl1" in video.advice


def recording(folder: Path, values: Sequence[int]) -> str:
    """A folder of pictures at 25 per second."""
    folder.mkdir()
    for i, value in enumerate(values):
        cv2.imwrite(str(folder / f"{10**18 + i * 40_000_000}.jpg"), np.full((480, 640, 3), value, np.uint8))
    return str(folder)


def only_camera(name: str, rig: str = "nominal", seconds: float = 0.6) -> Finding:
    return list(camera.check_camera(name, rig, seconds))[-1]


def test_a_camera_that_works_is_told_with_its_figures(tmp_path: Path) -> None:
    found = only_camera(recording(tmp_path / "good", range(50, 150, 10)), seconds=2.0)
    assert (found.status, "640 x 480" in found.detail) == ("ok", True)


def test_each_fault_of_a_camera_is_named(tmp_path: Path) -> None:
    absent = only_camera("/dev/video77")
    assert (absent.status, "no such device" in absent.detail) == ("problem", True)
    dark = only_camera(recording(tmp_path / "dark", range(9)), seconds=2.0)
    assert (dark.status, "the picture is dark" in dark.detail) == ("note", True)
    frozen = only_camera(recording(tmp_path / "frozen", [90] * 10), seconds=2.0)
    assert (frozen.status, "the same picture again and again" in frozen.detail) == ("problem", True)
    small = tmp_path / "small.yaml"
    raw = yaml.safe_load((SHIPPED / "nominal.yaml").read_text())
    raw["camera"] = {**raw["camera"], "width": 1280, "height": 720}
    small.write_text(yaml.safe_dump(raw))
    other = only_camera(str(tmp_path / "dark"), str(small))
    assert (other.status, "gives images of 640x480; the rig was calibrated with 1280x720" in other.detail) == (
        "problem", True,
    )  # fmt: skip


def test_a_rig_that_is_not_there_or_not_measured_is_told() -> None:
    (found,) = camera.check_camera("0", "nominall")
    assert (found.status, "did you mean 'nominal'" in found.detail) == ("problem", True)
    assert next(camera.check_camera("topic", "nominal")).status == "note"


def test_the_robots_answers_become_lines() -> None:
    answers = [Answer("a", True, "fine"), Answer("b", True, "hm", "do"), Answer("c", False, "no", "mend")]
    assert [found.status for found in robot.findings(answers)] == ["ok", "note", "problem"]


def test_a_robot_without_an_address_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_MASTER_URI", raising=False)
    (found,) = robot.check_robot("sawyer", "")
    assert (found.status, "--master-uri" in found.advice) == ("problem", True)
    (found,) = robot.check_robot("sawyer", "http://127.0.0.1:9")
    assert (found.name, found.status) == ("master", "problem")
    assert list(robot.check_robot("twin", "")) == []


def test_an_emulator_that_cannot_run_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.emulator.children.missing", lambda: "/usr/bin/python3 has no rospy")
    (found,) = robot.check_robot("emulator", "")
    assert (found.name, found.status, found.detail) == ("emulator", "problem", "/usr/bin/python3 has no rospy")


def test_the_report_goes_to_json_and_the_exit_code_counts_problems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        Finding("python", "ok", "3.11.7"), Finding("clock", "note", "late", "chrony"),
        Finding("ros 2", "problem", "no rclpy", "make setup"), Finding("disk", "problem", "full", "make room"),
    ]  # fmt: skip

    def examine(_: Any) -> Iterator[Finding]:
        yield from found

    monkeypatch.setattr(doctor, "examine", examine)
    report = tmp_path / "reports" / "doctor.json"
    assert doctor.run(doctor.Doctor(robot="sawyer", json=report)) == 2
    written = json.loads(report.read_text())
    assert (written["ready"], written["problems"], written["robot"]) == (False, 2, "sawyer")
    assert written["findings"][2]["advice"] == "make setup"
    assert "2 to mend before robot:=sawyer runs: ros 2, disk" in capsys.readouterr().out
    found[2:] = []
    assert doctor.run(doctor.Doctor()) == 0
    assert "Fit to run: make adapt" in capsys.readouterr().out
