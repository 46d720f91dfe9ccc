"""Who moves the arm, kept in the driver's process: answers `arm/lease`, and chooses whose command reaches the guard."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from gmps_msgs.srv import ArmLease

from gmps_robot.control import lease
from gmps_robot.control.lease import Choice, LeaseState
from gmps_robot.types import ArmCommand

ACTIONS = ("acquire", "renew", "release")


class LeaseDesk:
    """The one lease of an arm. Services and the control loop may come from different threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is the driver's [s]."""
        self._clock = clock
        self._lock = threading.Lock()
        self._state = LeaseState()

    @property
    def holder(self) -> str:
        """Who holds the arm; empty: nobody."""
        with self._lock:
            return lease.lapse(self._state, self._clock()).holder

    @property
    def changing(self) -> bool:
        """Whether the right has changed hands and the arm has not been seen at rest since."""
        with self._lock:
            self._state = lease.lapse(self._state, self._clock())
            return self._state.changing

    def choose(self, policy: ArmCommand | None, teleop: ArmCommand | None, now: float, at_rest: bool) -> Choice:
        """See `lease.arbitrate`."""
        with self._lock:
            self._state, choice = lease.arbitrate(self._state, policy, teleop, now, at_rest)
            return choice

    def serve(self, request: ArmLease.Request, response: ArmLease.Response) -> ArmLease.Response:
        """Answer a request for the lease."""
        now = self._clock()
        with self._lock:
            if request.action == "acquire":
                self._state, answer = lease.acquire(self._state, request.holder, secrets.token_hex(8), now)
            elif request.action == "renew":
                self._state, answer = lease.renew(self._state, request.lease, now)
            elif request.action == "release":
                self._state, answer = lease.release(self._state, request.lease, now)
            else:
                answer = lease.Answer(False, f"unknown action {request.action!r}; valid: {', '.join(ACTIONS)}")
            state = self._state
        response.success, response.message, response.holder = answer.success, answer.message, state.holder
        if answer.success and state.lease:
            response.lease, response.seconds = state.lease, max(0.0, state.expires - now)
        return response
