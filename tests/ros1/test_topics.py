"""Topics in both directions against real rospy nodes."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import connection, messages
from tests.ros1.ros1_world import Ros1, until

STATE, COMMAND = "/robot/limb/right/endpoint_state", "/robot/limb/right/joint_command"
ENDPOINT, JOINTS = "intera_core_msgs/EndpointState", "intera_core_msgs/JointCommand"


def test_rospy_to_us(world: Ros1) -> None:
    peer, heard = world.peer(), []
    node = world.node(clock=lambda: 42.0)
    subscription = node.subscribe(STATE, ENDPOINT, lambda message, receipt_s: heard.append((message, receipt_s)))
    peer.advertise(STATE, ENDPOINT)
    until(lambda: peer.connections(STATE), "rospy sees no connection")
    peer.publish(STATE, ENDPOINT, {"valid": True, "pose": {"position": {"x": 0.5}}}, times=20)
    until(lambda: len(heard) == 20, "not all messages arrived")
    message, receipt_s = heard[-1]
    assert (message.valid, message.pose.position.x, receipt_s) == (True, 0.5, 42.0)
    found = subscription.statistics()
    assert (found.count, found.publishers, found.connected, found.errors) == (20, 1, 1, ())
    assert found.bytes == 20 * len(messages.codec(ENDPOINT).encode(message))


def test_us_to_rospy(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    peer.subscribe(COMMAND, JOINTS)
    publisher = node.advertise(COMMAND, JOINTS, depth=100)
    publisher.wait_for_subscribers(5.0)
    for number in range(50):
        publisher.publish(messages.make(JOINTS, mode=2, names=["right_j0"], velocity=[number / 10]))
    heard = until(lambda: len(peer.heard(COMMAND)) == 50 and peer.heard(COMMAND), "not all messages arrived")
    assert [message["velocity"] for message, _ in heard] == [[number / 10] for number in range(50)]
    assert {caller for _, caller in heard} == {"/ours"}
    assert publisher.dropped == 0


def test_rates_are_those_of_the_clock_and_fall_in_silence(world: Ros1) -> None:
    heard: list[object] = []
    node, other = world.node(clock=lambda: len(heard) * 0.02), world.node("other")
    publisher = other.advertise("/tick", "std_msgs/Empty", depth=50)
    subscription = node.subscribe("/tick", "std_msgs/Empty", lambda message, _: heard.append(message))
    publisher.wait_for_subscribers(5.0)
    for _ in range(30):
        publisher.publish(messages.make("std_msgs/Empty"))
    until(lambda: len(heard) == 30, "not all messages arrived")
    assert subscription.statistics().rate_hz == pytest.approx(29 / 0.6)
    heard.extend(range(30))  # as long again, in silence
    assert subscription.statistics().rate_hz == pytest.approx(29 / 1.2)


def test_a_latched_message_reaches_who_comes_later(world: Ros1) -> None:
    peer, node, heard = world.peer(), world.node(), []
    node.advertise("/ours", "std_msgs/Float64", latch=True).publish(messages.make("std_msgs/Float64", data=0.1))
    peer.advertise("/theirs", "std_msgs/Float64", latch=True)
    peer.publish("/theirs", "std_msgs/Float64", {"data": 0.2})
    peer.subscribe("/ours", "std_msgs/Float64")
    node.subscribe("/theirs", "std_msgs/Float64", lambda message, _: heard.append(message.data))
    until(lambda: heard == [0.2], "the latched message of rospy did not come")
    until(lambda: [message for message, _ in peer.heard("/ours")] == [{"data": 0.1}], "ours did not come")


def test_publishers_come_and_go(world: Ros1) -> None:
    peer, node, heard = world.peer(), world.node(), []
    subscription = node.subscribe("/flag", "std_msgs/Bool", lambda message, _: heard.append(message.data))
    with pytest.raises(LinkError, match=r"/flag: no message within 0.1 s: nobody publishes it"):
        subscription.wait(0.1)
    for round_ in range(3):
        peer.advertise("/flag", "std_msgs/Bool")
        until(lambda: subscription.connected and peer.connections("/flag"), "not connected")
        assert node.master.publishers("/flag") == ("/peer",)
        peer.publish("/flag", "std_msgs/Bool", {"data": True})
        until(lambda: len(heard) == round_ + 1, "no message")
        peer.unadvertise("/flag")
        until(lambda: subscription.statistics().publishers == 0, "the publisher that left is still listed")


def test_two_publishers_of_one_topic_are_both_heard_and_named(world: Ros1) -> None:
    peers, node, heard = [world.peer("a"), world.peer("b")], world.node(), []
    node.subscribe("/word", "std_msgs/String", lambda message, _: heard.append(message.data))
    for peer in peers:
        peer.advertise("/word", "std_msgs/String", latch=True)
        peer.publish("/word", "std_msgs/String", {"data": peer.name})
    until(lambda: sorted(heard) == ["a", "b"], "not both were heard")
    assert sorted(node.master.publishers("/word")) == ["/a", "/b"]


def test_another_definition_is_a_named_error_in_both_directions(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    changed = "float64 more\n" + messages.codec(JOINTS).definition
    peer.advertise(COMMAND, JOINTS, definition=changed)
    subscription = node.subscribe(COMMAND, JOINTS, lambda *_: None)
    with pytest.raises(LinkError, match=r"joint_command: no message within 1.0 s: .*md5"):
        subscription.wait(1.0)
    ours = node.advertise("/mine", JOINTS)
    peer.subscribe("/mine", JOINTS, definition=changed)
    with pytest.raises(LinkError, match="nobody listens"):
        ours.wait_for_subscribers(1.0)


def test_another_type_is_a_named_error(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    peer.advertise("/flag", "std_msgs/Int32", latch=True)
    with pytest.raises(LinkError, match=r"md5|std_msgs/Int32"):
        node.subscribe("/flag", "std_msgs/Bool", lambda *_: None).wait(1.0)


def test_a_reader_that_stops_holds_up_nobody_and_then_hears_the_newest(world: Ros1) -> None:
    node = world.node()
    publisher = node.advertise("/long", "std_msgs/String")
    with lazy_subscriber(node.uri, node.address, "/long", "std_msgs/String") as (sock, stream):
        publisher.wait_for_subscribers(5.0)
        longest = 0.0
        for number in range(3000):
            message = messages.make("std_msgs/String", data=f"{number:05d}" * 1000)
            before = time.monotonic()
            publisher.publish(message)
            longest = max(longest, time.monotonic() - before)
        assert longest < 0.25
        sock.settimeout(2.0)
        heard = []
        while not heard or heard[-1] != "02999":
            heard.append(messages.codec("std_msgs/String").decode(connection.read_frame(stream)).data[:5])
        assert heard == sorted(heard)
        assert len(heard) + publisher.dropped == 3000
        assert len(heard) < 20  # what the reader's own small buffer held: nothing old waits on our side


def test_a_callback_that_fails_is_told_and_tried_again(world: Ros1, caplog: pytest.LogCaptureFixture) -> None:
    node, other, heard = world.node(), world.node("other"), []

    def once_in_two(message: Any, _receipt_s: float) -> None:
        heard.append(1 / message.data)

    subscription = node.subscribe("/number", "std_msgs/Float64", once_in_two)
    publisher = other.advertise("/number", "std_msgs/Float64", depth=10)
    publisher.wait_for_subscribers(5.0)
    for number in (0.0, 2.0, 0.0, 4.0):
        publisher.publish(messages.make("std_msgs/Float64", data=number))
    until(lambda: heard == [0.5, 0.25], "the subscription did not outlive its callback's error")
    (error,) = subscription.statistics().errors
    assert "ZeroDivisionError" in error
    assert [record.exc_info is not None for record in caplog.records if "callback" in record.message] == [True]


def test_many_threads_may_publish_at_once(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    peer.subscribe("/word", "std_msgs/String")
    publisher = node.advertise("/word", "std_msgs/String", depth=1000)
    publisher.wait_for_subscribers(5.0)

    def speak(name: str) -> None:
        for number in range(100):
            publisher.publish(messages.make("std_msgs/String", data=f"{name}{number:03d}"))

    threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = until(lambda: len(peer.heard("/word")) == 400 and peer.heard("/word"), "words were lost")
    words = [message["data"] for message, _ in heard]
    assert [[word for word in words if word[0] == name] for name in "abcd"] == [
        [f"{name}{number:03d}" for number in range(100)] for name in "abcd"
    ]


def test_a_second_publisher_or_subscription_in_one_node_is_refused(world: Ros1) -> None:
    node = world.node()
    node.advertise("/flag", "std_msgs/Bool")
    node.subscribe("/flag", "std_msgs/Bool", lambda *_: None)
    with pytest.raises(LinkError, match="already has a publisher of /flag"):
        node.advertise("flag", "std_msgs/Bool")
    with pytest.raises(LinkError, match="already has a subscription of /flag"):
        node.subscribe("flag", "std_msgs/Bool", lambda *_: None)


class lazy_subscriber:  # noqa: N801 - used like a function
    """Connects by hand to the node at `uri`, with a small buffer, and reads only when told."""

    def __init__(self, uri: str, address: str, topic: str, kind: str) -> None:
        import xmlrpc.client

        with xmlrpc.client.ServerProxy(uri) as node:
            code, _, (_, _, port) = node.requestTopic("/lazy", topic, [["TCPROS"]])
        assert code == 1
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect((address, port))
        codec = messages.codec(kind)
        header = {"callerid": "/lazy", "topic": topic, "md5sum": codec.md5, "type": kind}
        self.sock.sendall(connection.encode_header(header))
        self.stream = self.sock.makefile("rb")
        assert connection.decode_header(connection.read_frame(self.stream))["md5sum"] == codec.md5

    def __enter__(self) -> tuple[socket.socket, Any]:
        return self.sock, self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.sock.close()
