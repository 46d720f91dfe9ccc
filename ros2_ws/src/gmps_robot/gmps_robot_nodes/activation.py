"""Bringing the lifecycle node `adapt` up, for whoever wants to send it a goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node

from gmps_robot.errors import SetupError

NEXT = {
    State.PRIMARY_STATE_UNCONFIGURED: Transition.TRANSITION_CONFIGURE,
    State.PRIMARY_STATE_INACTIVE: Transition.TRANSITION_ACTIVATE,
}


class Activation:
    """The two lifecycle services of the adapt node, as a client sees them."""

    def __init__(self, node: Node) -> None:
        self._get = node.create_client(GetState, "adapt/get_state")
        self._change = node.create_client(ChangeState, "adapt/change_state")

    @property
    def ready(self) -> bool:
        """Whether the adapt node is there."""
        return bool(self._get.service_is_ready() and self._change.service_is_ready())

    def bring_up(self, call: Callable[[Client, Any], Any]) -> None:
        """Configure and activate the node if need be; `call` sends a request and returns the response.

        Raises:
            SetupError: the node refuses, as for a checkpoint that cannot be read.
        """
        while (state := call(self._get, GetState.Request()).current_state).id != State.PRIMARY_STATE_ACTIVE:
            step = NEXT.get(state.id)
            if step is None or not call(self._change, ChangeState.Request(transition=Transition(id=step))).success:
                raise SetupError(f"node adapt, which is {state.label}, could not be brought up; its own lines say why")
