"""Node `panel`: serves the web page of `gmps_robot.panel` and connects it to the graph."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from gmps_robot import families
from gmps_robot.data.catalog import Catalog
from gmps_robot.families.family import Family
from gmps_robot.panel.app import create_app
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.auth import Door, starter
from gmps_robot.panel.context import Panel
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import TOKEN_VARIABLE, PanelSettings
from gmps_robot.rig import load_rig
from gmps_robot_nodes import domain, parameters, stack
from gmps_robot_nodes.panel_bridge import RosBridge
from gmps_robot_nodes.spinning import Ending, main, spin


def _settings(node: Node) -> PanelSettings:
    """Where to listen, from the parameters and, for what must not be seen in a process list, the environment.

    Raises:
        ConfigError: as `PanelSettings`.
    """

    def text(name: str, description: str) -> str:
        return str(parameters.declare(node, name, "", description))

    return PanelSettings(
        host=parameters.declare(
            node, "panel_host", "127.0.0.1", f"Address to listen on; beyond loopback it needs {TOKEN_VARIABLE} and TLS."
        ),
        port=parameters.declare(node, "panel_port", 8080, "Port of the page; 0 takes any free one.", low=0, high=65535),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        certificate=text("panel_certificate", "PEM file with the certificate; with panel_key the page speaks TLS."),
        key=text("panel_key", "PEM file with the certificate's private key."),
        insecure_lan=bool(
            parameters.declare(node, "panel_insecure_lan", False, "Allow another address than loopback without TLS.")
        ),
        runs=Path(parameters.declare(node, "runs", "runs", "Folder of runs, whose checkpoints the page offers.")),
    )


def _bridge(node: Node, family: Family) -> RosBridge:
    reward = parameters.declare(
        node, "reward", "twin", "Who judges episodes of sessions started here.", choices=("twin", "human", "marker")
    )
    seed = parameters.declare(node, "seed", 0, "Seed of tasks and exploration.", low=0, high=2**31 - 1)
    episodes = parameters.declare(node, "episodes", 20, "Episodes per update that the form offers.", low=2, high=200)
    robot = parameters.declare(node, "robot", "twin", "What the commands of the page move.", choices=stack.ROBOTS)
    rig = load_rig(parameters.declare(node, "rig", "nominal", "Calibration: how the picture sees the arm."))
    checkpoint = parameters.declare(node, "checkpoint", "push-vision", "What the first session begins from.")
    session = parameters.declare(node, "session", "adapt", "What the stack is for.", choices=stack.SESSIONS)
    return RosBridge(
        node, robot, family, rig, reward, seed, episodes, checkpoint, calibrates=session == "calibrate"
    )


def _work(ending: Ending) -> int:
    node = Node("panel")
    family = families.family(parameters.declare(node, "family", "push", "Task family of the rig."))
    settings, bridge = _settings(node), _bridge(node, family)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with Catalog() as catalog:
            door = Door(time.monotonic, token=settings.token)
            panel = Panel.of(bridge, Archive(catalog), settings, door, family.name)
            with PanelServer(create_app(panel), settings) as server:
                say = node.get_logger().info
                door.tell_links(starter(), lambda secret: say(f"panel: {server.login_url(secret)}"))
                spin(executor, ending)
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    domain.only_watch(os.environ)
    main("panel", _work)
