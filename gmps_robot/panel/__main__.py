"""`python -m gmps_robot.panel --demo`: the panel with a robot that is not there."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from gmps_robot.errors import GmpsError
from gmps_robot.panel.app import create_app
from gmps_robot.panel.auth import Door, starter
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import TOKEN_VARIABLE, PanelSettings

LOG = logging.getLogger("gmps_robot.panel")


def main() -> int:
    """Serve the demo until Ctrl-C; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args()
    try:
        settings = PanelSettings(
            options.host, options.port, os.environ.get(TOKEN_VARIABLE, ""), options.certificate, options.key,
            options.insecure_lan,
        )
        with tempfile.TemporaryDirectory(prefix="gmps-demo-") as folder:
            _serve(options, settings, Path(folder))
    except GmpsError as error:
        LOG.error("error: %s", error)
        return 2
    return 0


def _serve(options: argparse.Namespace, settings: PanelSettings, folder: Path) -> None:
    bridge = FakeBridge(mode=options.mode, reward=options.reward)
    door = Door(time.monotonic, token=settings.token)
    server = PanelServer(create_app(Panel.of(bridge, DemoArchive(folder, bridge), settings, door)), settings)
    door.tell_links(
        starter(), lambda secret: LOG.info("panel (demo): %s   stop with Ctrl-C", server.login_url(secret))
    )
    server.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gmps_robot.panel", description=__doc__)
    parser.add_argument("--demo", action="store_true", required=True, help="play an adaptation; no robot, no ROS")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="TCP port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--certificate", default="", help="PEM file with the certificate; with --key: TLS")
    parser.add_argument("--key", default="", help="PEM file with the certificate's private key")
    parser.add_argument("--insecure-lan", action="store_true", help="allow another address than loopback without TLS")
    parser.add_argument("--reward", choices=["twin", "human", "marker"], default="human", help="who judges episodes")
    parser.add_argument("--mode", choices=["twin", "robot"], default="twin", help="what the badge says")
    return parser


if __name__ == "__main__":
    sys.exit(main())
