"""Node `panel`: serves the web page of `gmps_robot.panel` and connects it to the graph."""

from __future__ import annotations

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from gmps_robot.panel.app import create_app
from gmps_robot.panel.bridge import Mode
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import PanelSettings
from gmps_robot_nodes import parameters, stack
from gmps_robot_nodes.panel_bridge import RosBridge
from gmps_robot_nodes.spinning import Ending, main, spin


def _work(ending: Ending) -> int:
    node = Node("panel")
    host = parameters.declare(node, "panel_host", "127.0.0.1", "Address to listen on; loopback only in this version.")
    port = parameters.declare(node, "panel_port", 8080, "Port of the page; 0 takes any free one.", low=0, high=65535)
    reward = parameters.declare(
        node, "reward", "twin", "Who judges episodes of sessions started here.", choices=("twin", "human")
    )
    seed = parameters.declare(node, "seed", 0, "Seed of tasks and exploration.", low=0, high=2**31 - 1)
    episodes = parameters.declare(node, "episodes", 20, "Episodes per update that the form offers.", low=2, high=200)
    robot = parameters.declare(node, "robot", "twin", "What the commands of the page move.", choices=stack.ROBOTS)
    settings = PanelSettings(host=host, port=port)
    mode: Mode = "robot" if robot == "sawyer" else "twin"
    bridge = RosBridge(node, mode, "human" if reward == "human" else "twin", seed, episodes)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with PanelServer(create_app(bridge, settings), settings) as server:
            node.get_logger().info(f"panel: {server.url}")
            spin(executor, ending)
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("panel", _work)
