"""An emulated robot at the other end of the driver's own wire, in one process and in virtual time: no jitter.

Robot, faults and the messages made of the robot's state are the emulator's. `EmulatedNode` takes the place of a ROS 1
node alone: `Wire`, what it hears, and `SawyerArm` are the real ones.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from gmps_robot.families.push import PushFamily
from gmps_robot.sawyer import messages
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.sawyer.wire import Wire
from gmps_robot.types import FloatArray, SceneState
from sim.emulator import faults, wire
from sim.emulator.commands import Commands
from sim.emulator.face import topics
from sim.emulator.face.lines import Lines
from sim.emulator.parameters import joint_limits, joint_names, parameters
from sim.emulator.robot import Robot

GRIPPER_PERIOD = 0.05  # of gripper states [s]


class OurMessages:
    """The messages of our own link, for `topics.Builder`."""

    def __getitem__(self, kind: str) -> Callable[..., Any]:
        return partial(messages.make, kind)

    def time(self, seconds: int, nanoseconds: int) -> Any:
        return messages.stamp(seconds * 1_000_000_000 + nanoseconds)


class EmulatedLink:
    """An emulated robot with its topics. Time passes in `sleep` alone. `inject` and the rest are as in `Emulator`."""

    def __init__(self, seed: int = 0, noise: float = 0.0, lag: float = 0.0) -> None:
        self.now, self._steps = 0.0, 0
        self._lag = lag  # of every message, both ways [s]
        self._under_way: deque[tuple[float, Callable[[], None]]] = deque()
        self.robot = Robot(PushFamily(), seed, noise, 0.0)
        self.parameters = parameters()
        self.publishers: dict[str, list[str]] = defaultdict(list)  # names of the nodes, by topic
        self.words: list[tuple[Any, float]] = []  # joint commands, with their time [s]
        self.clock_offset, self.frozen_stamp, self.lost, self.silent = 0.0, None, 0.0, False
        self.outbox = SimpleNamespace(send=self._obey)
        self.children = SimpleNamespace(freeze_face=lambda silent: setattr(self, "silent", silent))
        self._commands = Commands(self)  # type: ignore[arg-type]
        self._builder = topics.Builder(OurMessages(), joint_names())
        self._hearers: dict[str, list[Callable[[Any, float], None]]] = defaultdict(list)
        self._latched: dict[str, Any] = {}
        self._lines = Lines(lambda topic, _kind, _latch: SimpleNamespace(publish=partial(self._deliver, topic)), seed)
        for topic in topics.STATE_TOPICS:
            self._lines.add(topic.name, topic.type)
        for name, kind in topics.LATCHED_TOPICS.items():
            self._lines.add(name, kind, latched=True)
        self._send("/robot/joint_limits", self._builder.joint_limits(joint_limits()))
        self._frames, self._reset_at = 0, 0.0

    def clock(self) -> float:
        return self.now

    wall = clock

    def sleep(self, seconds: float) -> None:
        dt = self.robot.body.dt
        for _ in range(round(seconds / dt)):
            self._steps += 1
            self.now = self._steps * dt
            self._arrive()
            self.robot.step(self.now)
            self._publish()

    def subscribe(self, topic: str, callback: Callable[[Any, float], None]) -> None:
        self._hearers[topic].append(callback)
        if topic in self._latched:
            callback(self._latched[topic], self.now)

    def hear(self, caller: str, topic: str, message: Any) -> None:
        """What a node says."""
        self._under_way.append((self.now + self._lag, partial(self._heard, caller, topic, message)))
        self._arrive()

    def _arrive(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now + 1e-9:
            self._under_way.popleft()[1]()

    def _heard(self, caller: str, topic: str, message: Any) -> None:
        what = topic.rpartition("/")[2]
        if what == "joint_command":
            self.words.append((message, self.now))
            said = {"mode": message.mode, "names": message.names, "position": message.position,
                    "velocity": message.velocity}  # fmt: skip
        elif what == "command":
            what, stamp = "gripper", (message.time.sec, message.time.nanosec)
            said = {"time": stamp, "command": message.op, "args": message.args}
        else:
            said = {"value": getattr(message, "data", None)}
        if not self.silent:
            self.robot.handle({"op": what, "caller": caller, **said}, self.now)

    def inject(self, fault: str, **options: Any) -> float:
        self._commands.carry_out({"do": "fault", "name": fault, "options": faults.checked(fault, options)}, self.now)
        return self.now

    def describe(self) -> dict[str, Any]:
        return self.robot.describe()

    def events(self, what: str) -> list[dict[str, Any]]:
        return [event for event in self.robot.history() if event["what"] == what]

    def trace(self, seconds: float = 60.0) -> FloatArray:
        return self.robot.traced(seconds)

    def true_speed(self) -> float:
        return float(np.linalg.norm(self.robot.body.tip_velocity))

    def scene(self) -> SceneState:
        body = self.robot.body
        pose = np.array(body.qpos[-7:])[[0, 1, 2, 4, 5, 6, 3]]
        return SceneState(np.array(body.tip), pose, np.asarray(self.now - self._reset_at))

    def reset_scene(self, _task: None) -> None:
        self.robot.body.reset_object()
        self._reset_at = self.now

    def _publish(self) -> None:
        stamp = self.wall() + self.clock_offset if self.frozen_stamp is None else self.frozen_stamp
        bits = self.robot.due(self.now)
        if bits:
            self._frames += bool(bits & wire.DUE_STATE)
            [(_, payload)] = wire.Frames().feed(self.robot.report(bits, stamp, self.now))
            state = wire.read_state(payload)
            for topic in topics.STATE_TOPICS:
                if bits & topic.due and self._frames % topic.divisor == 0 and self._hearers[topic.name]:
                    self._send(topic.name, topic.build(self._builder, state))
        if self._steps % round(GRIPPER_PERIOD / self.robot.body.dt) == 0:
            report = {"stamp": stamp, **self.robot.gripper.report()}
            self._send(topics.GRIPPER + "state", self._builder.gripper_state(report))
        self._lines.release(self.now)

    def _send(self, topic: str, message: Any) -> None:
        if topic in topics.LATCHED_TOPICS:
            self._latched[topic] = message
        self._lines.send(topic, message, self.now)

    def _deliver(self, topic: str, message: Any) -> None:
        if not self.silent:
            self._under_way.append((self.now + self._lag, partial(self._tell, topic, message)))
            self._arrive()

    def _tell(self, topic: str, message: Any) -> None:
        for hear in self._hearers[topic]:
            hear(message, self.now)

    def _obey(self, message: dict[str, Any]) -> None:
        """What the emulator's process asks of its face."""
        if message["op"] == "topic":
            self._lines.disturb(message["topic"], message["action"], message["seconds"], message["share"])
        elif message["op"] == "joint_limits":
            self._send("/robot/joint_limits", self._builder.joint_limits(message["limits"]))
        else:
            self.parameters[message["name"]] = message["value"]


class EmulatedNode:
    """What `Wire` needs of a `RosNode`."""

    def __init__(self, name: str, link: EmulatedLink) -> None:
        self.name, self._link = f"/{name}", link
        self.master = SimpleNamespace(publishers=lambda topic: link.publishers[topic])

    def get_param(self, name: str) -> Any:
        return self._link.parameters[name]

    def advertise(self, topic: str, _kind: str, latch: bool = False) -> Any:
        self._link.publishers[topic].append(self.name)
        return SimpleNamespace(
            publish=partial(self._link.hear, self.name, topic), wait_for_subscribers=lambda _patience: None
        )

    def subscribe(self, topic: str, _kind: str, callback: Callable[[Any, float], None]) -> Any:
        self._link.subscribe(topic, callback)
        return SimpleNamespace(wait=lambda _patience: self._link.sleep(GRIPPER_PERIOD))

    def close(self) -> None:
        for names in self._link.publishers.values():
            if self.name in names:
                names.remove(self.name)


def driven_robot(noise: float = 0.0, seed: int = 0) -> tuple[SawyerArm, EmulatedLink]:
    """An armed driver in front of an emulated robot at the start of the push scene."""
    link = EmulatedLink(seed, noise)
    arm = SawyerArm(PushFamily(), Wire(EmulatedNode("driver", link)), link.clock, link.sleep)  # type: ignore[arg-type]
    arm.enable(True)
    return arm, link
