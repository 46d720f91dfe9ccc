"""Two operators, one arm: the lease, the stream that carries it, and what the second one is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gmps_robot.control.lease import LEASE_LIFE
from gmps_robot.errors import SessionError
from gmps_robot.panel.auth import Door, Person, Role
from gmps_robot.panel.bridge import GuardView
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.lease_desk import LeaseDesk
from gmps_robot.panel.teleop import SILENCE
from tests.panel.conftest import BEARER, Clock

PEOPLE = tuple(Person(name, "operator", login) for name, login in (("Ada", "1"), ("Grace", "2"), ("Ada", "3")))


class TwoOperators(RuleBasedStateMachine):
    """People, two of one name, who take, use, give back and steal the arm in any order, with a clock that runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.bridge = FakeBridge(clock=self.clock)
        self.desk = LeaseDesk(self.bridge, self.clock)
        self.sessions: dict[str, str] = {}  # by login

    @rule(who=st.sampled_from(PEOPLE), take_over=st.booleans())
    def acquire(self, who: Person, take_over: bool) -> None:
        holder, before = self.desk.holder, self._able()
        try:
            self.sessions[who.login] = self.desk.acquire(who, take_over).session
        except SessionError as refused:
            why = str(refused)
            assert f"held by {holder}" in why
            assert holder
            assert before not in ("", who.login)
            assert not take_over
        else:
            assert take_over or before in ("", who.login)

    @rule(who=st.sampled_from(PEOPLE))
    def release(self, who: Person) -> None:
        held = bool(self.desk.lease_of(self.sessions.get(who.login, ""), who))
        try:
            self.desk.release(self.sessions.get(who.login, ""), who)
            assert held
        except SessionError:
            assert not held

    @rule(who=st.sampled_from(PEOPLE))
    def drive(self, who: Person) -> None:
        session = self.sessions.get(who.login, "")
        lease = self.desk.lease_of(session, who)
        if lease:
            self.bridge.teleop((1.0, 0.0, 0.0), 0.0, lease)
            self.desk.renewed(session)

    @rule(seconds=st.floats(0.01, 3.0))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def use_the_session_of_somebody_else(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(sorted(self.sessions)))
        other = data.draw(st.sampled_from([who for who in PEOPLE if who.login != owner]))
        assert self.desk.lease_of(self.sessions[owner], other) == ""

    @invariant()
    def never_two_holders(self) -> None:
        able = self._holders()
        assert len(able) <= 1
        if able:
            assert self.bridge.state().holder == able[0].name

    def _holders(self) -> list[Person]:
        return [who for who in PEOPLE if self.desk.lease_of(self.sessions.get(who.login, ""), who)]

    def _able(self) -> str:
        return next((who.login for who in self._holders()), "")


TwoOperators.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_there_are_never_two_holders = TwoOperators.TestCase


def _client(client: TestClient, door: Door, name: str, role: Role = "operator") -> dict[str, str]:
    return {"authorization": f"Bearer {door.issue('bearer', Person(name, role))}"}


def _take(client: TestClient, headers: dict[str, str], action: str = "acquire") -> Any:
    return client.post("/api/lease", json={"action": action}, headers=headers)


class Stream:
    """A page at the other end of /ws/teleop."""

    def __init__(self, socket: Any, session: str, clock: Clock) -> None:
        self.socket, self.session, self.clock, self.seq = socket, session, clock, 0

    def say(self, enable: bool, **changes: Any) -> dict[str, Any]:
        self.seq += 1
        self.clock.now += 0.05
        message = {"session": self.session, "seq": self.seq, "t_client": self.clock.now * 1e3, "enable": enable,
                   "v": [1, 0, 0], "gripper": 0, **changes}
        self.socket.send_text(json.dumps(message))
        return self.socket.receive_json()


def _moves(bridge: FakeBridge) -> list[tuple[object, ...]]:
    return [call for call in bridge.calls if call[0] == "teleop" and any(call[1])]


def test_the_second_operator_is_told_who_has_the_arm(
    client: TestClient, door: Door, bridge: FakeBridge, clock: Clock
) -> None:
    ada, grace = _client(client, door, "Ada"), _client(client, door, "Grace")
    session = _take(client, ada).json()["session"]
    refused = _take(client, grace)
    assert refused.status_code == 409
    assert "held by Ada" in refused.json()["message"]
    with client.websocket_connect("ws://127.0.0.1/ws/teleop", headers=grace) as socket:
        stolen = Stream(socket, session, clock)  # even with the id of Ada's lease
        assert "do not hold the arm" in stolen.say(False)["reason"]
        assert stolen.say(True)["armed"] is False
    assert _moves(bridge) == []


def test_an_administrator_takes_over_and_the_first_operator_moves_no_more(
    client: TestClient, door: Door, bridge: FakeBridge, clock: Clock
) -> None:
    ada, grace, boss = (_client(client, door, n, r) for n, r in (("Ada", "operator"), ("Grace", "operator"),
                                                                 ("Boss", "admin")))
    with client.websocket_connect("ws://127.0.0.1/ws/teleop", headers=ada) as socket:
        stream = Stream(socket, _take(client, ada).json()["session"], clock)
        stream.say(False)
        assert stream.say(True)["armed"] is True
        assert "needs the role admin" in _take(client, grace, "take_over").json()["message"]
        assert _take(client, boss, "take_over").json()["holder"] == "Boss"
        before = len(_moves(bridge))
        assert stream.say(True)["armed"] is False
        assert len(_moves(bridge)) == before


def test_a_lapsed_lease_must_be_taken_again(client: TestClient, clock: Clock) -> None:
    session = _take(client, BEARER).json()["session"]
    clock.now += LEASE_LIFE
    refused = client.post("/api/lease", json={"action": "release", "session": session}, headers=BEARER)
    assert refused.status_code == 409
    assert "press Take the arm" in refused.json()["message"]


def test_a_closed_page_gives_the_arm_back_at_once(
    client: TestClient, door: Door, bridge: FakeBridge, clock: Clock
) -> None:
    ada, grace = _client(client, door, "Ada"), _client(client, door, "Grace")
    with client.websocket_connect("ws://127.0.0.1/ws/teleop", headers=ada) as socket:
        stream = Stream(socket, _take(client, ada).json()["session"], clock)
        stream.say(False)
        stream.say(True)
    assert bridge.calls[-2][:2] == ("teleop", (0.0, 0.0, 0.0))
    assert bridge.calls[-1] == ("lease_release",)
    assert _take(client, grace).status_code == 200


@pytest.mark.parametrize("state", ["FAULT", "ESTOP", "DISABLED", "DISCONNECTED"])
def test_a_stopped_arm_latches_until_the_person_has_let_go(
    client: TestClient, bridge: FakeBridge, clock: Clock, state: str
) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        stream = Stream(socket, _take(client, {}).json()["session"], clock)
        stream.say(False)
        assert stream.say(True)["armed"]
        bridge.show(GuardView(state, "tip 12 mm outside the box"))
        told = socket.receive_json()  # nobody asked
        assert (told["armed"], told["t_client"]) == (False, None)
        assert "tip 12 mm outside" in told["reason"]
        bridge.show(GuardView("ARMED"))
        assert "let go first" in stream.say(True)["reason"]
        assert stream.say(False)["reason"] == ""
        assert stream.say(True)["armed"]


def test_a_silent_page_is_stopped_and_told_when_it_comes_back(
    client: TestClient, bridge: FakeBridge, clock: Clock
) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        stream = Stream(socket, _take(client, {}).json()["session"], clock)
        stream.say(False)
        stream.say(True)
        clock.now += SILENCE + 0.01
        told = socket.receive_json()  # nobody asked
        assert "latched: nothing was heard" in told["reason"]
        assert bridge.calls[-1][:2] == ("teleop", (0.0, 0.0, 0.0))
        assert stream.say(True)["armed"] is False


@pytest.mark.parametrize(
    ("text", "code"), [("{}", 1008), ("[" * 4000, 1008), ("x" * 4097, 1009), ('{"session": "é' + "é" * 2100, 1009)]
)
def test_a_misshapen_or_oversized_message_ends_the_stream_and_the_motion(
    client: TestClient, bridge: FakeBridge, clock: Clock, text: str, code: int
) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        stream = Stream(socket, _take(client, {}).json()["session"], clock)
        stream.say(False)
        assert stream.say(True)["armed"]
        socket.send_text(text)
        message = socket.receive()
        assert (message["type"], message["code"]) == ("websocket.close", code)
    assert [call[1] for call in bridge.calls if call[0] == "teleop"][-1] == (0.0, 0.0, 0.0)


def test_bytes_are_no_message(client: TestClient) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        socket.send_bytes(b"\x80\x04K\x01.")  # a pickle, by the way
        assert socket.receive()["code"] == 1008


def test_a_replayed_message_moves_nothing(client: TestClient, bridge: FakeBridge, clock: Clock) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws/teleop") as socket:
        stream = Stream(socket, _take(client, {}).json()["session"], clock)
        stream.say(False)
        stream.say(True)
        before = len(_moves(bridge))
        stream.seq -= 1
        assert "is not after" in stream.say(True)["reason"]
        assert len(_moves(bridge)) == before
