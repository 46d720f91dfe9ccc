"""Who ends a way home, and what is left when a control thread fails: without processes, on the fake arm."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from gmps_msgs.srv import ArmLease
from gmps_robot_nodes.arm_lease import LeaseDesk
from gmps_robot_nodes.arm_services import ArmServices
from gmps_robot_nodes.sawyer_control import SawyerControl
from std_srvs.srv import SetBool, Trigger

from gmps_robot import families
from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.control.homing import PATIENCE
from gmps_robot.types import ArmCommand

FAMILY = families.family("push")


class Desk:
    """A node that offers services to the test alone, and its clock."""

    def __init__(self) -> None:
        self.now = 50.0
        self.offered: dict[str, Any] = {}
        self.errors: list[str] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def create_service(self, _kind: type, name: str, callback: Any, **_options: object) -> None:
        self.offered[name] = callback

    def get_logger(self) -> Desk:
        return self

    def error(self, text: str) -> None:
        self.errors.append(text)


@pytest.fixture
def node() -> Desk:
    return Desk()


@pytest.fixture
def arm(node: Desk) -> FakeArm:
    arm = FakeArm(FAMILY, node, node.sleep, period=0.01)
    for seq in range(1, 60):
        arm.apply(ArmCommand(round(node.now * 1e9), seq, "policy", np.array([0.0, 0.1, 0.0]), -0.5), node.now)
        node.sleep(0.01)
    return arm


@pytest.fixture
def offers(node: Desk, arm: FakeArm) -> ArmServices:
    return ArmServices(node, arm, LeaseDesk(node))  # type: ignore[arg-type]


def home(node: Desk) -> Trigger.Response:
    return node.offered["arm/home"](Trigger.Request(), Trigger.Response())


def hold(node: Desk) -> Trigger.Response:
    return node.offered["arm/hold"](Trigger.Request(), Trigger.Response())


def let_run(node: Desk, arm: FakeArm, offers: ArmServices, periods: int) -> None:
    """What a control thread does."""
    for _ in range(periods):
        arm.apply(offers.next_home(node.now) if offers.homing else None, node.now)
        node.sleep(0.01)


def lease(node: Desk, **request: str) -> ArmLease.Response:
    return node.offered["arm/lease"](ArmLease.Request(**request), ArmLease.Response())


def test_an_arm_that_comes_no_nearer_to_home_is_stopped_and_says_what_to_do(
    node: Desk, arm: FakeArm, offers: ArmServices
) -> None:
    assert home(node).success
    gives_up = node.now + PATIENCE + 0.5
    while offers.homing and node.now < gives_up:  # nothing is carried out: something holds the arm
        assert not arm.guard_state.fault_reason
        offers.next_home(node.now)
        node.sleep(0.01)
    assert not offers.homing
    assert arm.guard_state.mode == "FAULT"
    assert "no way home from here: the tip stays 0.0" in arm.guard_state.fault_reason
    assert "by hand" in arm.guard_state.fault_reason
    refused = home(node)
    assert not refused.success
    assert "no way home" in refused.message
    assert node.offered["arm/reset_fault"](Trigger.Request(), Trigger.Response()).success
    assert home(node).success
    assert offers.next_home(node.now) is not None


def test_an_operator_who_takes_the_arm_ends_its_way_home_and_holds_it(node: Desk, offers: ArmServices) -> None:
    assert home(node).success
    taken = lease(node, action="acquire", holder="ada")
    assert taken.success
    assert not offers.homing
    refused = home(node)
    assert not refused.success
    assert "ada holds the arm" in refused.message
    assert lease(node, action="release", lease=taken.lease).success
    assert home(node).success


def test_a_way_home_that_is_held_ends_where_the_arm_is_and_is_no_fault(
    node: Desk, arm: FakeArm, offers: ArmServices
) -> None:
    assert home(node).success
    let_run(node, arm, offers, 30)
    held_at = arm.guard_state.tip_target
    assert np.linalg.norm(arm.guard_state.velocity) > 0.1
    assert hold(node).success
    let_run(node, arm, offers, 40)
    assert not offers.homing
    assert arm.guard_state.at_rest
    assert arm.guard_state.mode in ("ARMED", "HOLD")
    assert np.linalg.norm(arm.guard_state.tip_target - held_at) < 0.008  # a command lapses 20 mm further on
    let_run(node, arm, offers, 100)
    assert np.linalg.norm(arm.guard_state.tip_target - np.array(FAMILY.start_tip)) > 0.02
    assert home(node).success  # and nobody has to release anything
    let_run(node, arm, offers, 400)
    assert not offers.homing
    np.testing.assert_allclose(arm.guard_state.tip_target, FAMILY.start_tip, atol=2e-3)


def test_hold_leaves_alone_what_is_not_on_its_way_home(node: Desk, arm: FakeArm, offers: ArmServices) -> None:
    command = ArmCommand(round(node.now * 1e9), 60, "policy", np.array([0.0, -0.1, 0.0]), -0.5)
    arm.apply(command, node.now)
    answer = hold(node)
    assert answer.success
    assert "not on its way home" in answer.message
    assert arm.guard_state.command is not None
    assert home(node).success  # what was said before it does not end it
    let_run(node, arm, offers, 3)
    assert offers.homing


class Inbox:
    """Nobody asks for anything, or asking goes wrong."""

    def __init__(self, broken: bool = False, changing: bool = False) -> None:
        self._broken, self.changing = broken, changing

    def take(self, _now: float, _at_rest: bool) -> None:
        if self._broken:
            raise ZeroDivisionError


@pytest.mark.parametrize("changing", [False, True])
def test_an_arm_that_changes_hands_is_let_go_at_once(
    changing: bool, arm: FakeArm, offers: ArmServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, ticks = [], []
    monkeypatch.setattr(arm, "let_go", lambda: let_go.append(True))
    control = SawyerControl(arm, Inbox(changing=changing), offers, ticks.append, lambda *_: None)  # type: ignore[arg-type]
    deadline = time.monotonic() + 5.0
    while len(ticks) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    control.end()
    assert not control.failure
    assert len(ticks) >= 3
    assert bool(let_go) == changing


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("thread", ["control", "telling"])
def test_a_mistake_in_a_thread_of_the_driver_is_seen(thread: str, arm: FakeArm, offers: ArmServices) -> None:
    def told(_applied: object) -> None:
        if thread == "telling":
            raise ZeroDivisionError

    control = SawyerControl(arm, Inbox(thread == "control"), offers, told, lambda *_: None)  # type: ignore[arg-type]
    deadline = time.monotonic() + 5.0
    while not control.failure and time.monotonic() < deadline:
        time.sleep(0.01)
    assert f"{thread} thread broke off" in control.failure
    control.end()


def test_where_nothing_carries_the_motion_an_arm_can_be_stopped_and_no_more(
    node: Desk, arm: FakeArm, offers: ArmServices
) -> None:
    assert home(node).success
    offers.deactivate()
    assert not offers.homing
    refused = home(node)
    assert not refused.success
    assert "activate it first" in refused.message
    assert node.offered["arm/stop"](Trigger.Request(), Trigger.Response()).success
    assert arm.guard_state.mode == "FAULT"
    assert not node.offered["arm/reset_fault"](Trigger.Request(), Trigger.Response()).success
    switch = node.offered["arm/enable"]
    assert not switch(SetBool.Request(data=True), SetBool.Response()).success
    assert switch(SetBool.Request(data=False), SetBool.Response()).success
    assert arm.guard_state.mode == "FAULT"
