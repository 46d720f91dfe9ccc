"""`make`: a second run does nothing, a change redoes what hangs on it and no more, and mistakes are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAMPS = ("apt", "apt-test", "venv", "torch-auto", "deps", "msgs", "dev")
INPUTS = ("Makefile", "pyproject.toml", "constraints.txt", "scripts", "ros2_ws/src")
SETTINGS = ("PYTHON", "TORCH", "SUDO", "ARGS")  # make hands those of its command line to what it runs
PLAN = ("--dry-run", "setup-test")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what make looks at, an hour old, with every stamp in place."""
    for name in INPUTS:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    age = time.time() - 3600
    for path in tmp_path.rglob("*"):
        os.utime(path, (age, age))
    stamps = tmp_path / ".venv" / ".stamps"
    stamps.mkdir(parents=True)
    for position, name in enumerate(STAMPS):
        (stamps / name).touch()
        os.utime(stamps / name, (age + 60 + position, age + 60 + position))
    return tmp_path


def make(where: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    cleared = {
        name: value for name, value in os.environ.items()
        if name not in SETTINGS and not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *arguments], cwd=where, env={**cleared, **environment}, capture_output=True, text=True, check=False
    )


def test_a_second_setup_does_nothing_and_takes_under_a_second(checkout: Path) -> None:
    before = os.times()
    done = make(checkout, "setup-test")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout
    after = os.times()
    assert sum(after[2:4]) - sum(before[2:4]) < 1.0  # of the processor: the machine may do other things


@pytest.mark.parametrize(
    ("changed", "redone", "left"),
    [
        ("constraints.txt", ["pip", "[dev,postgres]"], ["-m venv", "install_torch", "build_msgs"]),
        ("ros2_ws/src/gmps_msgs/msg/AdaptStatus.msg", ["build_msgs"], ["-m venv", "install_torch", "pip"]),
        ("scripts/install_torch.py", ["install_torch"], ["-m venv", "build_msgs"]),
    ],
)
def test_a_change_redoes_what_hangs_on_it_and_no_more(
    checkout: Path, changed: str, redone: list[str], left: list[str]
) -> None:
    (checkout / changed).touch()
    plan = make(checkout, *PLAN).stdout
    for step in redone:
        assert step in plan
    for step in left:
        assert step not in plan


def test_another_torch_build_is_installed_when_asked_for(checkout: Path) -> None:
    assert "install_torch.py cuda" in make(checkout, *PLAN, "TORCH=cuda").stdout


def test_a_fresh_clone_does_every_step_in_order(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    plan = make(checkout, *PLAN).stdout
    extras = "[sim,calibration,data,export,panel,sawyer,ros,ros-build]"
    steps = ["apt_check.py", "-m venv", "install_torch.py", extras, "build_msgs.py", "[dev,postgres]"]
    places = [plan.index(step) for step in steps]
    assert places == sorted(places)


def test_adapt_hands_its_arguments_to_the_supervisor(checkout: Path) -> None:
    plan = make(checkout, "--dry-run", "adapt", "ARGS=task:=7 episodes:=10").stdout
    assert plan.strip() == ".venv/bin/python -m gmps_robot_nodes.bringup task:=7 episodes:=10"


def test_a_python_that_does_not_work_is_named(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = make(checkout, "setup", PYTHON="/nonexistent/python3.12")
    assert done.returncode != 0
    assert "PYTHON=/nonexistent/python3.12 is not a working Python 3.11 or 3.12" in done.stderr


def test_the_check_from_a_fresh_clone_is_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_help_names_every_target_a_person_types() -> None:
    shown = make(ROOT, "help").stdout
    for target in ("adapt", "test", "lint", "bench", "results", "clean"):
        assert f"make {target} " in shown
