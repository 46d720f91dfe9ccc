"""The services of every arm node: switches, stops, the way home and the operator's lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gmps_msgs.srv import ArmLease
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.service import Service
from std_srvs.srv import SetBool, Trigger

from gmps_robot.control.guarded_arm import GuardedArm
from gmps_robot.errors import ArmError, GmpsError
from gmps_robot.types import ArmCommand
from gmps_robot_nodes.arm_lease import LeaseDesk

NO_HOMING = ("DISCONNECTED", "DISABLED", "IDLE", "FAULT", "ESTOP")


class ArmServices:
    """Offers `arm/*` for one arm and remembers whether it is on its way home.

    Where nothing carries the arm's motion, not `active`, it can be stopped and switched off, and nothing else.
    """

    def __init__(
        self, node: Node, arm: GuardedArm, desk: LeaseDesk, group: CallbackGroup | None = None, *, active: bool = True
    ) -> None:
        """`group` runs the callbacks; those of a real arm's switches wait for the robot."""
        self.homing, self.active = False, active
        self._held = False  # whether the way home is to end where the arm is
        self._arm, self._node, self._desk = arm, node, desk
        acts: dict[str, Callable[[], str]] = {
            "stop": self._stop, "kill": self._kill, "reset_fault": self._reset_fault, "home": self._home,
            "hold": self._hold,
        }
        self._services: list[Service] = [
            node.create_service(Trigger, f"arm/{name}", _answer(act), callback_group=group)
            for name, act in acts.items()
        ]
        self._services += [
            node.create_service(SetBool, "arm/enable", self._enable, callback_group=group),
            node.create_service(ArmLease, "arm/lease", self._lease, callback_group=group),
        ]

    def next_home(self, now: float) -> ArmCommand | None:
        """Return the next command of the way home, at `now` [s].

        It ends on arrival, where nothing may move, by `arm/hold`, when an operator takes the arm, and, as a stop, where
        no way leads.
        """
        if self._held:  # here, in the thread that commands the way: what it asked for last is in force no more
            self.homing = False
            self._arm.let_go()
            return None
        try:
            command = self._arm.next_home(now)
        except ArmError as error:
            self._arm.stop(str(error))
            command = None
        if command is None:  # and only then: somebody may have ended it meanwhile
            self.homing = False
        return command

    def deactivate(self) -> None:
        """Nothing carries the arm's motion any more."""
        self.homing = self.active = False

    def close(self) -> None:
        """Offer nothing any more."""
        for service in self._services:
            self._node.destroy_service(service)

    def _stop(self) -> str:
        self.homing = False
        self._arm.stop("stopped by a person")
        return "the arm is stopped until arm/reset_fault"

    def _kill(self) -> str:
        self.homing = False
        self._arm.kill("arm/kill")
        return "the robot's own stop is pressed; arm/reset_fault, then arm/enable end it"

    def _require_active(self) -> None:
        if not self.active:
            raise GmpsError("the driver is not active, nothing would watch the arm: activate it first")

    def _reset_fault(self) -> str:
        self._require_active()
        mode = self._arm.guard_state.mode
        if mode not in ("FAULT", "ESTOP"):
            raise GmpsError(f"the arm is not stopped: it is {mode}")
        self._arm.reset_fault()
        if self._arm.guard_state.armed:
            return "the arm holds until the next command"
        return "the stop is cleared; the motors are off until arm/enable"

    def _home(self) -> str:
        self._require_active()
        state = self._arm.guard_state
        if not state.armed or state.mode in NO_HOMING:
            why = f": {state.fault_reason}" if state.fault_reason else ""
            raise GmpsError(f"the arm is {state.mode}{why}; arm/reset_fault ends a stop, arm/enable switches motors on")
        holder = self._desk.holder
        if holder:
            raise GmpsError(f"{holder} holds the arm: release the lease, then ask again")
        self._held, self.homing = False, True
        return "on its way to the start"

    def _hold(self) -> str:
        """End the way home without a fault. Whoever else moves the arm has ways of their own to hold it."""
        self._held = True
        return "the arm holds where it is" if self.homing else "the arm is not on its way home"

    def _lease(self, request: ArmLease.Request, response: ArmLease.Response) -> ArmLease.Response:
        response = self._desk.serve(request, response)
        if response.success and request.action == "acquire":
            self.homing = False
        return response

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.homing = False
        return _answer(lambda: self._switch(bool(request.data)))(request, response)

    def _switch(self, enabled: bool) -> str:
        if enabled:
            self._require_active()
        self._arm.enable(enabled)
        return "motors on: the next command moves the arm" if enabled else "motors off: no command moves the arm"


def _answer(act: Callable[[], str]) -> Callable[[Any, Any], Any]:
    """Return the service callback that does `act` and says what came of it."""

    def callback(_request: Any, response: Any) -> Any:
        try:
            response.message = act()
        except GmpsError as error:
            response.message = str(error)
            return response
        response.success = True
        return response

    return callback
