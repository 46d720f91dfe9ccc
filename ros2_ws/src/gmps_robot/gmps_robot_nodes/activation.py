"""Bringing lifecycle nodes up: `adapt` for whoever wants to send it a goal, and the driver of an arm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gmps_msgs.msg import GuardStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node
from std_srvs.srv import SetBool

from gmps_robot.errors import SetupError
from gmps_robot_nodes import qos

FIT = ("ARMED", "MOVING", "HOLD")  # of the guard; everything else only a person can end
HOW_TO_ENABLE = (
    "when nobody is in its reach, press Enable motors in the panel, or "
    "`ros2 service call /arm/enable std_srvs/srv/SetBool '{data: true}'`"
)

NEXT = {
    State.PRIMARY_STATE_UNCONFIGURED: Transition.TRANSITION_CONFIGURE,
    State.PRIMARY_STATE_INACTIVE: Transition.TRANSITION_ACTIVATE,
}
BACK = {
    State.PRIMARY_STATE_ACTIVE: Transition.TRANSITION_DEACTIVATE,
    State.PRIMARY_STATE_INACTIVE: Transition.TRANSITION_CLEANUP,
}


class Activation:
    """The two lifecycle services of node `name`, as a client sees them."""

    def __init__(self, node: Node, name: str) -> None:
        self._name = name
        self._get = node.create_client(GetState, f"{name}/get_state")
        self._change = node.create_client(ChangeState, f"{name}/change_state")

    @property
    def ready(self) -> bool:
        """Whether the node is there."""
        return bool(self._get.service_is_ready() and self._change.service_is_ready())

    def bring_up(self, call: Callable[[Client, Any], Any]) -> None:
        """Configure and activate the node if need be; `call` sends a request and returns the response.

        Raises:
            SetupError: the node refuses, as for a checkpoint that cannot be read.
        """
        while (state := call(self._get, GetState.Request()).current_state).id != State.PRIMARY_STATE_ACTIVE:
            step = NEXT.get(state.id)
            if step is None or not call(self._change, ChangeState.Request(transition=Transition(id=step))).success:
                raise SetupError(
                    f"node {self._name}, which is {state.label}, could not be brought up; its own lines say why"
                )


    def put_down(self, call: Callable[[Client, Any], Any]) -> None:
        """Let the node forget what it was configured with, so that the next `bring_up` reads it anew.

        Raises:
            SetupError: the node refuses.
        """
        while step := BACK.get((state := call(self._get, GetState.Request()).current_state).id):
            if not call(self._change, ChangeState.Request(transition=Transition(id=step))).success:
                raise SetupError(f"node {self._name}, which is {state.label}, could not be put down")


class ArmBringUp:
    """Brings the driver up. Motors that move a real arm are switched on by a person, who is told how."""

    def __init__(self, node: Node, motors_on: bool) -> None:
        """`motors_on`: nobody can be hurt, so the motors are switched on at once."""
        self._node, self._motors_on = node, motors_on
        self._activation = Activation(node, "sawyer_driver")
        self._enable = node.create_client(SetBool, "arm/enable")
        self._state = ""
        node.create_subscription(GuardStatus, "arm/guard_status", self._on_guard, qos.STATUS)

    @property
    def ready(self) -> bool:
        """Whether the driver is there."""
        return self._activation.ready

    @property
    def connected(self) -> bool:
        """Whether the driver has reached the robot."""
        return bool(self._enable.service_is_ready())

    @property
    def fit(self) -> bool:
        """Whether the arm may be moved; tells a person what to do while it may not."""
        if self._state in FIT:
            return True
        if self._state or not self._motors_on:  # else they were switched on, and the driver's next status is to come
            told = f"the arm is {self._state or 'silent'}: {HOW_TO_ENABLE}"
            self._node.get_logger().info(told, throttle_duration_sec=15)
        return False

    def bring_up(self, call: Callable[[Client, Any], Any]) -> None:
        """Connect the driver to the robot.

        Raises:
            SetupError: the driver refuses.
        """
        self._activation.bring_up(call)

    def switch_on(self, call: Callable[[Client, Any], Any]) -> None:
        """Switch the motors on where that is harmless.

        Raises:
            SetupError: the driver refuses.
        """
        if not self._motors_on:
            return
        self._state = ""  # what was told before counts no more; who moves the arm must have heard the next status too
        if not (answer := call(self._enable, SetBool.Request(data=True))).success:
            raise SetupError(f"arm/enable was refused: {answer.message}")

    def _on_guard(self, message: GuardStatus) -> None:
        self._state = message.state
