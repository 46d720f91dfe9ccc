"""When an arm counts as fit to be moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from gmps_msgs.msg import GuardStatus
from gmps_robot_nodes.activation import ArmBringUp
from std_srvs.srv import SetBool

from gmps_robot.control.guard_state import GuardMode


class Node:
    """Keeps what is subscribed and what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.heard: Callable[[Any], None] = lambda _: None

    def create_client(self, *_words: object) -> None:
        return None

    def create_subscription(self, _kind: type, _topic: str, callback: Callable[[Any], None], _profile: object) -> None:
        self.heard = callback

    def get_logger(self) -> Node:
        return self

    def info(self, text: str, **_options: object) -> None:
        self.said.append(text)


@pytest.mark.parametrize("mode", get_args(GuardMode))
def test_only_an_armed_arm_is_fit_and_else_a_person_is_told_what_to_do(mode: str) -> None:
    node = Node()
    arm = ArmBringUp(node, motors_on=False)  # type: ignore[arg-type]
    node.heard(GuardStatus(state=mode))
    assert arm.fit == (mode in ("ARMED", "MOVING", "HOLD"))
    assert arm.fit or ("arm/enable" in node.said[-1] and mode in node.said[-1])


def test_motors_just_switched_on_are_fit_when_the_driver_has_told_so_and_nobody_is_asked_to_do_it_again() -> None:
    node = Node()
    arm = ArmBringUp(node, motors_on=True)  # type: ignore[arg-type]
    node.heard(GuardStatus(state="DISABLED"))
    arm.switch_on(lambda _client, _request: SetBool.Response(success=True))
    assert (arm.fit, node.said) == (False, []), "who moves the arm must have heard it too"
    node.heard(GuardStatus(state="ARMED"))
    assert arm.fit
