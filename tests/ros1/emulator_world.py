"""An emulated arm and a ROS 1 client that hears and commands it over the wire, without any driver in between."""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from gmps_robot import families
from gmps_robot.sawyer import messages
from gmps_robot.sawyer.tcpros import RosNode
from sim.intera_emulator import Emulator
from tests.ros1.ros1_world import until

LIMB = "/robot/limb/right/"
GRIPPER = "/io/end_effector/right_gripper/"
JOINTS = [f"right_j{i}" for i in range(7)]
TOPICS = {
    "/robot/state": "RobotAssemblyState",
    "/robot/joint_limits": "JointLimits",
    LIMB + "tip_states": "EndpointStates",
    LIMB + "endpoint_state": "EndpointState",
    LIMB + "collision_detection_state": "CollisionDetectionState",
    LIMB + "collision_avoidance_state": "CollisionAvoidanceState",
    LIMB + "gravity_compensation_torques": "SEAJointState",
    "/robot/homing_states": "HomingState",
    "/io/end_effector/config": "IONodeConfiguration",
    GRIPPER + "config": "IODeviceConfiguration",
    GRIPPER + "state": "IODeviceStatus",
}
STATES, JOINT_STATES = "/robot/state", "/robot/joint_states"
POSITION, VELOCITY, TORQUE, TRAJECTORY = 1, 2, 3, 4


class Client:
    """`heard[topic]` is a list of (message, receipt) that grows; receipts are on the monotonic clock [s]."""

    def __init__(self, emulator: Emulator, node: RosNode) -> None:
        self.emulator, self.node = emulator, node
        self.heard: dict[str, list[tuple[Any, float]]] = defaultdict(list)
        for topic, kind in TOPICS.items():
            self._listen(topic, f"intera_core_msgs/{kind}")
        self._listen(JOINT_STATES, "sensor_msgs/JointState")
        self._publishers = {
            topic: node.advertise(topic, kind, depth=10)
            for topic, kind in {
                "/robot/set_super_enable": "std_msgs/Bool",
                "/robot/set_super_stop": "std_msgs/Empty",
                "/robot/set_super_reset": "std_msgs/Empty",
                "/robot/joint_state_publish_rate": "std_msgs/UInt16",
                LIMB + "joint_command_timeout": "std_msgs/Float64",
                LIMB + "set_speed_ratio": "std_msgs/Float64",
                LIMB + "suppress_contact_safety": "std_msgs/Empty",
                LIMB + "joint_command": "intera_core_msgs/JointCommand",
                GRIPPER + "command": "intera_core_msgs/IOComponentCommand",
            }.items()
        }
        for publisher in self._publishers.values():
            publisher.wait_for_subscribers(10.0)
        until(lambda: all(self.heard[topic] for topic in (*TOPICS, JOINT_STATES)), "not all topics are heard")
        self._ids = itertools.count(1)

    def last(self, topic: str) -> Any:
        """The newest message of a topic."""
        return self.heard[topic][-1][0]

    def since(self, topic: str, start: float) -> list[tuple[Any, float]]:
        """What came on a topic after `start` [s]."""
        return [pair for pair in self.heard[topic] if pair[1] > start]

    def next(self, topic: str, what: str, holds: Callable[[Any], Any], start: float | None = None) -> float:
        """Wait for a message after `start` (now) for which `holds`; return its receipt [s]."""
        begin = time.monotonic() if start is None else start

        def found() -> list[float]:
            return [receipt for message, receipt in self.since(topic, begin) if holds(message)]

        return float(until(found, what)[0])

    def send(self, topic: str, **fields: Any) -> float:
        """Publish on a topic of the robot; return when [s]."""
        publisher = self._publishers[topic]
        kind = publisher.codec.type
        publisher.publish(messages.make(kind, **fields))
        return time.monotonic()

    def enable(self) -> None:
        """Bring the robot to enabled from whatever it is in."""
        if self.last(STATES).stopped:
            self.send("/robot/set_super_reset")
            self.next(STATES, "the robot is not reset", lambda m: not m.stopped)
        if not self.last(STATES).enabled:
            self.send("/robot/set_super_enable", data=True)
            self.next(STATES, "the robot is not enabled", lambda m: m.enabled)

    def command(self, mode: int, values: Sequence[float], names: Sequence[str] = JOINTS) -> float:
        """Send one JointCommand; return when [s]."""
        field = {POSITION: "position", VELOCITY: "velocity"}.get(mode, "effort")
        return self.send(LIMB + "joint_command", mode=mode, names=list(names), **{field: np.array(values, dtype=float)})

    def drive(self, velocity: Sequence[float], seconds: float) -> float:
        """Command joint velocities at 100 Hz; return when the last command went out [s]."""
        end = time.monotonic() + seconds
        while (sent := self.command(VELOCITY, velocity)) < end:
            time.sleep(0.01)
        return sent

    def grip(self, opening: float) -> int:
        """Send one gripper command; return the time that names it [ns]."""
        number = time.time_ns() // 1000 * 1000 + next(self._ids)
        signal = {"position_m": {"format": {"type": "float"}, "data": [opening]}}
        args = json.dumps({"signals": signal})
        self.send(GRIPPER + "command", time=messages.stamp(number), op="set", args=args)
        return number

    def acknowledged(self) -> list[int]:
        """Times of the gripper commands that the gripper has acknowledged [ns]."""
        return [messages.nanoseconds(stamp) for stamp in self.last(GRIPPER + "state").commands]

    def signal(self, name: str) -> Any:
        """A signal of the gripper."""
        found = {signal.name: signal.data for signal in self.last(GRIPPER + "state").signals}
        return json.loads(found[name])[0]

    def _listen(self, topic: str, kind: str) -> None:
        heard = self.heard[topic]
        self.node.subscribe(topic, kind, lambda message, receipt: heard.append((message, receipt)))


@contextmanager
def emulated(**options: Any) -> Iterator[Client]:
    """An emulator of the push scene, and a client."""
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(families.family("push"), **options))
        yield Client(emulator, stack.enter_context(RosNode("tester", emulator.master_uri)))
