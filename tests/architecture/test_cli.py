"""`gmps`: help answers at once and imports nothing heavy; every command explains itself; mistakes are one message."""

from __future__ import annotations

import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gmps_robot.cli.main import COMMANDS, main, options_type

ROOT = Path(__file__).parents[2]
HELP_CPU_SECONDS = 0.5


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def gmps(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gmps_robot.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_takes_under_half_a_second_of_processor() -> None:
    gmps("--help")  # compiles the bytecode once
    spent = []
    for _ in range(3):
        before = children_cpu()
        assert gmps("--help").returncode == 0
        spent.append(children_cpu() - before)
    assert min(spent) < HELP_CPU_SECONDS


def test_help_imports_neither_torch_nor_mujoco_nor_tyro() -> None:
    code = (
        "import sys; from gmps_robot.cli.main import main; main(['--help']);"
        "print(sorted({'torch', 'mujoco', 'tyro', 'numpy', 'rclpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert name in shown
        assert command.example in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_to_copy(name: str) -> None:
    done = gmps(*name.split(), "--help")
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.replace("│", " ").split())
    assert COMMANDS[name].example in shown
    assert f"usage: gmps {name}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_every_command_parses(name: str) -> None:
    import importlib

    import tyro

    module = importlib.import_module(COMMANDS[name].module)
    words = name.split()
    example = COMMANDS[name].example.split()
    assert example[: 1 + len(words)] == ["gmps", *words]
    tyro.cli(options_type(module.run), args=example[1 + len(words) :])


def test_a_misspelt_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta-trian"]) == 2
    assert "did you mean 'meta-train'" in capsys.readouterr().err


def test_a_group_lists_its_commands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "gmps data recover" in shown
    assert "meta-train" not in shown
    assert main(["data", "recvoer"]) == 2
    assert "did you mean 'data recover'" in capsys.readouterr().err


def test_a_missing_checkpoint_is_one_message_and_exit_code_2() -> None:
    done = gmps("evaluate", "no-such-checkpoint")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "no-such-checkpoint" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_console_script_is_the_same_program() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"gmps": "gmps_robot.cli.main:main"}
