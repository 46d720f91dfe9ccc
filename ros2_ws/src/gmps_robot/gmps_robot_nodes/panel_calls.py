"""Asking services from the threads of the web server, while the node's own thread completes the answers."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from gmps_robot.errors import GmpsError, SessionError, SetupError

PATIENCE = 4.0  # for the answer to a command [s]
DISCOVERY = 1.0  # for a service to be known: a panel that has just started may be asked before it has met the robot [s]


def ask(client: Client, request: Any, patience: float = PATIENCE) -> Any:
    """Return the answer of a service.

    Raises:
        SetupError: nobody offers it within `DISCOVERY`.
        GmpsError: no answer within `patience` [s].
    """
    if not client.wait_for_service(DISCOVERY):
        raise SetupError(f"nobody offers {client.srv_name}: is the node running?")
    return wait(client.call_async(request), f"{client.srv_name} did not answer within {patience:.0f} s", patience)


def agreed(response: Any) -> str:
    """Return what a service says that did what it was asked for.

    Raises:
        SessionError: it refused; the message is the service's own.
    """
    if not response.success:
        raise SessionError(str(response.message))
    return str(response.message)


def wait(future: Future, otherwise: str, patience: float = PATIENCE) -> Any:
    """Wait in this thread for what the node's thread completes.

    Raises:
        GmpsError: it took longer than `patience` [s]; the message is `otherwise`.
    """
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    if not done.wait(patience):
        raise GmpsError(otherwise)
    return future.result()
