"""Calling a ROS 1 service: a connection per call, one deadline for all of it."""

from __future__ import annotations

import socket
import time
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import connection
from gmps_robot.sawyer.master import Master
from gmps_robot.sawyer.messages import ServiceCodec
from gmps_robot.sawyer.names import split_uri


def call_service(master: Master, caller: str, name: str, codec: ServiceCodec, request: Any, timeout_s: float) -> Any:
    """Return the response of the service `name`.

    Raises:
        LinkError: nobody offers it, it is of another type, it fails, or it takes longer than `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    host, port = split_uri(master.ask("lookupService", name), "rosrpc")
    header = {"callerid": caller, "service": name, "type": codec.type, "md5sum": codec.md5}
    body = connection.frame(codec.request.encode(request))
    with connection.connect(master.hosts.address(host), port, timeout_s) as sock, sock.makefile("rb") as stream:
        _limit(sock, deadline, name)
        try:
            sock.sendall(connection.encode_header(header))
            reply = connection.decode_header(connection.read_frame(stream, connection.HEADER_LIMIT))
            if "error" in reply:
                raise LinkError(f"refused: {reply['error']}")
            if reply.get("md5sum", codec.md5) not in {codec.md5, "*"}:
                raise LinkError(f"it is of another type, md5 {reply['md5sum']} instead of {codec.md5}")
            sock.sendall(body)
            _limit(sock, deadline, name)
            succeeded = stream.read(1)
            answer = connection.read_frame(stream)
        except (OSError, LinkError) as error:
            raise LinkError(f"service {name} ({codec.type}) gave no answer within {timeout_s} s: {error}") from error
    if succeeded != b"\x01":
        raise LinkError(f"service {name} failed: {answer.decode(errors='replace')}")
    return codec.response.decode(answer)


def _limit(sock: socket.socket, deadline: float, name: str) -> None:
    """Let the next operation end at the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise LinkError(f"service {name} was not reached in time")
    sock.settimeout(left)
