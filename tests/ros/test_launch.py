"""One list of nodes: what `ros2 launch` and the supervisor make of it, and what a wrong argument is told."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from gmps_robot_nodes import bringup, domain, executables, stack

from gmps_robot.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[2] / "ros2_ws" / "src" / "gmps_robot"


class Recorded:
    """A launch action or substitution that only remembers what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def perform(self, context: Any) -> str:
        return str(context.launch_configurations[self.args[0]])


class Context:
    """What `OpaqueFunction` hands to its function."""

    def __init__(self, argv: list[str], values: dict[str, str]) -> None:
        self.argv, self.launch_configurations = argv, values


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """adapt.launch.py, imported with stand-ins for `launch` and `launch_ros`."""
    names = {
        "launch": ["LaunchDescription"],
        "launch.actions": ["DeclareLaunchArgument", "EmitEvent", "LogInfo", "OpaqueFunction", "SetEnvironmentVariable"],
        "launch.events": ["Shutdown"],
        "launch.substitutions": ["LaunchConfiguration", "PathJoinSubstitution"],
        "launch_ros": [],
        "launch_ros.actions": ["Node"],
        "launch_ros.parameter_descriptions": ["ParameterValue"],
        "launch_ros.substitutions": ["FindPackageShare"],
    }
    for name, classes in names.items():
        module = types.ModuleType(name)
        for each in classes:
            setattr(module, each, type(each, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    path = PACKAGE / "launch" / "adapt.launch.py"
    spec = importlib.util.spec_from_file_location("adapt_launch", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def launched(launch_file: types.ModuleType, **changes: str) -> list[Any]:
    """The Node actions for launch arguments."""
    return list(launch_file.start(Context([f"{k}:={v}" for k, v in changes.items()], {**stack.defaults(), **changes})))


def test_the_launch_file_declares_every_argument_with_description_and_choices(launch_file: types.ModuleType) -> None:
    (entities,) = launch_file.generate_launch_description().args
    declared = {e.args[0]: e.kwargs for e in entities if type(e).__name__ == "DeclareLaunchArgument"}
    assert set(declared) == set(stack.defaults())
    assert all(len(kwargs["description"]) > 15 for kwargs in declared.values())
    assert declared["speed"]["choices"] == ["realtime", "max"]
    assert declared["task"]["choices"] is None


SAWYER = {"robot": "sawyer", "master_uri": "http://arm.local:11311", "camera": "rtsp://camera/1"}


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"panel": "false"}, {"panel": "false", "record": "true"},
        {"speed": "max", "task": "7", "reward": "human"}, {"robot": "emulator"}, SAWYER,
        {"reward": "marker", "speed": "max"}, {"session": "teach"}, {"session": "calibrate"},
        {"session": "calibrate", "panel": "false", "reward": "marker"}, {**SAWYER, "session": "calibrate"},
    ],
)
def test_the_launch_file_and_the_supervisor_start_the_same_nodes_with_the_same_parameters(
    launch_file: types.ModuleType, changes: dict[str, str]
) -> None:
    by_launch = {}
    for node in launched(launch_file, **changes):
        parameters = {k: v.args[0] for k, v in node.kwargs["parameters"][1].items()}
        ends = [type(action).__name__ for action in node.kwargs["on_exit"]]
        spare = node.kwargs["executable"] == "recorder"
        assert ("EmitEvent" in ends) != spare, "the end of any node that is needed ends the launch"
        by_launch[node.kwargs["executable"]] = parameters
    by_supervisor = {}
    for start in stack.resolve({**stack.defaults(), **changes}, {}):
        words = bringup.command(start)
        given = dict(words[k + 1].split(":=", 1) for k, word in enumerate(words) if word == "-p")
        by_supervisor[start.node.name] = {name: yaml.safe_load(value) for name, value in given.items()}
        assert importlib.util.find_spec(words[2]) is not None
    assert by_launch == by_supervisor
    arms = {"twin": {"twin"}, "emulator": {"emulator", "sawyer_driver"}, "sawyer": {"sawyer_driver"}}
    with_page = changes.get("panel") != "false"
    if changes.get("session") == "calibrate":
        eyes, others = {"calibrator"}, {"conductor"}
    else:
        eyes = {"camera"} if changes.get("robot") == "sawyer" else set()
        eyes |= {"tracker"} if changes.get("reward") == "marker" else set()
        others = {"adapt", "conductor"} | ({"recorder"} if with_page or changes.get("record") == "true" else set())
    others |= {"panel"} if with_page else set()
    assert set(by_launch) == arms[changes.get("robot", "twin")] | eyes | others


def test_who_judges_and_where_the_master_is_follow_from_the_robot() -> None:
    def parameters(environment: dict[str, str], **changes: str) -> dict[str, Any]:
        starts = stack.resolve({**stack.defaults(), **changes}, environment)
        return {start.node.name: dict(start.parameters) for start in starts}

    lab = {"ROS_MASTER_URI": "http://arm.local:11311"}
    assert parameters({})["conductor"]["reward"] == "twin"
    sawyer = parameters(lab, robot="sawyer")
    assert sawyer["conductor"]["reward"] == "human"
    assert sawyer["sawyer_driver"]["master_uri"] == "http://arm.local:11311"
    assert parameters(lab, **SAWYER, panel="false")["sawyer_driver"]["master_uri"] == SAWYER["master_uri"]
    emulator = parameters({**lab, "ROS_DOMAIN_ID": "7"}, robot="emulator")  # never the lab's own robot
    assert emulator["emulator"]["master_uri"] == emulator["sawyer_driver"]["master_uri"] == "http://127.0.0.1:11418"


def test_every_executable_of_the_launch_file_is_installed_and_hands_over() -> None:
    scripts = re.findall(r'"(\w+) = gmps_robot_nodes\.executables:(\w+)"', (PACKAGE / "setup.py").read_text())
    installed = dict(scripts)
    assert set(installed) == {node.name for node in stack.NODES}
    for name in installed:
        assert callable(getattr(executables, installed[name]))
        assert (PACKAGE / "gmps_robot_nodes" / f"{name}_node.py").is_file()


def test_what_a_sourced_ros_imports_needs_nothing_of_the_project() -> None:
    for name in ("stack.py", "executables.py"):
        tree = ast.parse((PACKAGE / "gmps_robot_nodes" / name).read_text())
        roots = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert roots <= set(sys.stdlib_module_names), roots


def test_parameters_of_the_file_are_declared_by_the_nodes() -> None:
    file = yaml.safe_load((PACKAGE / "config" / "stack.yaml").read_text())
    sources = "".join(p.read_text() for p in (PACKAGE / "gmps_robot_nodes").glob("*.py"))
    assert set(file) == {node.name for node in stack.NODES}
    for node in file.values():
        for name in node["ros__parameters"]:
            assert f'"{name}"' in sources, f"no node declares {name}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["epsodes:=3"], "did you mean 'episodes'?"),
        (["speed:=maxi"], "did you mean 'max'?"),
        (["episodes:=many"], "expected a whole number"),
        (["panel_port:=70000"], "0 to 65535"),
        (["robot:=swayer"], "did you mean 'sawyer'?"),
        (["robot:=sawyer"], "needs the address of the robot: give master_uri:="),
        (["robot:=sawyer", "master_uri:=arm.local"], "master_uri=arm.local: expected http://HOST:PORT"),
        (["robot:=emulator", "master_uri:=http://127.0.0.1:many"], "expected http://HOST:PORT"),
        (["robot:=sawyer", "master_uri:=http://a:1", "reward:=twin"], "no simulated scene that could judge"),
        (["robot:=emulator", "reward:=marker"], "the emulator's block carries no marker; valid: twin, human"),
        (["robot:=emulator", "rig:=lab.yaml"], "the emulator has the camera of rig nominal"),
        (["robot:=emulator", "speed:=max"], "runs in real time"),
        (["session:=teach", "panel:=false"], "valid: panel:=true"),
        (["session:=teach", "speed:=max"], "session:=teach: a person moves the arm in real time"),
        (["session:=calibrate", "speed:=max"], "session:=calibrate: a person moves the arm in real time"),
        (["session:=calibrat"], "did you mean 'calibrate'?"),
        (["setup:=eye_on_hand"], "valid: eye_in_hand, eye_to_hand"),
        (["task=7"], "not of the form name:=value"),
    ],
)
def test_a_wrong_argument_is_told_what_is_right(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        bringup.run(words, {})


def test_the_launch_file_refuses_a_misspelt_argument_but_not_one_of_an_including_file(
    launch_file: types.ModuleType,
) -> None:
    with pytest.raises(stack.ArgumentError, match="did you mean 'episodes'"):
        launch_file.start(Context(["epsodes:=3"], stack.defaults()))
    assert launch_file.start(Context(["my_gripper:=left"], stack.defaults()))


def test_a_sourced_ros_is_dropped_but_how_nodes_find_each_other_is_kept(tmp_path: Path) -> None:
    kept = {"ROS_DOMAIN_ID": "5", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "HOME": "/root"}
    sourced = {"PYTHONPATH": "/opt/ros/jazzy/lib", "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib", "ROS_DISTRO": "jazzy",
               "AMENT_PREFIX_PATH": "/opt/ros/jazzy", "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}  # fmt: skip
    assert executables.clean({**kept, **sourced}) == kept
    python = tmp_path / ".venv" / "bin" / "python"
    installed = tmp_path / "install" / "lib" / "executables.py"
    with pytest.raises(executables.NoEnvironmentError, match="make setup"):
        executables.find_python({}, installed)
    python.parent.mkdir(parents=True)
    python.touch()
    assert executables.find_python({}, installed) == python
    assert executables.find_python({"GMPS_VENV": str(tmp_path / ".venv")}, Path("/elsewhere/x.py")) == python


def test_a_stack_takes_a_domain_where_nobody_is_and_leaves_what_the_user_has_set() -> None:
    taken = domain.first_free(range(1, 102), domain.is_free)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as discovery:
        discovery.bind(("", 7400 + 250 * taken + 12))  # where the second process of that domain listens
        made = domain.environment({}, domain.is_free, start=taken - 1)
        assert made["ROS_DOMAIN_ID"] != str(taken)
        assert made["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert Path(made["FASTRTPS_DEFAULT_PROFILES_FILE"]).is_file()
    own = {"ROS_DOMAIN_ID": str(taken), "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    assert own.items() <= domain.environment(own, domain.is_free, start=0).items()


def supervisor(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != "ROS_DOMAIN_ID"}
    return subprocess.Popen(
        [sys.executable, "-m", "gmps_robot_nodes.bringup", "panel:=false", "speed:=max", f"out:={folder}", *words],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
    )  # fmt: skip


@pytest.mark.realtime
def test_the_supervisor_runs_goals_to_a_table_and_a_file(tmp_path: Path, checkpoint: str) -> None:
    run = supervisor(
        tmp_path, f"checkpoint:={checkpoint}", "goals:=2", "episodes:=2", "evaluations:=1", "film:=false", "task:=3"
    )
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output
    assert "adapt  episode 2 of 2" in output
    assert "mean of 2" in output
    stored = yaml.safe_load((tmp_path / "goals.json").read_text())
    assert [row["task_id"] for row in stored["goals"]] == ["push-test-s0-3", "push-test-s0-4"]
    assert set(stored["success"]) == {"pre", "post"}


def test_a_node_that_dies_ends_the_stack_and_says_which(tmp_path: Path) -> None:
    run = supervisor(tmp_path, "checkpoint:=/nowhere")
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 1, output
    assert "no checkpoint at '/nowhere'" in output
    assert "node adapt, which is unconfigured, could not be brought up" in output


def test_ctrl_c_ends_every_process(tmp_path: Path, checkpoint: str) -> None:
    run = supervisor(tmp_path, f"checkpoint:={checkpoint}", "episodes:=20", "film:=false")
    assert run.stdout is not None
    for line in run.stdout:
        if "before episode 1" in line:
            break
    children = [int(p) for p in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
    assert len(children) == 3
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode == 130
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.skipif(shutil.which("ros2") is None, reason="needs a sourced ROS 2 with ros2launch, which is not on PyPI")
def test_real_ros2_launch_shows_the_arguments() -> None:
    shown = subprocess.run(
        ["ros2", "launch", str(PACKAGE / "launch" / "adapt.launch.py"), "--show-args"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "'episodes':" in shown.stdout
