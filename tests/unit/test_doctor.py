"""`gmps doctor` in words: a busy port, a full disk, a wrong machine; and the report as JSON."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from gmps_robot.cli import doctor

Usage = namedtuple("Usage", "total used free")


def test_a_taken_port_says_what_to_do() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        finding = doctor.check_port(holder.getsockname()[1])
    assert finding.status == "note"
    assert "cannot be used" in finding.detail
    assert "another port" in finding.advice


def test_a_full_disk_is_missing_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 100e6))
    assert doctor.check_disk(tmp_path).status == "missing"


def test_a_machine_without_ros_wheels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    finding = doctor.check_machine()
    assert finding.status == "missing"
    assert "no ROS 2 wheels" in finding.advice


def test_broken_ros_gives_the_error_itself_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = subprocess.CompletedProcess([], 1, "", "Traceback\n  deep\nImportError: librcl.so: cannot open\n")
    monkeypatch.setattr(doctor, "probe", lambda code: broken)
    (finding,) = doctor.check_ros()
    assert (finding.status, finding.detail) == ("missing", "ImportError: librcl.so: cannot open")
    assert "make setup" in finding.advice


def test_the_report_goes_to_json_and_the_exit_code_says_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [doctor.Finding("python", "ok", "3.11.7"), doctor.Finding("ros 2", "missing", "no rclpy", "make setup")]
    monkeypatch.setattr(doctor, "examine", lambda port: found)
    report = tmp_path / "reports" / "doctor.json"
    assert doctor.run(doctor.Doctor(json=report)) == 1
    assert json.loads(report.read_text())["ready"] is False
    assert json.loads(report.read_text())["findings"][1]["advice"] == "make setup"
    assert "missing: ros 2" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "examine", lambda port: found[:1])
    assert doctor.run(doctor.Doctor()) == 0


def test_without_opengl_the_doctor_says_what_draws_instead_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    error = "gmps_robot.errors.RenderError: no egl on this machine; install it with: apt-get install libegl1"

    def probe(code: str) -> subprocess.CompletedProcess[str]:
        broken = "video='gl'" in code
        return subprocess.CompletedProcess([], int(broken), "48 64 3\n", error if broken else "")

    monkeypatch.setattr(doctor, "probe", probe)
    twin, video = doctor.check_renderers()
    assert (twin.status, "64 x 48" in twin.detail) == ("ok", True)
    assert (video.status, "ray caster" in video.detail) == ("note", True)
    assert "apt-get install libegl1" in video.advice
