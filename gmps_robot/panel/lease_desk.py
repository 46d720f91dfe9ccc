"""Which operator of the panel holds the arm's lease. The lease itself is kept and enforced in the driver's process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from gmps_robot.control.lease import LEASE_LIFE
from gmps_robot.errors import SessionError
from gmps_robot.panel.auth import Person
from gmps_robot.panel.bridge import PanelBridge

HEARD_WITHIN = 1.0  # the driver tells who holds its lease at least this often [s]
NOT_HELD = "you do not hold the arm: press Take the arm"


@dataclass(frozen=True)
class Holding:
    """One granted lease."""

    session: str  # names it towards the page
    lease: str  # names it towards the driver; never leaves this process
    holder: Person
    since: float  # [s]
    expires: float  # [s]


class LeaseDesk:
    """Asks the driver for the lease on behalf of people. Callable from several threads."""

    def __init__(self, bridge: PanelBridge, clock: Callable[[], float]) -> None:
        """`clock` is monotonic [s]."""
        self._bridge, self._clock = bridge, clock
        self._lock = threading.Lock()
        self._holding: Holding | None = None

    def acquire(self, holder: Person, take_over: bool = False) -> Holding:
        """Take the arm for `holder`; with `take_over` from whoever has it by this panel.

        Raises:
            SessionError: somebody else holds it; the message says who.
        """
        with self._lock:
            now, held = self._clock(), self._holding
            if held is not None and held.expires > now and (take_over or _same(held.holder, holder)):
                self._bridge.lease_release(held.lease)
            lease = self._bridge.lease_acquire(holder.name)
            now = self._clock()
            self._holding = Holding(secrets.token_hex(8), lease, holder, now, now + LEASE_LIFE)
            return self._holding

    def release(self, session: str, holder: Person) -> None:
        """Give the arm back.

        Raises:
            SessionError: `holder` does not hold it by `session`.
        """
        with self._lock:
            held = self._valid(session, holder)
            if held is None:
                raise SessionError(NOT_HELD)
            self._holding = None
            self._bridge.lease_release(held.lease)

    def lease_of(self, session: str, holder: Person) -> str:
        """Return the driver's lease behind `session`, empty when it is not, or no more, `holder`'s."""
        held = self._valid(session, holder)
        return "" if held is None else held.lease

    def lease_to_move(self, who: Person) -> str:
        """Return the lease that `who` has now, empty where nobody has the arm: then it may be moved for this person.

        Raises:
            SessionError: somebody else holds it, by this panel or past it; the message says who.
        """
        held, holder = self._holding, self._bridge.state().holder
        if held is not None and held.expires > self._clock() and _same(held.holder, who) and holder in ("", who.name):
            return held.lease
        if holder := holder or self.holder:
            raise SessionError(f"{holder} holds the arm: it moves for nobody else until it is given back")
        return ""

    def renewed(self, session: str) -> None:
        """Note that a command carried the lease of `session`, which renews it in the driver."""
        held = self._holding
        if held is not None and held.session == session:
            self._holding = replace(held, expires=self._clock() + LEASE_LIFE)

    @property
    def holder(self) -> str:
        """Who holds the arm by this panel; empty: nobody."""
        held = self._holding
        return held.holder.name if held is not None and held.expires > self._clock() else ""

    def _valid(self, session: str, holder: Person) -> Holding | None:
        held = self._holding
        if held is None or held.session != session or not _same(held.holder, holder) or held.expires <= self._clock():
            return None
        if self._clock() - held.since > HEARD_WITHIN and self._bridge.state().holder != holder.name:
            return None  # the driver has taken it back, or is another one
        return held


def _same(one: Person, other: Person) -> bool:
    """Two people may go by one name; a login is one person's."""
    return one.login == other.login and one.name == other.name
