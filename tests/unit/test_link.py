"""The link's parts that need no ROS 1: names, headers, frames, messages."""

from __future__ import annotations

import io
import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import connection, messages, names

JOINTS = "intera_core_msgs/JointCommand"
TCP_REPAIR = 19  # linux/tcp.h
KEYS = st.text("abcdef_\u00e9", min_size=1)
VALUES = st.text("abc =\n\u00e9\u4e2d")


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_a_header_comes_back_as_it_went(fields: dict[str, str]) -> None:
    data = connection.encode_header(fields)
    assert connection.decode_header(connection.read_frame(io.BytesIO(data))) == fields


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_header_breaks_anything_but_by_its_name(data: bytes) -> None:
    try:
        fields = connection.decode_header(data)
    except LinkError:
        return  # any other error fails the test
    assert all(isinstance(value, str) for value in fields.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the peer closed the connection"),
        (b"\x05\x00\x00\x00abc", "the peer closed the connection"),
        (b"GET / HTTP/1.1", "bytes was announced, more than"),
    ],
)
def test_a_frame_that_is_none_is_a_named_error(data: bytes, message: str) -> None:
    with pytest.raises(LinkError, match=message):
        connection.read_frame(io.BytesIO(data))


def test_a_machine_that_vanished_is_noticed() -> None:
    """Its end of the connection is gone without a word, as after a pulled plug."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours, theirs = connection.connect("127.0.0.1", listener.getsockname()[1]), listener.accept()[0]
        try:
            theirs.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError as error:
            pytest.skip(f"not available: forgetting a connection needs the right to manage the network ({error})")
        finally:
            theirs.close()
        with ours, ours.makefile("rb") as stream:
            ours.settimeout(10.0)
            begun = time.monotonic()
            with pytest.raises(LinkError, match=r"the connection broke: .*reset"):
                connection.read_frame(stream)
            assert time.monotonic() - begun < 5.0


def test_names_and_uris() -> None:
    assert names.split_uri("http://robot.local:11311/") == ("robot.local", 11311)
    assert names.split_uri("rosrpc://robot:4001", "rosrpc") == ("robot", 4001)
    assert [names.graph_name(name) for name in ("a", "/a/b_1")] == ["/a", "/a/b_1"]
    for wrong in ("", "/", "a//b", "a/", "1a", "a b", "~a"):
        with pytest.raises(LinkError, match="is not a ROS 1 name"):
            names.graph_name(wrong)


def test_unknown_hosts_are_the_masters_and_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look_up(host: str, timeout_s: float) -> str | None:
        asked.append(host)
        return {"robot": "192.0.2.7", "camera": "192.0.2.8"}.get(host)

    monkeypatch.setattr(names, "look_up", look_up)
    hosts = names.Hosts("robot")
    assert [hosts.address(host) for host in ("camera", "serial.local", "serial.local")] == [
        "192.0.2.8", "192.0.2.7", "192.0.2.7",
    ]  # fmt: skip
    assert asked == ["robot", "camera", "serial.local"]


def test_a_resolver_that_hangs_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(
        names.socket, "getaddrinfo", lambda *_: [released.wait(10.0)] and [[0, 0, 0, "", ["192.0.2.9"]]]
    )
    assert names.look_up("slow.local", timeout_s=0.05) is None
    released.set()


def test_make_fills_in_zeros_and_turns_lists_into_arrays() -> None:
    made = messages.make(JOINTS, mode=2, names=["right_j0"], velocity=[1])
    assert (made.velocity.dtype, made.position.size, made.header.stamp.sec) == (np.float64, 0, 0)
    assert (made.VELOCITY_MODE, made.TRAJECTORY_MODE) == (2, 4)
    again = messages.codec(JOINTS).decode(messages.codec(JOINTS).encode(made))
    assert (again.mode, again.names, list(again.velocity)) == (2, ["right_j0"], [1.0])


@settings(deadline=None)
@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_keep_every_nanosecond(value: int) -> None:
    assert messages.nanoseconds(messages.stamp(value)) == value


def test_mistakes_with_messages_are_named() -> None:
    with pytest.raises(LinkError, match=r"no field 'velocty'; did you mean 'velocity'\?"):
        messages.make(JOINTS, velocty=[1.0])
    with pytest.raises(LinkError, match=r"'intera_core_msgs/JointComand' is not known"):
        messages.codec("intera_core_msgs/JointComand")
    with pytest.raises(LinkError, match=r"'intera_core_msgs/IK' is not known.*SolvePositionIK"):
        messages.service("intera_core_msgs/IK")
    with pytest.raises(LinkError, match=r"JointCommand cannot be sent as std_msgs/Bool"):
        messages.codec("std_msgs/Bool").encode(messages.make(JOINTS))
    broken = messages.make(JOINTS)
    broken.velocity = "fast"
    with pytest.raises(LinkError, match=r"JointCommand cannot be sent as .*JointCommand"):
        messages.codec(JOINTS).encode(broken)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_message_are_a_named_error(data: bytes) -> None:
    with pytest.raises(LinkError, match=r"\d+ bytes are not a intera_core_msgs/JointCommand"):
        messages.codec(JOINTS).decode(data + b"no number of names")


def test_a_message_cut_short_is_never_taken() -> None:
    data = messages.codec(JOINTS).encode(messages.make(JOINTS, names=["right_j0"], velocity=[0.5]))
    for size in range(len(data)):
        with pytest.raises(LinkError, match="bytes are not a"):
            messages.codec(JOINTS).decode(data[:size])
