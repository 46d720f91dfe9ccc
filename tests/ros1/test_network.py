"""The master, names, services and parameters; and what breaks on a network."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import messages
from gmps_robot.sawyer.connection import encode_header
from gmps_robot.sawyer.tcpros import RosNode
from tests.ros1.ros1_world import Ros1, threads_and_sockets, until

BOOL = "std_msgs/Bool"
KINEMATICS, FK = "/ExternalTools/right/PositionKinematicsNode/FKService", "intera_core_msgs/SolvePositionFK"


def truth() -> object:
    return messages.make(BOOL, data=True)


def test_a_service_answers(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    answer = {"pose_stamp": [{"pose": {"position": {"x": 0.7}}}], "isValid": [True], "inCollision": [False]}
    peer.offer(KINEMATICS, FK, answer)
    joints = messages.make("sensor_msgs/JointState", name=["right_j0"], position=[0.5])
    request = messages.make(f"{FK}Request", configuration=[joints], tip_names=["right_hand"])
    response = node.call(KINEMATICS, FK, request, timeout_s=5.0)
    assert (response.pose_stamp[0].pose.position.x, list(response.isValid)) == (0.7, [True])
    (heard,) = peer.heard(KINEMATICS)
    assert (heard["tip_names"], heard["configuration"][0]["position"]) == (["right_hand"], [0.5])


def test_services_that_are_missing_slow_failing_or_other_are_named_errors(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    request = messages.make(f"{FK}Request")
    peer.offer("/slow", FK, {}, delay=2.0)
    peer.offer("/failing", FK, {}, fail="joints out of reach")
    peer.offer("/other", "intera_core_msgs/SolvePositionIK", {})
    with pytest.raises(LinkError, match=r"lookupService.*no provider"):
        node.call("/nowhere", FK, request, timeout_s=1.0)
    before = time.monotonic()
    with pytest.raises(LinkError, match=r"/slow.*no answer within 0.3 s"):
        node.call("/slow", FK, request, timeout_s=0.3)
    assert time.monotonic() - before < 1.0
    with pytest.raises(LinkError, match=r"/failing failed: .*joints out of reach"):
        node.call("/failing", FK, request, timeout_s=5.0)
    with pytest.raises(LinkError, match=r"/other.*md5"):
        node.call("/other", FK, request, timeout_s=5.0)


def test_parameters(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    peer.set_param("/robot_config/right_config/joint_names", ["right_j0", "right_j1"])
    assert node.get_param("/robot_config/right_config/joint_names") == ["right_j0", "right_j1"]
    with pytest.raises(LinkError, match=r"getParam.*not set"):
        node.get_param("/manifest/nothing")


def test_the_master_dies_and_comes_back(world: Ros1) -> None:
    """Connections outlive the master; a new one learns of us, and who comes later is connected both ways."""
    peer, node, heard = world.peer(), world.node(), []
    node.subscribe("/theirs", BOOL, lambda message, _: heard.append(message.data))
    ours = node.advertise("/ours", BOOL)
    peer.advertise("/theirs", BOOL)
    peer.subscribe("/ours", BOOL)
    until(lambda: peer.connections("/theirs") and ours.subscribers, "not connected")
    world.kill_master()
    until(lambda: node.master_error is not None, "the master's death was not noticed")
    peer.publish("/theirs", BOOL, {"data": True})
    ours.publish(truth())
    until(lambda: len(heard) == 1 and len(peer.heard("/ours")) == 1, "connections did not outlive the master")
    world.start_master()
    until(lambda: world.system_state()["publishers"].get("/ours") == ["/ours"], "not registered again")
    until(lambda: world.system_state()["subscribers"].get("/theirs") == ["/ours"], "not registered again")
    assert until(lambda: node.master_error is None, "the master's return was not noticed")
    peer.publish("/theirs", BOOL, {"data": True})
    until(lambda: len(heard) == 2, "the old connection was given up")
    late = world.peer("late")
    late.subscribe("/ours", BOOL)
    late.advertise("/theirs", BOOL, latch=True)
    late.publish("/theirs", BOOL, {"data": False})
    until(lambda: heard[-1] is False and "/late" in ours.subscribers, "who came later is not connected")


def test_a_publisher_that_was_killed_comes_back(world: Ros1) -> None:
    peer, node, heard = world.peer(), world.node(), []
    subscription = node.subscribe("/flag", BOOL, lambda message, _: heard.append(message.data))
    peer.advertise("/flag", BOOL)
    until(lambda: subscription.connected, "not connected")
    peer.kill()
    until(lambda: not subscription.connected, "its death was not noticed", 3.0)
    until(lambda: subscription.statistics().errors, "no reason is told")
    again = world.peer()
    again.advertise("/flag", BOOL, latch=True)
    again.publish("/flag", BOOL, {"data": True})
    until(lambda: heard == [True], "not connected again")


def test_a_name_that_nobody_resolves_means_the_masters_machine(world: Ros1) -> None:
    peer, node, heard = world.peer(ROS_HOSTNAME="021708cp00042.local", ROS_IP=""), world.node(), []
    peer.advertise("/flag", BOOL, latch=True)
    peer.publish("/flag", BOOL, {"data": True})
    node.subscribe("/flag", BOOL, lambda message, _: heard.append(message.data)).wait(10.0)
    assert heard == [True]


def test_nothing_of_us_is_left_at_the_master(world: Ros1) -> None:
    node = world.node()
    node.advertise("/ours", BOOL)
    node.subscribe("/theirs", BOOL, lambda *_: None)
    state = world.system_state()
    assert (state["publishers"], state["subscribers"]) == ({"/ours": ["/ours"]}, {"/theirs": ["/ours"]})
    before = time.monotonic()
    node.close()
    node.close()
    assert time.monotonic() - before < 2.0
    assert world.system_state() == {"publishers": {}, "subscribers": {}, "services": {}}
    with pytest.raises(LinkError, match="node /ours is closed"):
        node.advertise("/more", BOOL)


def test_a_program_that_just_ends_unregisters_too(world: Ros1) -> None:
    code = (
        "import sys; from gmps_robot.sawyer.tcpros import RosNode; node = RosNode('brief', sys.argv[1]);"
        "node.advertise('/flag', 'std_msgs/Bool'); print(node.master.publishers('/flag'))"
    )
    done = subprocess.run([sys.executable, "-c", code, world.uri], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "('/brief',)\n", "")
    assert world.system_state()["publishers"] == {}


def test_closing_without_a_master_does_not_hang(world: Ros1) -> None:
    node = world.node()
    node.advertise("/flag", BOOL)
    world.kill_master()
    before = time.monotonic()
    node.close()
    assert time.monotonic() - before < 4.0


def test_who_takes_our_name_ends_us(world: Ros1) -> None:
    first = world.node("robot")
    publisher = first.advertise("/flag", BOOL)
    world.node("robot").advertise("/flag", BOOL)
    until(lambda: first.ended, "the older node lives on")
    assert "robot" in str(first.ended) or "same name" in str(first.ended)
    with pytest.raises(LinkError, match="closed"):
        until(lambda: publisher.publish(truth()), "the older node still publishes")


def test_who_took_our_name_unheard_ends_us_too(world: Ros1) -> None:
    """The master's word did not reach us: our own question finds out, and does not take the name back."""
    node = world.node()
    node.advertise("/flag", BOOL)
    node._slave.close()
    with xmlrpc.client.ServerProxy(world.uri) as master:
        master.registerPublisher("/ours", "/flag", BOOL, "http://127.0.0.1:9/")
        until(lambda: node.ended, "the node lives on under a name that is not its own")
        assert master.lookupNode("/tool", "/ours")[2] == "http://127.0.0.1:9/"


def test_tools_are_answered(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    publisher = node.advertise("/ours", BOOL)
    peer.subscribe("/ours", BOOL)
    publisher.wait_for_subscribers(5.0)
    publisher.publish(truth())
    with xmlrpc.client.ServerProxy(node.uri) as ours:
        assert ours.getMasterUri("/tool")[2] == world.uri
        assert ours.getPublications("/tool")[2] == [["/ours", BOOL]]
        assert ours.getSubscriptions("/tool")[2] == []
        assert ours.getBusInfo("/tool")[2] == [[0, "/peer", "o", "TCPROS", "/ours", 1]]
        assert ours.getBusStats("/tool")[2] == [[["/ours", 1]], [], []]
        assert ours.requestTopic("/tool", "/nothing", [["TCPROS"]])[0] == -1
        assert ours.requestTopic("/tool", "/ours", [["UDPROS"]])[0] == 0
        assert ours.paramUpdate("/tool", "/key", 1)[0] == 1
        assert ours.shutdown("/tool", "enough")[0] == 1
    until(lambda: world.system_state()["publishers"] == {}, "shutdown was not obeyed")
    assert node.ended == "enough"


def test_half_open_peers_hold_up_nobody(world: Ros1) -> None:
    """Somebody connects to each of our ports and says nothing; another offers a topic and never answers."""
    peer, node = world.peer(), world.node()
    api_port = int(node.uri.rstrip("/").rpartition(":")[2])
    mute = socket.create_server(("127.0.0.1", 0))
    silent = [socket.create_connection((node.address, port)) for port in (api_port, node.outbox.port)]
    subscription = node.subscribe("/flag", BOOL, lambda *_: None)
    with closing(mute), xmlrpc.client.ServerProxy(world.uri) as master:
        master.registerPublisher("/mute", "/flag", BOOL, f"http://127.0.0.1:{mute.getsockname()[1]}/")
        peer.advertise("/flag", BOOL, latch=True)
        peer.publish("/flag", BOOL, {"data": True})
        subscription.wait(2.0)
        ours = node.advertise("/ours", BOOL)
        peer.subscribe("/ours", BOOL)
        ours.wait_for_subscribers(2.0)
        until(lambda: any("not answered" in error for error in subscription.statistics().errors), "no error is told")
        assert subscription.statistics().connected == 1
        silent[1].settimeout(8.0)
        assert silent[1].recv(1) == b""  # let go after the handshake's time-out
        before = time.monotonic()
        node.close()
        assert time.monotonic() - before < 8.0
    for sock in silent:
        sock.close()


@contextmanager
def false_publisher(world: Ros1, topic: str, kind: str) -> Iterator[socket.socket]:
    """A publisher by hand: yields the socket at which it pretends to serve `topic`."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5.0)
    api = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    api.register_function(lambda *_: (1, "", ["TCPROS", "127.0.0.1", listener.getsockname()[1]]), "requestTopic")
    thread = threading.Thread(target=api.serve_forever, args=(0.05,))
    thread.start()
    with xmlrpc.client.ServerProxy(world.uri) as master:
        master.registerPublisher("/false", topic, kind, f"http://127.0.0.1:{api.server_address[1]}/")
    try:
        yield listener
    finally:
        api.shutdown()
        thread.join()
        api.server_close()
        listener.close()


def test_a_publisher_that_never_shakes_hands_is_given_up(world: Ros1) -> None:
    node = world.node()
    subscription = node.subscribe("/flag", BOOL, lambda *_: None)
    with (
        false_publisher(world, "/flag", BOOL),
        pytest.raises(LinkError, match=r"/flag: no message within 4.0 s: .*timed out"),
    ):
        subscription.wait(4.0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (encode_header({"type": BOOL, "md5sum": "0" * 32}), "std_msgs/Bool with md5 0+ is published.*versions differ"),
        (encode_header({"error": "not today"}), "refused by .*: not today"),
        (b"HTTP/1.1 400 Bad Request", "not TCPROS"),
        (b"\x04\x00\x00\x00abcd", "too short for a field"),
    ],
)
def test_what_a_publisher_must_not_answer(world: Ros1, answer: bytes, message: str) -> None:
    node, heard = world.node(), []
    subscription = node.subscribe("/flag", BOOL, lambda *_: heard.append(1))
    with false_publisher(world, "/flag", BOOL) as listener:
        with listener.accept()[0] as sock:
            sock.sendall(answer + b"\x01\x00\x00\x00\x01")
            until(lambda: subscription.statistics().errors, "no error is told")
        with pytest.raises(LinkError, match=message):
            subscription.wait(0.0)
    assert heard == []


def within(now: tuple[int, int], most: tuple[int, int]) -> bool:
    return now[0] <= most[0] and now[1] <= most[1]


def test_threads_and_sockets_do_not_grow_over_reconnects(world: Ros1) -> None:
    peer, node = world.peer(), world.node()
    subscription = node.subscribe("/theirs", BOOL, lambda *_: None)
    ours = node.advertise("/ours", BOOL)
    peer.advertise("/theirs", BOOL)
    most = (0, 0)  # of the first rounds
    for round_ in range(50):
        peer.subscribe("/ours", BOOL)
        until(lambda: ours.subscribers and subscription.connected and peer.connections("/theirs"), "not connected")
        if round_ % 2:
            peer.drop("/theirs")
            until(lambda: not subscription.connected, "the broken connection was not noticed")
        else:
            peer.unadvertise("/theirs")
            until(lambda: subscription.statistics().publishers == 0, "the publisher is still listed")
            peer.advertise("/theirs", BOOL)
        peer.unsubscribe("/ours")
        until(lambda: not ours.subscribers, "the subscriber is still listed")
        until(lambda: subscription.connected, "not connected again")
        now = threads_and_sockets()
        if round_ < 10:
            most = (max(most[0], now[0]), max(most[1], now[1]))
        else:  # a thread that has done its work may need a moment to end
            until(lambda: within(threads_and_sockets(), most), f"more than {most} threads and sockets")
    node.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("link-")] == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("robot:11311", "not of the form http://HOST:PORT"),
        ("http://robot", "not of the form"),
        ("http://127.0.0.1:notaport", "cannot be read"),
        ("http://no-such-robot.invalid:11311", "cannot be resolved"),
        ("http://127.0.0.1:9", "does not answer.*switched on"),
    ],
)
def test_a_wrong_master_is_a_named_error(uri: str, message: str) -> None:
    with pytest.raises(LinkError, match=message):
        RosNode("ours", uri)


def test_an_address_that_is_not_ours_is_a_named_error(world: Ros1) -> None:
    with pytest.raises(LinkError, match=r"'192.0.2.1' is no address of this machine"):
        RosNode("ours", world.uri, address="192.0.2.1")
    assert world.system_state()["publishers"] == {}
