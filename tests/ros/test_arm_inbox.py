"""What reaches the arm of what is published: other senders, their deaths, commands that cannot be read."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.arm_inbox import ArmInbox
from gmps_robot_nodes.arm_lease import LeaseDesk
from rclpy.qos import QoSProfile

from gmps_robot.types import ArmCommand
from tests.ros.conftest import Graph

SENDER = """
import sys, time, rclpy
from gmps_msgs.msg import ArmCommand
from gmps_robot_nodes import conversions, qos
rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
node = rclpy.create_node(sys.argv[1])
publisher = node.create_publisher(ArmCommand, "policy/command", qos.COMMAND)
while sys.argv[2] == "idle":
    time.sleep(1.0)
while True:
    publisher.publish(conversions.hold_message(time.time_ns(), 0, 1))
    time.sleep(0.05)
"""


@pytest.fixture
def inbox(graph: Graph) -> Iterator[ArmInbox]:
    def stamps(_message: ArmCommandMsg) -> tuple[int, None]:
        return time.monotonic_ns(), None

    made = ArmInbox(graph.probe, LeaseDesk(time.monotonic), stamps, lambda: -0.5)
    yield made
    made.close()


@pytest.fixture
def senders(graph: Graph) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that hold a publisher of commands, and use it or not."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, what: str = "talks") -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", SENDER, name, what], env=graph.environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def command(velocity: tuple[float, float, float] = (0.1, 0.0, 0.0), **changes: object) -> ArmCommandMsg:
    message = conversions.command_message(ArmCommand(time.time_ns(), 1, "policy", np.array(velocity), -0.5), 0)
    message.header.frame_id = str(changes.get("frame", "base"))
    message.source = str(changes.get("source", "policy"))
    return message


def test_a_sender_that_was_killed_may_be_started_again_and_a_second_one_is_named(
    graph: Graph, inbox: ArmInbox, senders: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = senders("first")
    graph.until(lambda: inbox.take(time.monotonic(), at_rest=True))
    first.kill()
    first.wait()
    graph.spin(1.5e-9 * qos.COMMAND.liveliness_lease_duration.nanoseconds)  # until its lease is over
    senders("again", "idle")
    graph.until(lambda: graph.probe.count_publishers("policy/command") == 2)  # the dead one is still listed
    end = time.monotonic() + 1.5
    graph.until(lambda: inbox.trouble() or time.monotonic() > end)
    assert inbox.trouble() == ""
    senders("other", "idle")  # who could speak at any time is one too many
    told = graph.until(inbox.trouble)
    assert told.startswith("policy/command: 2 publishers: ")
    assert told.endswith("; end all but one")


def test_a_publisher_that_offers_no_lease_is_not_heard_but_counts(
    graph: Graph, inbox: ArmInbox, senders: Callable[..., subprocess.Popen[bytes]]
) -> None:
    senders("ours")
    graph.until(lambda: inbox.take(time.monotonic(), at_rest=True))
    assert inbox.trouble() == ""
    stranger = graph.probe.create_publisher(ArmCommandMsg, "policy/command", QoSProfile(depth=1))
    graph.until(inbox.trouble)
    assert stranger.get_subscription_count() == 0
    graph.probe.destroy_publisher(stranger)
    graph.until(lambda: not inbox.trouble())
    graph.until(lambda: inbox.take(time.monotonic(), at_rest=True))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"frame": "tool"}, "command in frame 'tool'; velocities are those of the tip in 'base'"),
        ({"source": "polcy"}, "command from unknown source 'polcy'; valid: "),
        ({"source": "teleop"}, "command of source 'teleop'; only 'policy' speaks there"),
    ],
)
def test_commands_that_cannot_be_read_stop_the_arm_after_three(
    graph: Graph, inbox: ArmInbox, changes: dict[str, str], told: str
) -> None:
    publisher = graph.probe.create_publisher(ArmCommandMsg, "policy/command", qos.COMMAND)
    graph.until(lambda: publisher.get_subscription_count() == 1)

    def send(message: ArmCommandMsg) -> None:
        publisher.publish(message)
        end = time.monotonic() + 0.1
        graph.until(lambda: time.monotonic() > end)

    for bad in (command(**changes), command(**changes), command(), command(**changes), command(**changes)):
        send(bad)
        assert inbox.trouble() == ""
    send(command(**changes))
    assert f"policy/command: 3 bad commands in a row, the last a {told}" in inbox.trouble()
    assert inbox.take(time.monotonic(), at_rest=True) is not None  # the good one in between
    graph.until(lambda: not inbox.trouble())  # once they have ended
