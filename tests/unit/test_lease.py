"""The lease: never two holders, and rest between them."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gmps_robot.control.lease import LEASE_LIFE, LeaseState, acquire, arbitrate, lapse, release, renew
from gmps_robot.types import ArmCommand

PEOPLE = ("ada", "bob")


def command(source: str, lease: str = "") -> ArmCommand:
    return ArmCommand(0, 1, source, np.zeros(3), 0.0, lease=lease)  # type: ignore[arg-type]


def test_a_lease_lives_two_seconds_and_renewal_or_its_commands_keep_it() -> None:
    state, answer = acquire(LeaseState(), "ada", "a1", 0.0)
    assert answer.success
    assert not acquire(state, "bob", "b1", 1.9)[1].success
    state, answer = renew(state, "a1", 1.9)
    assert answer.success
    state, choice = arbitrate(state, None, command("teleop", "a1"), 3.8, at_rest=True)
    assert choice.command is not None
    assert state.expires == 3.8 + LEASE_LIFE
    assert not renew(state, "a1", state.expires)[1].success
    assert acquire(state, "bob", "b1", state.expires)[1].success


def test_who_holds_it_is_told_and_a_foreign_lease_opens_nothing() -> None:
    state, _ = acquire(LeaseState(), "ada", "a1", 0.0)
    _, answer = acquire(state, "bob", "b1", 0.5)
    assert answer.message == "held by ada for another 1.5 s unless renewed"
    assert not release(state, "b1", 0.5)[1].success
    assert not renew(state, "", 0.5)[1].success
    assert not acquire(LeaseState(), "", "x", 0.0)[1].success


def test_a_person_goes_over_the_policy_also_when_silent() -> None:
    state, _ = arbitrate(acquire(LeaseState(), "ada", "a1", 0.0)[0], None, None, 0.0, at_rest=True)
    _, choice = arbitrate(state, command("policy"), command("teleop", "a1"), 0.1, at_rest=False)
    assert choice.command is not None
    assert choice.command.source == "teleop"
    assert choice.refusals == ("lease: the policy waits, ada holds the arm",)
    assert arbitrate(state, command("policy"), None, 0.1, at_rest=False)[1].command is None


def test_teleoperation_without_a_live_lease_is_refused_and_the_policy_goes_on() -> None:
    _, choice = arbitrate(LeaseState(), command("policy"), command("teleop", "old"), 9.0, at_rest=False)
    assert choice.command is not None
    assert choice.command.source == "policy"
    assert "nobody holds the arm" in choice.refusals[0]


def test_between_holders_the_arm_comes_to_rest() -> None:
    state, _ = acquire(LeaseState(), "ada", "a1", 0.0)
    state, choice = arbitrate(state, None, command("teleop", "a1"), 0.05, at_rest=False)
    assert choice.command is None  # the policy was moving it
    state, choice = arbitrate(state, None, command("teleop", "a1"), 0.10, at_rest=True)
    assert choice.command is not None
    state, choice = arbitrate(state, command("policy"), None, 5.0, at_rest=False)  # lapsed while moving
    assert choice.command is None
    assert choice.refusals == ("lease: the arm comes to rest between holders",)
    assert arbitrate(state, command("policy"), None, 5.1, at_rest=True)[1].command is not None


class Leases(RuleBasedStateMachine):
    """Two people, a policy and a clock do whatever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.made = LeaseState(), 0.0, 0
        self.own = dict.fromkeys(PEOPLE, "")
        self.moved: list[str] = []  # whose commands went through, and "rest"

    @rule(who=st.sampled_from(PEOPLE))
    def acquire(self, who: str) -> None:
        self.made += 1
        held = lapse(self.state, self.now).lease
        self.state, answer = acquire(self.state, who, f"{who}{self.made}", self.now)
        assert answer.success == (not held)
        if answer.success:
            self.own[who] = f"{who}{self.made}"

    @rule(who=st.sampled_from(PEOPLE))
    def renew(self, who: str) -> None:
        alive = bool(self.own[who]) and lapse(self.state, self.now).lease == self.own[who]
        self.state, answer = renew(self.state, self.own[who], self.now)
        assert answer.success == alive

    @rule(who=st.sampled_from(PEOPLE))
    def release(self, who: str) -> None:
        self.state, _ = release(self.state, self.own[who], self.now)

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.9, 2.1]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(senders=st.sets(st.sampled_from([*PEOPLE, "policy"])), at_rest=st.booleans())
    def tick(self, senders: set[str], at_rest: bool) -> None:
        policy = command("policy") if "policy" in senders else None
        if at_rest:
            self.moved.append("rest")
        for who in sorted(senders - {"policy"}) or [""]:
            teleop = command("teleop", self.own[who]) if who else None
            self.state, choice = arbitrate(self.state, policy, teleop, self.now, at_rest)
            if choice.command is not None:
                self.moved.append(who if choice.command.source == "teleop" else "policy")

    @invariant()
    def one_holder_and_rest_between_two(self) -> None:
        live = lapse(self.state, self.now).lease
        assert sum(bool(live) and own == live for own in self.own.values()) <= 1
        for before, after in zip(self.moved, self.moved[1:], strict=False):
            assert "rest" in (before, after) or before == after, self.moved


Leases.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLeases = Leases.TestCase
