"""Who may import whom: the contracts hold, they cover every room, and each promise is also tried in a real process."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} was imported by " + {module!r})
sys.meta_path.insert(0, Blocked())
import {module}
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold() -> None:
    done = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_notice_a_forbidden_import(tmp_path: Path) -> None:
    """A copy of the library with one bad line in it breaks exactly the contract that forbids the line."""
    rooms = tmp_path / "gmps_robot"
    for name in ("types", "errors"):
        (rooms / f"{name}.py").parent.mkdir(exist_ok=True)
        (rooms / f"{name}.py").write_text("")
    (rooms / "__init__.py").write_text("")
    (rooms / "learning").mkdir()
    (rooms / "learning" / "__init__.py").write_text("import mujoco\n")
    contracts = configparser.ConfigParser()
    contracts["importlinter"] = {"root_packages": "\ngmps_robot", "include_external_packages": "True"}
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / ".importlinter")
    section = dict(parsed["importlinter:contract:mujoco"])
    contracts["importlinter:contract:mujoco"] = {**section, "source_modules": "\ngmps_robot"}
    with (tmp_path / ".importlinter").open("w") as file:
        contracts.write(file)
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as lint; lint()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gmps_robot.learning -> mujoco" in done.stdout


def test_every_room_is_covered_by_a_contract() -> None:
    contracts = (ROOT / ".importlinter").read_text()
    listed = {line.strip() for line in contracts.splitlines()}
    entries = (ROOT / "gmps_robot").iterdir()
    rooms = {f"gmps_robot.{p.stem}" for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"gmps_robot.__init__", "gmps_robot.cli"} <= listed


@pytest.mark.parametrize(
    ("module", "blocked"),
    [
        ("gmps_robot.learning.gmps", {"rclpy", "mujoco", "fastapi", "nicegui", "sim", "calibration"}),
        ("gmps_robot.learning.sac", {"rclpy", "mujoco", "fastapi", "nicegui", "sim", "calibration"}),
        ("gmps_robot.control.session", {"rclpy", "mujoco", "fastapi", "nicegui", "sim", "calibration"}),
        ("gmps_robot.families", {"rclpy", "mujoco", "torch", "sim"}),
        ("sim.twin", {"rclpy", "fastapi", "nicegui"}),
        ("sim.training", {"rclpy", "rosbags", "mcap", "fastapi"}),
        ("gmps_robot.panel.app", {"rclpy", "mujoco", "sim", "torch"}),
    ],
)
def test_a_room_imports_with_the_others_taken_away(module: str, blocked: set[str]) -> None:
    done = run(sys.executable, "-c", BLOCK.format(blocked=sorted(blocked), module=module))
    assert done.returncode == 0, done.stderr


def test_sim_and_calibration_come_from_this_checkout() -> None:
    code = "import sim, calibration, gmps_robot; print(sim.__file__, calibration.__file__, gmps_robot.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    for path in done.stdout.split():
        assert ROOT in Path(path).parents
