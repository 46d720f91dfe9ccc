"""Is the robot on the network fit to be driven? Asked by listening alone: nothing moves, nothing is published.

ROS 1 connects both ways: the robot must reach this machine too, or topics are listed and stay silent.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer import checks
from gmps_robot.sawyer.heard import Heard, Limits
from gmps_robot.sawyer.master import RefusedError
from gmps_robot.sawyer.messages import nanoseconds
from gmps_robot.sawyer.names import look_up, own_address, split_uri
from gmps_robot.sawyer.subscriber import Subscription
from gmps_robot.sawyer.tcpros import RosNode

LIMB = "/robot/limb/right"
JOINT_STATES, TIP_STATES, STATE = "/robot/joint_states", f"{LIMB}/tip_states", "/robot/state"
TOPICS = {
    JOINT_STATES: "sensor_msgs/JointState", TIP_STATES: "intera_core_msgs/EndpointStates",
    STATE: "intera_core_msgs/RobotAssemblyState",
}
RATE, LOWEST_RATE = 100.0, 80.0  # of these topics [1/s]
COMMAND = f"{LIMB}/joint_command"
HEARD_BY_ROBOT = "/robot/joint_state_publish_rate"  # what the robot listens to; announced here, never published
VERSION = "/manifest/robot_software/version/HLR_VERSION_STRING"
JOINT_NAMES = "/robot_config/right_config/joint_names"
WAIT = 5.0  # for a first message, a latched one, or the robot's connection to us [s]
CLOCK_TOLERANCE = 0.02  # [s]
ELSEWHERE = "192.0.2.1"  # an address for documentation: only a way to the rest of the world leads there


@dataclass(frozen=True)
class Answer:
    """One question about the robot. `advice` says what to do; with `fit` it may wait."""

    name: str
    fit: bool
    detail: str
    advice: str = ""


def inspect(master_uri: str, seconds: float = 2.0) -> Iterator[Answer]:
    """Yield what is found at the robot whose ROS 1 master is `master_uri`, listening for `seconds`."""
    begun = time.monotonic()
    try:
        split_uri(master_uri)
    except LinkError as error:
        yield Answer("master", False, str(error), "mend the address: --master-uri, or ROS_MASTER_URI")
        return
    try:
        node = RosNode("gmps_doctor", master_uri)
    except LinkError as error:
        yield Answer("master", False, str(error), "switch the robot on, wait for its screen, then try again")
        return
    with node:
        yield Answer("master", True, f"{master_uri} answers within {1e3 * (time.monotonic() - begun):.0f} ms")
        try:
            yield from _asked(node, seconds)
        except LinkError as error:
            yield Answer("master", False, str(error), "the master went away while it was asked")


def _asked(node: RosNode, seconds: float) -> Iterator[Answer]:
    yield network(node.address, _way_elsewhere())
    yield names(_hosts(node), look_up)
    yield other_hands(node.master.publishers(COMMAND))
    yield _back_connection(node)
    listening = Listening(node)
    yield from listening.silent()
    yield rates(_counted(node, seconds))
    yield clock(listening.offsets)
    if listening.state is not None:
        yield state(listening.state)
    version = str(_parameter(node, VERSION) or "")
    yield _judged("version", checks.version_problem(version), f"Intera {version}")
    told = _parameter(node, JOINT_NAMES)
    problem = checks.names_problem(list(told) if isinstance(told, list | tuple) else [])
    yield _judged("joints", problem, "the joints of the model")
    yield _judged("limits", checks.limits_problem(listening.limits()), "joint limits as in the model")
    yield _judged("kinematics", checks.kinematics_problem(listening.heard.robot()), "tip where the model has it")


class Listening:
    """Subscribes to what the robot tells and keeps it."""

    def __init__(self, node: RosNode) -> None:
        self.heard = Heard()
        self.offsets: dict[str, list[float]] = defaultdict(list)  # our clock minus the stamp, by topic [s]
        self.state: Any = None  # the newest RobotAssemblyState
        self._node = node
        take = {JOINT_STATES: self._stamped(JOINT_STATES, self.heard.on_joints), TIP_STATES: self.heard.on_tips,
                STATE: self._on_state}  # fmt: skip
        self._subscriptions = [node.subscribe(topic, kind, take[topic]) for topic, kind in TOPICS.items()]

    def silent(self) -> Iterator[Answer]:
        """Wait for a first message of each topic; an answer for each that has none."""
        for subscription in self._subscriptions:
            if (reason := _silence(subscription)) is not None:
                advice = "a firewall, or a robot that cannot reach this machine, silences topics that are listed"
                yield Answer("topics", False, reason, advice)

    def limits(self) -> Limits | None:
        """The robot's joint limits, which it tells once."""
        topic = self._node.subscribe("/robot/joint_limits", "intera_core_msgs/JointLimits", self.heard.on_limits)
        return None if _silence(topic) is not None else self.heard.robot().limits

    def _on_state(self, message: Any, _receipt_s: float) -> None:
        self.state = message

    def _stamped(self, topic: str, take: Callable[[Any, float], None]) -> Callable[[Any, float], None]:
        def note(message: Any, receipt_s: float) -> None:
            self.offsets[topic].append(time.time() - nanoseconds(message.header.stamp) * 1e-9)
            take(message, receipt_s)

        return note


def network(ours: str, elsewhere: str) -> Answer:
    """Whether the robot has a network of its own: ROS 1 knows no passwords. `elsewhere`: our address to the world."""
    if ours == elsewhere and not ours.startswith("127."):
        advice = "give the robot a network card of its own: whoever is on its network can move it"
        return Answer("network", True, f"{ours}, which also leads to the rest of the world", advice)
    return Answer("network", True, f"reached from {ours}")


def names(hosts: tuple[str, ...], resolve: Callable[[str], str | None]) -> Answer:
    """Whether the host names that the robot gives out are known here. The link takes unknown ones for the master's."""
    unknown = [host for host in hosts if resolve(host) is None]
    if not unknown:
        return Answer("names", True, f"{', '.join(hosts) or 'none'}")
    advice = "the driver takes the master's address for it; other ROS 1 tools need a line in /etc/hosts"
    return Answer("names", True, f"{', '.join(unknown)} cannot be resolved", advice)


def other_hands(publishers: tuple[str, ...]) -> Answer:
    """Whether somebody commands the arm already."""
    if not publishers:
        return Answer("hands", True, f"nobody publishes {COMMAND}")
    advice = "end them first (a running stack of ours, an Intera script): two hands on the arm are a FAULT"
    return Answer("hands", False, f"{', '.join(publishers)} publish {COMMAND}", advice)


def rates(measured: dict[str, float]) -> Answer:
    """Whether the robot tells its state often enough."""
    slow = {topic: rate for topic, rate in measured.items() if rate < LOWEST_RATE}
    detail = ", ".join(f"{topic} {rate:.0f}/s" for topic, rate in sorted((slow or measured).items()))
    if not slow:
        return Answer("rates", True, detail)
    advice = "a cable instead of radio; less load on this machine"
    return Answer("rates", False, f"{detail}; expected {RATE:.0f}/s", advice)


def clock(offsets: dict[str, list[float]]) -> Answer:
    """How far the robot's clock is from ours. Control goes by times of receipt; records go by stamps."""
    values = [offset for each in offsets.values() for offset in each]
    if not values:
        return Answer("robot clock", True, "not known: nothing with a stamp has come", "mend the topics first")
    offset = statistics.median(values)
    detail = f"the robot's clock is {abs(offset) * 1e3:.1f} ms {'behind' if offset > 0 else 'ahead'}, latency included"
    if abs(offset) <= CLOCK_TOLERANCE:
        return Answer("robot clock", True, detail)
    advice = "control does not mind; for records let both ask one time server (chrony)"
    return Answer("robot clock", True, detail, advice)


def state(told: Any) -> Answer:
    """What the robot says of itself, a RobotAssemblyState."""
    if int(told.estop_button) == 1:
        advice = "clear the area, turn the button out, release the stop, enable: three separate acts"
        return Answer("robot state", True, "the e-stop is pressed", advice)
    if told.stopped or told.error:
        what = "stopped" if told.stopped else "in error"
        return Answer("robot state", True, f"the robot is {what}", "release the stop in the panel (arm/reset_fault)")
    if not told.homed:
        return Answer("robot state", False, "the joints are not homed", "home them on the robot's own screen")
    return Answer("robot state", True, "enabled" if told.enabled else "disabled, as it should be before the start")


def _back_connection(node: RosNode) -> Answer:
    """The robot must open connections to us, for every command it is to hear."""
    announced = node.advertise(HEARD_BY_ROBOT, "std_msgs/UInt16")
    try:
        announced.wait_for_subscribers(WAIT)
    except LinkError:
        detail = f"the robot does not connect back to {node.address}: it would hear no command"
        advice = "let the firewall pass TCP from the robot; containers need network_mode: host"
        return Answer("back-connection", False, detail, advice)
    return Answer("back-connection", True, f"the robot connects to {node.address}")


def _counted(node: RosNode, seconds: float) -> dict[str, float]:
    """Messages per second that come within `seconds`, by topic: one that has fallen silent has none."""
    begun, before = time.monotonic(), node.statistics()
    time.sleep(seconds)
    elapsed, after = time.monotonic() - begun, node.statistics()
    return {topic: (after[topic].count - before[topic].count) / elapsed for topic in TOPICS}


def _hosts(node: RosNode) -> tuple[str, ...]:
    uris = {node.master.node_uri(name) for topic in TOPICS for name in node.master.publishers(topic)}
    return tuple(sorted({split_uri(uri)[0] for uri in uris if uri is not None}))


def _way_elsewhere() -> str:
    try:
        return own_address(ELSEWHERE)
    except LinkError:
        return ""  # no way to the rest of the world: as it should be


def _parameter(node: RosNode, key: str) -> Any:
    try:
        return node.get_param(key)
    except RefusedError:
        return None  # not set: judged like a wrong one


def _silence(subscription: Subscription) -> str | None:
    try:
        subscription.wait(WAIT)
    except LinkError as error:
        return str(error)
    return None


def _judged(name: str, problem: str, agreed: str) -> Answer:
    return Answer(name, not problem, problem or agreed, "the driver will refuse to arm it" if problem else "")
