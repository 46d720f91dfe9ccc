"""What the emulator's processes say to each other: framed messages on a local socket. Standard library only.

A frame is four bytes of length, one byte of kind, and the payload: JSON for what is rare, plain doubles for the state
of the robot, which goes out up to 200 times per second.
"""

from __future__ import annotations

import json
import socket
import struct
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

JSON, STATE, BYTES = b"J", b"S", b"B"
_HEAD = struct.Struct("<Ic")
_LARGEST = 1 << 26  # anything longer is not ours

# Names and sizes of the robot's state, in this order on the wire. Poses are x y z and quaternion x y z w.
STATE_FIELDS: tuple[tuple[str, int], ...] = (
    ("stamp", 1),  # seconds since 1970
    ("due", 1),  # which groups of topics this state is for: bits of DUE_*
    ("position", 7), ("velocity", 7), ("effort", 7),
    ("commanded_position", 7), ("commanded_velocity", 7), ("gravity", 7), ("hysteresis", 7),
    ("hand_pose", 7), ("hand_twist", 6), ("tip_pose", 7), ("tip_twist", 6), ("wrench", 6),
    ("collision", 1), ("tip_valid", 1),
    ("homed", 1), ("ready", 1), ("enabled", 1), ("stopped", 1), ("error", 1), ("estop_button", 1), ("estop_source", 1),
)  # fmt: skip
DUE_JOINTS, DUE_STATE = 1, 2


def frame(kind: bytes, payload: bytes) -> bytes:
    """Return one frame."""
    return _HEAD.pack(len(payload), kind) + payload


def json_frame(message: Mapping[str, Any]) -> bytes:
    """Return a frame of JSON."""
    return frame(JSON, json.dumps(message).encode())


def state_frame(values: Mapping[str, Any]) -> bytes:
    """Return a frame of `STATE_FIELDS`; numbers or sequences of the sizes named there."""
    numbers = array("d")
    for name, size in STATE_FIELDS:
        value = values[name]
        if size == 1:
            numbers.append(value)
        else:
            numbers.extend(value)
    return frame(STATE, numbers.tobytes())


def read_state(payload: bytes) -> dict[str, Any]:
    """Return the fields of a state frame: floats, and lists of floats."""
    numbers = array("d")
    numbers.frombytes(payload)
    fields, at = {}, 0
    for name, size in STATE_FIELDS:
        fields[name] = numbers[at] if size == 1 else numbers[at : at + size].tolist()
        at += size
    return fields


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Add `data`; yield each complete frame as (kind, payload).

        Raises:
            ValueError: the stream is not one of frames.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._buffer)
            if length > _LARGEST:
                raise ValueError(f"a frame of {length} bytes: the other side does not speak in frames")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield kind, payload


class Caller:
    """A blocking client: one request, one answer."""

    def __init__(self, path: str, timeout: float) -> None:
        """Connect to the Unix socket at `path`; no answer takes longer than `timeout` [s].

        Raises:
            OSError: nobody listens there.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._frames = Frames()

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Send `request`, return the answer: parsed JSON, or bytes.

        Raises:
            OSError: the other side is gone, or too slow (TimeoutError).
        """
        self._socket.sendall(json_frame(request))
        while True:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the emulator has closed the connection")
            for kind, payload in self._frames.feed(data):
                return json.loads(payload) if kind == JSON else payload

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
