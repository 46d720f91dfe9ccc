"""The node `/realtime_loop` that a Sawyer shows to ROS 1: topics, services and parameters, fed over a local socket.

Started by `sim.emulator.children` with the number of its socket; ends when the other side closes it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import rospy

from sim.emulator import wire
from sim.emulator.face import services, topics
from sim.emulator.face.lines import Lines
from sim.emulator.face.loopback import stay_on_loopback
from sim.emulator.face.messages import Messages

NODE = "realtime_loop"
_IDLE = 1.0  # [s]


class Face:
    """Publishes what arrives on the socket, and sends on what arrives from ROS 1."""

    def __init__(self, link: socket.socket, setup: dict[str, Any]) -> None:
        """Advertise and subscribe everything; `setup` holds parameters, limits, joint names, definitions, seed."""
        self._link, self._writing = link, threading.Lock()
        types = [topic.type for topic in topics.STATE_TOPICS]
        types += [*topics.LATCHED_TOPICS.values(), *topics.COMMAND_TOPICS.values()]
        intera = [name for name in types if name.startswith("intera")]
        self._messages = Messages(Path(setup["definitions"]), intera, topics.SERVICES.values())
        self._builder = topics.Builder(self._messages, setup["joints"])
        self._lines = Lines(self._advertise, int(setup["seed"]))
        self._frames = 0
        for name, value in setup["parameters"].items():
            rospy.set_param(name, value)
        for topic in topics.STATE_TOPICS:
            self._lines.add(topic.name, topic.type)
        for name, message_type in topics.LATCHED_TOPICS.items():
            self._lines.add(name, message_type, latched=True)
        stamp = time.time()
        self._send("/robot/joint_limits", self._builder.joint_limits(setup["limits"]))
        self._send("/io/end_effector/config", self._builder.node_config(stamp))
        self._send(topics.GRIPPER + "config", self._builder.gripper_config(stamp))
        for name, message_type in topics.COMMAND_TOPICS.items():
            rospy.Subscriber(
                name, self._messages[message_type], self._receive, callback_args=name, queue_size=10, tcp_nodelay=True
            )
        self._asker = services.Asker(self.tell)
        services.offer(self._messages, self._asker, setup["joints"])

    def run(self) -> None:
        """Work until the socket closes."""
        frames, due = wire.Frames(), None
        self.tell({"op": "ready"})
        while True:
            wait = _IDLE if due is None else min(_IDLE, max(0.0, due - time.monotonic()))
            if select.select([self._link], [], [], wait)[0]:
                data = self._link.recv(1 << 16)
                if not data:
                    return
                for kind, payload in frames.feed(data):
                    if kind == wire.STATE:
                        self._publish(wire.read_state(payload))
                    else:
                        self._obey(json.loads(payload))
            due = self._lines.release(time.monotonic())

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the other side; any thread may."""
        with self._writing:
            self._link.sendall(wire.json_frame(message))

    def _publish(self, state: dict[str, Any]) -> None:
        due = int(state["due"])
        self._frames += bool(due & wire.DUE_STATE)
        for topic in topics.STATE_TOPICS:
            if due & topic.due and self._frames % topic.divisor == 0 and self._lines.listened(topic.name):
                self._send(topic.name, topic.build(self._builder, state))

    def _send(self, topic: str, message: Any) -> None:
        self._lines.send(topic, message, time.monotonic())

    def _obey(self, message: dict[str, Any]) -> None:
        """Carry out what the other side asks for."""
        what = message["op"]
        if what == "gripper":
            self._send(topics.GRIPPER + "state", self._builder.gripper_state(message))
        elif what == "answer":
            self._asker.answered(message)
        elif what == "topic":
            self._lines.disturb(message["topic"], message["action"], message["seconds"], message["share"])
        elif what == "joint_limits":
            self._send("/robot/joint_limits", self._builder.joint_limits(message["limits"]))
        elif what == "parameter":
            rospy.set_param(message["name"], message["value"])
        elif what == "linger":
            _reset_when_closed()
            self.tell({"op": "lingering"})

    def _receive(self, message: Any, topic: str) -> None:
        """Pass a message from ROS 1 on."""
        name = topic.rpartition("/")[2]
        if name == "joint_command":
            self.tell({
                "op": name, "mode": message.mode, "names": message.names, "position": message.position,
                "velocity": message.velocity, "caller": _caller(message),
            })  # fmt: skip
        elif name == "command":
            stamp = (message.time.secs, message.time.nsecs)
            self.tell({"op": "gripper", "time": stamp, "command": message.op, "args": message.args})
        elif name.startswith("suppress_") or name == "interaction_control_command":
            self.tell({"op": "forbidden", "topic": topic, "caller": _caller(message)})
        else:
            self.tell({"op": name, "value": getattr(message, "data", None), "caller": _caller(message)})

    def _advertise(self, topic: str, message_type: str, latched: bool) -> Any:
        return rospy.Publisher(topic, self._messages[message_type], latch=latched, queue_size=4)


def _caller(message: Any) -> str:
    return str(message._connection_header.get("callerid", "?"))


def _reset_when_closed() -> None:
    """Let every TCP connection end with a reset instead of a goodbye when this process is killed."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            copy = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue  # not a socket, or closed meanwhile
        with copy:
            if copy.family == socket.AF_INET:
                copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main() -> None:
    """Run the node."""
    link = socket.socket(fileno=int(sys.argv[1]))
    stay_on_loopback()
    rospy.init_node(NODE, disable_signals=True, disable_rosout=True, disable_rostime=True)
    Face(link, json.loads(Path(sys.argv[2]).read_text())).run()
    os._exit(0)  # nothing is left to say: the master and the sockets go with this process's parent


if __name__ == "__main__":
    main()
