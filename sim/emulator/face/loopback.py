"""Keeps the ROS 1 processes on this machine, whatever name they give out."""

from __future__ import annotations

import os
import socket
from typing import Any

import rosgraph.network

LOOPBACK = "127.0.0.1"


def stay_on_loopback() -> None:
    """Bind to the loopback interface only, and let the name in ROS_HOSTNAME mean this machine."""
    rosgraph.network.get_bind_address = lambda *_: LOOPBACK
    name, resolve = os.environ.get("ROS_HOSTNAME"), socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        return resolve(LOOPBACK if host == name else host, *arguments, **options)

    if name:
        socket.getaddrinfo = resolved
