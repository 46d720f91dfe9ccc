"""The containers without a Docker daemon: the schema holds, and every path, module and argument they name exists."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOME = "/opt/gmps"  # where the image keeps the checkout
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
EVERY_SERVICE = pytest.mark.parametrize("service", SERVICES)
NODES = ("twin", "adapt", "recorder", "panel")  # services of one node each, which `docker compose up` starts
EVERY_NODE = pytest.mark.parametrize("service", NODES)


def compose_config(file: Path) -> subprocess.CompletedProcess[str]:
    """Validate with whichever compose is installed; it needs no daemon for that."""
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    return subprocess.run([*program, "-f", str(file), "config"], cwd=ROOT, capture_output=True, text=True, check=False)


def words(service: str) -> list[str]:
    return [str(word) for word in (*SERVICES[service]["command"], *SERVICES[service]["healthcheck"]["test"])]


def copied() -> list[str]:
    """Every source of a COPY line."""
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_compose_file_fits_the_compose_schema() -> None:
    done = compose_config(COMPOSE)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {*NODES, "sawyer"}


def test_the_schema_check_notices_a_typing_error(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text().replace("network_mode:", "netwrk_mode:"))
    done = compose_config(broken)
    assert done.returncode != 0
    assert "netwrk_mode" in done.stderr


@EVERY_SERVICE
def test_a_service_is_set_up_for_dds_and_clean_ends(service: str) -> None:
    settings = SERVICES[service]
    assert settings["init"] is True
    assert (settings["network_mode"], settings["ipc"]) == ("host", "host")
    own = {} if service in NODES else {"ROS_DOMAIN_ID": settings["environment"]["ROS_DOMAIN_ID"]}
    assert settings["environment"] == {**SERVICES["twin"]["environment"], **own}
    assert 0 <= int(settings["environment"]["ROS_DOMAIN_ID"]) <= 101
    assert settings["healthcheck"]["test"][0] == "CMD"


def test_episodes_are_recorded_into_one_volume_that_panel_and_twin_read() -> None:
    reading = {name for name, settings in SERVICES.items() if f"data:{HOME}/data" in settings.get("volumes", ())}
    assert reading == {"twin", "recorder", "panel", "sawyer"}
    assert re.search(r"mkdir -p .*\bdata\b", DOCKERFILE)


def test_services_wait_for_the_health_of_what_they_need() -> None:
    needed = {name: list(settings.get("depends_on", {})) for name, settings in SERVICES.items()}
    assert needed == {"twin": [], "adapt": ["twin"], "recorder": ["twin"], "panel": ["adapt"], "sawyer": []}
    rules = [rule for settings in SERVICES.values() for rule in settings.get("depends_on", {}).values()]
    assert {rule["condition"] for rule in rules} == {"service_healthy"}


@EVERY_SERVICE
def test_the_module_a_service_runs_exists(service: str) -> None:
    command = SERVICES[service]["command"]
    assert importlib.util.find_spec(command[command.index("-m") + 1]) is not None


@EVERY_SERVICE
def test_the_files_a_service_names_are_in_the_image(service: str) -> None:
    environment = SERVICES[service]["environment"].values()
    in_environment = [value.removeprefix(f"{HOME}/") for value in environment if HOME in value]
    named = [word for word in words(service) if "/" in word and ":" not in word] + in_environment
    for path in named:
        assert (ROOT / path).is_file(), path
        assert any(path == source or path.startswith(f"{source}/") for source in copied()), f"{path} is not copied"


@EVERY_NODE
def test_the_parameters_a_service_sets_are_declared_by_its_node(service: str) -> None:
    from gmps_robot_nodes import stack

    command = SERVICES[service]["command"]
    names = [command[i + 1].partition(":=")[0] for i, word in enumerate(command) if word == "-p"]
    (node,) = [node for node in stack.NODES if node.name == service]
    assert set(names) <= set(node.parameters)


def test_the_real_arm_starts_only_when_asked_for_and_never_by_itself() -> None:
    assert {name for name, settings in SERVICES.items() if "profiles" not in settings} == set(NODES)
    arm = SERVICES["sawyer"]
    assert (arm["profiles"], arm["restart"]) == (["hardware"], "no")
    assert arm["environment"]["ROS_DOMAIN_ID"] != SERVICES["twin"]["environment"]["ROS_DOMAIN_ID"]
    assert any(device.endswith(":/dev/video0") for device in arm["devices"])
    assert "video" in arm["group_add"]


def test_the_stack_of_the_real_arm_takes_the_arguments_it_is_given() -> None:
    from gmps_robot_nodes import stack

    given = [word for word in SERVICES["sawyer"]["command"] if ":=" in word]
    defaults = {"ROS_MASTER_URI:-": "http://robot:11311", "RIG:-nominal": "nominal"}
    for name, value in defaults.items():
        given = [word.replace(f"${{{name}}}", value) for word in given]
    starts = stack.resolve(stack.parse(given), {})
    assert {start.node.name for start in starts} >= {"sawyer_driver", "camera", "adapt", "panel"}
    (camera,) = [start.parameters for start in starts if start.node.name == "camera"]
    assert camera == {"camera": "/dev/video0", "rig": "nominal"}
    assert SERVICES["sawyer"]["healthcheck"]["test"][3] in {start.node.name for start in starts}


def test_images_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images = [settings["image"] for settings in SERVICES.values()]
    for image in [*bases, *images]:
        assert re.search(r":[\w.-]+$", image), f"{image} has no tag"
        assert not image.endswith(":latest")


def test_everything_the_dockerfile_copies_exists() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []


@EVERY_SERVICE
def test_every_service_can_build_its_image_from_the_dockerfile(service: str) -> None:
    build = SERVICES[service]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    arguments = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    assert set(build["args"]) <= arguments
    assert "make setup" in DOCKERFILE


def test_the_image_installs_what_make_setup_checks_for() -> None:
    """Inside the image make runs as root and could install by itself; a complete list keeps that layer cached."""
    source = (ROOT / "scripts/apt_check.py").read_text()
    packages = re.findall(r'Need\("([\w.+-]+)", "(?!the test)', source)
    assert packages
    for package in packages:
        assert package in DOCKERFILE


def test_the_console_script_of_the_image_exists() -> None:
    assert "gmps" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert re.search(r'^CMD \["gmps"', DOCKERFILE, re.MULTILINE)
