"""The XML-RPC server that every ROS 1 node is: the master and other nodes ask it.

Source: http://wiki.ros.org/ROS/Slave_API
"""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Callable, Mapping
from typing import Any
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from gmps_robot.errors import LinkError

Answer = tuple[int, str, Any]
PEER_S = 5.0
POLL_S = 0.1
log = logging.getLogger(__name__)


class _Handler(SimpleXMLRPCRequestHandler):
    timeout = PEER_S  # a peer that connects and says nothing is let go


class _Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what one peer broke; the others go on. The server calls this inside its `except`."""
        log.warning("an XML-RPC question from %s broke off", client_address, exc_info=True)  # noqa: LOG014


class SlaveServer:
    """Answers questions on a free port of `address`; `api` maps the names of ROS 1 to functions.

    Raises:
        LinkError: the address is not one of this machine.
    """

    def __init__(self, address: str, api: Mapping[str, Callable[..., Answer]]) -> None:
        try:
            self._server = _Server((address, 0), _Handler, logRequests=False, allow_none=True)
        except OSError as error:
            raise LinkError(f"{address!r} is no address of this machine ({error}): peers could not reach it") from error
        for name, function in api.items():
            self._server.register_function(function, name)
        self.uri = f"http://{address}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="link-api", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PEER_S)
