"""Who moves the arm: one operator with a live lease, or the policy, or nobody. Pure; runs before the guard.

A lease is the right of one operator. It lapses 2 s after it was last renewed, by a renewal or by a command that carries
it. While it lives the policy is not heard, and an operator without it never is. Whenever the right changes hands, to
the policy and back too, nobody is heard until the arm has come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from gmps_robot.types import ArmCommand

LEASE_LIFE = 2.0  # [s]


@dataclass(frozen=True)
class LeaseState:
    """Who holds the arm."""

    holder: str = ""  # for people; empty: nobody
    lease: str = ""  # what a command of the holder carries
    expires: float = 0.0  # [s]
    changing: bool = False  # the right has changed hands and the arm has not been seen at rest since


class Answer(NamedTuple):
    """What becomes of a request for the lease."""

    success: bool
    message: str  # for people


class Choice(NamedTuple):
    """Whose command goes on to the guard, and why another one does not."""

    command: ArmCommand | None
    refusals: tuple[str, ...]


def acquire(state: LeaseState, holder: str, lease: str, now: float) -> tuple[LeaseState, Answer]:
    """Give the arm to `holder`, unless somebody has it; `lease` is a fresh secret that will name the right."""
    state = lapse(state, now)
    if not holder or not lease:
        return state, Answer(False, "a lease needs a name and an id")
    if state.lease:
        return state, Answer(False, f"held by {state.holder} for another {state.expires - now:.1f} s unless renewed")
    return LeaseState(holder, lease, now + LEASE_LIFE, changing=True), Answer(True, f"{holder} holds the arm")


def renew(state: LeaseState, lease: str, now: float) -> tuple[LeaseState, Answer]:
    """Keep a live lease alive; one that has lapsed has to be acquired again."""
    state = lapse(state, now)
    if not state.lease or lease != state.lease:
        return state, Answer(False, _not_held(state))
    return replace(state, expires=now + LEASE_LIFE), Answer(True, f"{state.holder} holds the arm")


def release(state: LeaseState, lease: str, now: float) -> tuple[LeaseState, Answer]:
    """Give the arm back."""
    state = lapse(state, now)
    if not state.lease or lease != state.lease:
        return state, Answer(False, _not_held(state))
    return LeaseState(changing=True), Answer(True, "nobody holds the arm")


def lapse(state: LeaseState, now: float) -> LeaseState:
    """Return `state` as it is at `now` [s]: a lease that was not renewed is gone."""
    return LeaseState(changing=True) if state.lease and not now < state.expires else state


def arbitrate(
    state: LeaseState, policy: ArmCommand | None, teleop: ArmCommand | None, now: float, at_rest: bool
) -> tuple[LeaseState, Choice]:
    """Choose between the newest command of each source, None for silence.

    Args:
        state: who holds the arm.
        policy: new command of the policy.
        teleop: new command of an operator, with the lease it claims.
        now: the driver's clock [s]. How old a command may be is the guard's question.
        at_rest: whether the guard commands no motion (`GuardState.at_rest`).
    """
    state = lapse(state, now)
    refusals = []
    if teleop is not None and (not state.lease or teleop.lease != state.lease):
        refusals.append(f"lease: {_not_held(state)}")
        teleop = None
    if policy is not None and state.lease:
        refusals.append(f"lease: the policy waits, {state.holder} holds the arm")
        policy = None
    if teleop is not None:
        state = replace(state, expires=now + LEASE_LIFE)
    if state.changing and not at_rest:
        return state, Choice(None, (*refusals, "lease: the arm comes to rest between holders"))
    return replace(state, changing=False), Choice(teleop or policy, tuple(refusals))


def _not_held(state: LeaseState) -> str:
    return f"this lease is not in force, {state.holder or 'nobody'} holds the arm; acquire one with arm/lease"
