"""TCPROS on one socket: time-outs, the header of `key=value` fields, and frames with their length in front.

Source: http://wiki.ros.org/ROS/TCPROS and http://wiki.ros.org/ROS/Connection%20Header
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Protocol

from gmps_robot.errors import LinkError

LENGTH = struct.Struct("<I")
HEADER_LIMIT = 1 << 20
FRAME_LIMIT = 1 << 26
HANDSHAKE_S = 3.0
DEAD_PEER_MS = 5000


class Stream(Protocol):
    """What `socket.makefile("rb")` returns: a read ends short only when the peer has closed."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes."""


def tune(sock: socket.socket) -> None:
    """Send at once, notice within seconds when the other machine is gone, and keep unsent bytes in our own queue.

    The last point makes "newest wins" true: else the kernel would hold hundreds of old commands for a slow reader.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1)


def connect(address: str, port: int, timeout_s: float = HANDSHAKE_S) -> socket.socket:
    """Return a tuned connection whose operations time out after `timeout_s`.

    Raises:
        LinkError: nobody answers there.
    """
    try:
        sock = socket.create_connection((address, port), timeout_s)
    except OSError as error:
        raise LinkError(f"no connection to {address}:{port}: {error}") from error
    tune(sock)
    return sock


def frame(body: bytes) -> bytes:
    """Return `body` with its length in front."""
    return LENGTH.pack(len(body)) + body


def encode_header(fields: Mapping[str, str]) -> bytes:
    """Return a connection header, its length in front."""
    return frame(b"".join(frame(f"{key}={value}".encode()) for key, value in fields.items()))


def decode_header(data: bytes) -> dict[str, str]:
    """Return the fields of a connection header without its leading length.

    Raises:
        LinkError: lengths that do not add up, text that is not UTF-8, or a field without a value.
    """
    fields, position = {}, 0
    while position < len(data):
        if position + LENGTH.size > len(data):
            raise LinkError(f"connection header of {len(data)} bytes ends inside a length")
        (size,) = LENGTH.unpack_from(data, position)
        position += LENGTH.size
        if position + size > len(data):
            raise LinkError(f"connection header of {len(data)} bytes is too short for a field of {size}")
        try:
            key, equals, value = data[position : position + size].decode().partition("=")
        except UnicodeDecodeError as error:
            raise LinkError(f"connection header is not text: {error}") from error
        if not equals:
            raise LinkError(f"connection header field {key!r} has no value")
        fields[key] = value
        position += size
    return fields


def read_frame(stream: Stream, limit: int = FRAME_LIMIT) -> bytes:
    """Return the next frame of a socket's buffered `stream`, without its length.

    Raises:
        LinkError: the peer closed the connection, went silent during a handshake, or sent nonsense.
    """
    (size,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    if size > limit:
        raise LinkError(f"a frame of {size} bytes was announced, more than {limit}: not TCPROS")
    return _exactly(stream, size)


def _exactly(stream: Stream, size: int) -> bytes:
    try:
        data = stream.read(size)
    except OSError as error:
        raise LinkError(f"the connection broke: {error}") from error
    if len(data) < size:
        raise LinkError("the peer closed the connection")
    return data
