"""The emulator's processes: how they start, what they say when they cannot, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gmps_robot import families
from gmps_robot.errors import SetupError, SimulationError, TaskError
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.tasks import Task
from sim.emulator import children
from sim.intera_emulator import Emulator, main
from tests.ros1.ros1_world import ROSPY, until

PUSH = families.family("push")
KEEPER = """
import time
from gmps_robot import families
from sim.intera_emulator import Emulator
with Emulator(families.family("push")) as emulator:
    print(emulator.control, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def rospy() -> None:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")


def family_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children(recursive=True) if "sim.emulator" in " ".join(child.cmdline())]


@pytest.fixture
def keeper() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_close_ends_every_process_and_removes_every_file() -> None:
    with Emulator(PUSH) as emulator:
        folder = Path(emulator.control).parent
        made = family_of(psutil.Process())
        assert len(made) == 3  # robot, master, face
        assert folder.is_dir()
    until(lambda: not any(process.is_running() for process in made), "processes are left")
    assert not folder.exists()
    with pytest.raises(SimulationError, match="does not answer"):
        emulator.describe()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_is_killed(keeper: subprocess.Popen[str], end: signal.Signals) -> None:
    assert keeper.stdout is not None
    folder = Path(keeper.stdout.readline().strip()).parent
    made = family_of(psutil.Process(keeper.pid))
    assert len(made) == 3
    keeper.send_signal(end)
    until(lambda: not any(process.is_running() for process in made), "processes are left")
    until(lambda: not folder.exists(), "files are left")


def test_nothing_outlives_a_robot_that_is_killed() -> None:
    with Emulator(PUSH) as emulator:
        made = family_of(psutil.Process())
        robot = next(process for process in made if "sim.emulator.server" in process.cmdline())
        robot.kill()
        made.remove(robot)
        until(lambda: not any(process.is_running() for process in made), "processes are left")
        with pytest.raises(SimulationError, match="does not answer"):
            emulator.describe()
    assert not Path(emulator.control).parent.exists()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SimulationError, match=f"port {port}: Address already in use"):
            Emulator(PUSH, port=port)


def test_a_system_without_ros_1_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MODULES", ("rospy", "rosmaster_of_mars"))
    with pytest.raises(SetupError, match=r"no rosmaster_of_mars: apt-get install .*python3-rospy.*Ubuntu 24\.04"):
        Emulator(PUSH)


def test_the_environment_of_the_caller_does_not_reach_ros_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PYTHONPATH": "/nowhere", "ROS_HOSTNAME": "elsewhere", "AMENT_PREFIX_PATH": "/opt/ros"}.items():
        monkeypatch.setenv(name, value if name != "PYTHONPATH" else os.pathsep.join(["/nowhere", *sys.path]))
    with Emulator(PUSH):
        faces = [p for p in family_of(psutil.Process()) if "sim.emulator.face.node" in p.cmdline()]
        environment = faces[0].environ()
        assert not {"AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "ROS_HOSTNAME"} & set(environment)
        assert environment["ROS_IP"] == "127.0.0.1"


def test_a_robot_that_gives_out_its_own_name_is_reached_all_the_same() -> None:
    heard: list[float] = []
    with Emulator(PUSH, hostname="021607CP00067.local") as emulator, RosNode("named", emulator.master_uri) as node:
        node.subscribe("/robot/state", "intera_core_msgs/RobotAssemblyState", lambda _, receipt: heard.append(receipt))
        until(lambda: len(heard) > 3, "nothing is heard")


def test_parameters_of_another_robot() -> None:
    name = "/manifest/robot_software/version/HLR_VERSION_STRING"
    with Emulator(PUSH, parameters={name: "5.1.0.1"}) as emulator, RosNode("reader", emulator.master_uri) as node:
        assert node.get_param(name) == "5.1.0.1"


def test_a_task_of_another_family_is_refused() -> None:
    with Emulator(PUSH) as emulator, pytest.raises(TaskError, match="door"):
        emulator.reset_scene(Task("door", "test", 0, (0.0, 0.0), 0), 0)


def test_from_the_command_line_it_runs_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "sim.intera_emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name, _, uri = process.stdout.readline().strip().partition("=")
        assert name == "ROS_MASTER_URI"
        made = family_of(psutil.Process(process.pid))
        with RosNode("caller", uri) as node:
            assert node.get_param("/manifest/robot_class") == "sawyer"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20.0) == 0
        finally:
            process.kill()
    until(lambda: not any(child.is_running() for child in made), "processes are left")


def test_the_command_line_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--family", "pusch"]) == 1
    assert "push" in capsys.readouterr().err


@pytest.mark.realtime
def test_it_costs_less_than_a_core() -> None:
    with Emulator(PUSH) as emulator, RosNode("listener", emulator.master_uri) as node:
        for topic, kind in (("/robot/joint_states", "sensor_msgs/JointState"),
                            ("/robot/limb/right/tip_states", "intera_core_msgs/EndpointStates")):  # fmt: skip
            node.subscribe(topic, kind, lambda *_: None)
        made = family_of(psutil.Process())
        before = sum(sum(process.cpu_times()[:2]) for process in made)
        time.sleep(3.0)
        assert sum(sum(process.cpu_times()[:2]) for process in made) - before < 0.6 * 3.0
