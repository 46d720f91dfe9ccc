"""Health check of a container: exit code 0 when the node answers a parameter request, so its executor is alive.

python docker/node_health.py twin [SECONDS]
"""

from __future__ import annotations

import os
import sys
import time

import rclpy
from rcl_interfaces.srv import ListParameters

DEFAULT_SECONDS = 8.0
RETRY_SECONDS = 1.0


def answers(node_name: str, seconds: float) -> bool:
    """Return whether the node called `node_name` lists its parameters within `seconds`."""
    deadline = time.monotonic() + seconds
    probe = rclpy.create_node(f"health_{os.getpid()}")
    try:
        client = probe.create_client(ListParameters, f"/{node_name}/list_parameters")
        if not client.wait_for_service(timeout_sec=seconds):
            return False
        while (left := deadline - time.monotonic()) > 0:
            # Asked again every second: an answer to a client that the node has not discovered yet is lost.
            request = client.call_async(ListParameters.Request())
            rclpy.spin_until_future_complete(probe, request, timeout_sec=min(RETRY_SECONDS, left))
            if request.done():
                return request.result() is not None
        return False
    finally:
        probe.destroy_node()


def main(arguments: list[str]) -> int:
    """Check the node named first; returns an exit code."""
    if not arguments:
        print("usage: node_health.py NODE [SECONDS]", file=sys.stderr)
        return 2
    seconds = float(arguments[1]) if len(arguments) > 1 else DEFAULT_SECONDS
    rclpy.init()
    try:
        healthy = answers(arguments[0], seconds)
    finally:
        rclpy.shutdown()
    if not healthy:
        print(f"node {arguments[0]} did not answer within {seconds:.0f} s", file=sys.stderr)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
