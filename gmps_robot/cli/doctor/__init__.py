"""gmps doctor: is this machine, this robot and this camera fit to run; and what to do where not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from gmps_robot.cli.doctor import camera, machine, robot, ros
from gmps_robot.cli.doctor.finding import Finding

PANEL_PORT = 8080
MOST_PROBLEMS = 100  # exit codes above mean other things to a shell
LAUNCH = {
    "twin": "make adapt",
    "emulator": 'make adapt ARGS="robot:=emulator"',
    "sawyer": 'make adapt ARGS="robot:=sawyer"; bring the arm up by docs/hardware.md first',
}


@dataclass(frozen=True)
class Doctor:
    """Say in plain words whether everything is fit to run: this machine, and with --robot the arm and its camera.

    Every line that is not `ok` says what to do: a `note` runs all the same, a `problem` does not. Nothing moves, and
    nothing is written to the robot. The exit code is the number of problems.

    Example:
        gmps doctor --robot emulator --json doctor.json
    """

    robot: Literal["twin", "emulator", "sawyer"] = "twin"
    """What is to be run: the twin, the emulated arm (started for the purpose), or the real one."""
    master_uri: str = ""
    """The robot's ROS 1 master, http://HOST:PORT; empty: ROS_MASTER_URI."""
    camera: str = ""
    """Also try this camera, as the launch argument `camera`; the real arm is always asked for one (0)."""
    rig: str = "nominal"
    """Calibration of the rig, as the launch argument `rig`."""
    port: int = PANEL_PORT
    """The port the panel would use."""
    json: Path | None = None
    """Also write the findings to this file."""


def examine(options: Doctor) -> Iterator[Finding]:
    """Yield the findings, one by one as they are made."""
    yield machine.check_python()
    yield machine.check_machine()
    yield machine.check_torch()
    yield from machine.check_packages()
    yield machine.check_opencv()
    yield from ros.check_renderers()
    yield from ros.check_ros()
    yield ros.check_domain()
    yield ros.check_reach()
    yield machine.check_port(options.port)
    yield machine.check_disk(Path.cwd())
    yield machine.check_shared_memory()
    yield machine.check_clock()
    yield from robot.check_robot(options.robot, options.master_uri)
    if options.camera or options.robot == "sawyer":
        yield from camera.check_camera(options.camera or "0", options.rig)


def told(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding when it comes and return them all."""
    kept = []
    for found in findings:
        print(f"{found.status:8} {found.name:20} {found.detail}", flush=True)
        if found.advice:
            print(f"{'':8} {'':20} -> {found.advice}", flush=True)
        kept.append(found)
    return kept


def run(options: Doctor) -> int:
    """Print the report; returns the number of problems."""
    findings = told(examine(options))
    problems = [found.name for found in findings if found.status == "problem"]
    if problems:
        print(f"\n{len(problems)} to mend before robot:={options.robot} runs: {', '.join(problems)}")
    else:
        print(f"\nFit to run: {LAUNCH[options.robot]}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "robot": options.robot, "ready": not problems, "problems": len(problems),
            "findings": [asdict(found) for found in findings],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return min(len(problems), MOST_PROBLEMS)
