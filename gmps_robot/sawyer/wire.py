"""Which topics of the robot the driver hears and speaks. Every word that can move the arm is here, and no other."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from gmps_robot.errors import ArmError, LinkError
from gmps_robot.sawyer import checks, messages
from gmps_robot.sawyer.gripper import Gripper
from gmps_robot.sawyer.heard import NAMES, Heard
from gmps_robot.sawyer.names import split_uri
from gmps_robot.sawyer.tcpros import RosNode
from gmps_robot.types import FloatArray

LIMB = "/robot/limb/right"
GRIPPER = "/io/end_effector/right_gripper"
POSITION, VELOCITY = 1, 2  # JointCommand.mode
COMMAND_TIMEOUT, PARTING_TIMEOUT = 0.1, 0.2  # without a command for this long the robot holds its position [s]
GRIPPER_WORD = 1.0  # [s]
FIRST_WORD = 5.0  # how long the robot may take to say what it says all the time [s]
VERSION = "/manifest/robot_software/version/HLR_VERSION_STRING"
JOINTS = "/robot_config/right_config/joint_names"


class Wire:
    """The robot's topics over one link; `heard` collects what comes in."""

    def __init__(self, node: RosNode) -> None:
        """Check the software's version and the joints' names, then subscribe, advertise and wait for the first words.

        Raises:
            ArmError: another version or another arm.
            LinkError: the robot is silent, or nobody listens to commands: the robot cannot reach this machine.
        """
        self.node, self.heard = node, Heard()
        for problem in (
            checks.version_problem(str(node.get_param(VERSION))), checks.names_problem(node.get_param(JOINTS))
        ):  # fmt: skip
            if problem:
                raise ArmError(problem)
        self._command = node.advertise(f"{LIMB}/joint_command", "intera_core_msgs/JointCommand")
        self._timeout = node.advertise(f"{LIMB}/joint_command_timeout", "std_msgs/Float64", latch=True)
        self._enable = node.advertise("/robot/set_super_enable", "std_msgs/Bool")
        self._stop = node.advertise("/robot/set_super_stop", "std_msgs/Empty")
        self._reset = node.advertise("/robot/set_super_reset", "std_msgs/Empty")
        self.gripper = Gripper(node.advertise(f"{GRIPPER}/command", "intera_core_msgs/IOComponentCommand"))
        heard = self.heard
        needed = [
            node.subscribe("/robot/joint_states", "sensor_msgs/JointState", heard.on_joints),
            node.subscribe(f"{LIMB}/tip_states", "intera_core_msgs/EndpointStates", heard.on_tips),
            node.subscribe("/robot/state", "intera_core_msgs/RobotAssemblyState", heard.on_assembly),
            node.subscribe("/robot/joint_limits", "intera_core_msgs/JointLimits", heard.on_limits),
        ]
        collision = f"{LIMB}/collision_detection_state"
        node.subscribe(collision, "intera_core_msgs/CollisionDetectionState", heard.on_collision)
        torques = f"{LIMB}/gravity_compensation_torques"  # an arm without them is driven all the same
        node.subscribe(torques, "intera_core_msgs/SEAJointState", heard.on_torques)
        gripper = node.subscribe(f"{GRIPPER}/state", "intera_core_msgs/IODeviceStatus", self.gripper.on_state)
        for subscription in needed:
            subscription.wait(FIRST_WORD)
        with contextlib.suppress(LinkError):  # an arm without a gripper may be looked at, not commanded
            gripper.wait(GRIPPER_WORD)
        for publisher in (self._command, self._timeout, self._enable, self._stop, self._reset):
            publisher.wait_for_subscribers(FIRST_WORD)

    def require_alone(self) -> None:
        """Check that the master answers and that nobody else commands the arm.

        Raises:
            LinkError: the master does not answer.
            ArmError: somebody else commands the arm too.
        """
        others = [name for name in self.node.master.publishers(f"{LIMB}/joint_command") if name != self.node.name]
        if others:
            raise ArmError(f"{', '.join(others)} commands the arm too ({LIMB}/joint_command); end it first")

    def move(self, velocity: FloatArray) -> None:
        """Command joint speeds (7,) [rad/s]."""
        self._publish(VELOCITY, velocity=velocity)

    def hold(self, joints: FloatArray) -> None:
        """Command joint positions (7,) [rad], where the arm is."""
        self._publish(POSITION, position=joints)

    def enable(self, enabled: bool) -> None:
        """Ask for motors on or off."""
        self._enable.publish(messages.make("std_msgs/Bool", data=enabled))

    def stop(self) -> None:
        """The robot's own stop."""
        self._stop.publish(messages.make("std_msgs/Empty"))

    def reset(self) -> None:
        """Clear stop and faults; the robot stays disabled."""
        self._reset.publish(messages.make("std_msgs/Empty"))

    def begin(self) -> None:
        """Have the robot hold its position soon after the last command: before the first one of every activation."""
        self._timeout.publish(messages.make("std_msgs/Float64", data=COMMAND_TIMEOUT))

    def part(self) -> None:
        """Give the command time-out back that the robot starts with."""
        self._timeout.publish(messages.make("std_msgs/Float64", data=PARTING_TIMEOUT))

    def close(self) -> None:
        """End the link."""
        self.node.close()

    def _publish(self, mode: int, **values: FloatArray) -> None:
        now_ns = time.time_ns()
        header = messages.make("std_msgs/Header", stamp=messages.stamp(now_ns), frame_id="base")
        self._command.publish(
            messages.make("intera_core_msgs/JointCommand", header=header, mode=mode, names=list(NAMES), **values)
        )


def connect(name: str, master_uri: str, patience: float) -> Wire:
    """Return the wire to the robot whose master is at `master_uri`; tries again for `patience` [s].

    Raises:
        LinkError: nobody answers there.
        ArmError: not an arm that this driver knows.
    """
    split_uri(master_uri)  # what is no address does not become one by waiting
    end = time.monotonic() + patience
    while True:
        node: Any = None
        try:
            node = RosNode(name, master_uri)
            return Wire(node)
        except LinkError:
            if node is not None:
                node.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        except ArmError:
            node.close()
            raise
