"""`python -m gmps_robot.panel --demo`: the panel with a robot that is not there."""

from __future__ import annotations

import argparse
import logging
import sys

from gmps_robot.errors import GmpsError
from gmps_robot.panel.app import create_app
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import PanelSettings

LOG = logging.getLogger("gmps_robot.panel")


def main() -> int:
    """Serve the demo until Ctrl-C; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m gmps_robot.panel", description=__doc__)
    parser.add_argument("--demo", action="store_true", required=True, help="play an adaptation; no robot, no ROS")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="TCP port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--reward", choices=["twin", "human", "marker"], default="human", help="who judges episodes")
    parser.add_argument("--mode", choices=["twin", "robot"], default="twin", help="what the badge says")
    options = parser.parse_args()
    try:
        settings = PanelSettings(host=options.host, port=options.port)
        server = PanelServer(create_app(FakeBridge(mode=options.mode, reward=options.reward), settings), settings)
    except GmpsError as error:
        LOG.error("error: %s", error)
        return 2
    LOG.info("panel (demo): %s   stop with Ctrl-C", server.url)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
