"""The rules of the teleop stream, without network or clock."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gmps_robot.panel import teleop
from gmps_robot.panel.teleop import MAX_RATE, SILENCE, STALE, Delays, Message, Stream, TeleopError, Verdict

FAST = settings(max_examples=60, deadline=None)
PERIOD = 0.05


class Page:
    """A page whose clock is `ahead` of the server's, and the stream it talks to."""

    def __init__(self, ahead: float = 1000.0, delay: float = 0.002) -> None:
        self.now, self.seq, self.ahead, self.delay = 50.0, 0, ahead, delay
        self.stream = Stream()
        self.obstacle = ""

    def say(self, enable: bool, late: float = 0.0, **changes: Any) -> Verdict:
        """Send one message that takes `late` longer than usual."""
        self.seq += 1
        sent = self.now + self.ahead
        message = Message(**{"session": "a", "seq": self.seq, "sent": sent, "enable": enable,
                             "velocity": (1.0, 0.0, 0.0), "gripper": 0.0, **changes})
        self.stream, verdict = teleop.receive(self.stream, message, self.now + self.delay + late, self.obstacle)
        self.now += PERIOD
        return verdict

    def moving(self) -> Page:
        self.say(False)
        assert self.say(True).armed
        return self


def test_nothing_moves_before_the_person_has_let_go_once() -> None:
    page = Page()
    first = page.say(True)
    assert (first.velocity, first.armed, first.reason) == (teleop.REST, False, "let go first")
    assert page.say(False).velocity == teleop.REST
    assert page.say(True).velocity == (1.0, 0.0, 0.0)


@FAST
@given(ahead=st.floats(-1e9, 1e9), delay=st.floats(0.0, 0.5), late=st.floats(STALE + 0.01, 5.0))
def test_a_late_message_stops_and_latches_whatever_the_clocks(ahead: float, delay: float, late: float) -> None:
    page = Page(ahead, delay).moving()
    verdict = page.say(True, late)
    assert (verdict.velocity, verdict.armed) == (teleop.REST, False)
    assert verdict.tripped
    assert "let go first" in page.say(True).reason
    assert not page.say(False).armed
    assert page.say(True).armed


@FAST
@given(blocked=st.floats(SILENCE + 0.01, 3.0))
def test_a_server_that_was_blocked_does_not_work_off_what_has_piled_up(blocked: float) -> None:
    page = Page().moving()
    sent = [page.now + page.ahead + PERIOD * k for k in range(int(blocked / PERIOD))]
    woke = page.now + blocked
    for stamp in sent:  # all are read at once when the loop wakes up
        page.seq += 1
        message = Message("a", page.seq, stamp, True, (1.0, 0.0, 0.0), 0.0)
        page.stream, verdict = teleop.receive(page.stream, message, woke, "")
        assert verdict.velocity == teleop.REST
        assert not verdict.armed


@FAST
@given(silence=st.floats(SILENCE + 0.01, 100.0))
def test_silence_stops_without_any_message(silence: float) -> None:
    page = Page().moving()
    heard = page.stream.heard
    assert teleop.watch(page.stream, heard + 0.99 * SILENCE, "")[1] is None
    stream, verdict = teleop.watch(page.stream, heard + silence, "")
    assert verdict is not None
    assert verdict.velocity == teleop.REST
    assert teleop.watch(stream, heard + silence + 1.0, "")[1] is None  # told once
    page.stream = stream
    assert not page.say(True).armed


def test_messages_out_of_order_and_replayed_ones_do_nothing() -> None:
    page = Page().moving()
    for seq in (page.seq, page.seq - 1, 0):
        verdict = page.say(True, seq=seq, velocity=(0.0, 1.0, 0.0))
        assert verdict.velocity is None
        assert "is not after" in verdict.reason
        page.seq -= 1
    assert page.say(True).armed


@FAST
@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.6), st.booleans()), max_size=40))
def test_motion_needs_a_fresh_let_go_after_every_trip(steps: list[tuple[bool, float, bool]]) -> None:
    page, allowed = Page(), True
    page.say(False)
    for enable, late, blocked in steps:
        page.obstacle = "the arm is FAULT" if blocked else ""
        gap = page.now + page.delay + late - page.stream.heard
        assume(min(abs(late - STALE), abs(gap - SILENCE)) > 1e-6)  # sums of floats do not meet a limit exactly
        was_moving = page.stream.moving
        verdict = page.say(enable, late)
        good = not blocked and late <= STALE and not (was_moving and gap > SILENCE)
        allowed = good and (allowed or not enable)
        assert verdict.armed == (good and enable and allowed)
        assert (verdict.velocity == (1.0, 0.0, 0.0)) == verdict.armed


def test_more_than_sixty_messages_per_second_are_not_acted_upon_but_letting_go_always_is() -> None:
    page = Page(delay=0.0)
    page.say(False)
    page.now -= PERIOD
    verdicts = []
    for _ in range(100):
        verdicts.append(page.say(True))
        page.now += 0.005 - PERIOD
    assert sum(verdict.velocity is not None for verdict in verdicts) == MAX_RATE
    assert "60 messages per second" in verdicts[-1].reason
    assert page.say(False).velocity == teleop.REST


def test_another_lease_begins_with_letting_go() -> None:
    page = Page().moving()
    assert page.say(True, session="b").reason == "let go first"


def test_clocks_that_drift_apart_do_not_trip_in_an_hour() -> None:
    page = Page().moving()
    for _ in range(3600 * 20):
        page.ahead -= PERIOD * 100e-6  # the page's clock runs slower by 100 ppm
        assert page.say(True).armed


def test_delays_forget_what_is_old() -> None:
    delays = Delays().seen(1.0, 0.0)
    assert delays.age(1.3) == pytest.approx(0.3)
    for k in range(1, 4):
        delays = delays.seen(2.0, k * 11.0)
    assert delays.age(2.3) == pytest.approx(0.3)


@FAST
@given(st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.floats(-1e6, 1e6))
def test_velocities_are_clamped(velocity: tuple[float, float, float], gripper: float) -> None:
    text = json.dumps({"session": "a", "seq": 1, "t_client": 5.0, "enable": True, "v": velocity, "gripper": gripper})
    message = teleop.read(text)
    assert math.hypot(*message.velocity) <= 1.0 + 1e-9
    assert -1.0 <= message.gripper <= 1.0
    assert message.sent == pytest.approx(0.005)


GOOD = {"session": "a", "seq": 1, "t_client": 5.0, "enable": True, "v": [0, 0, 1], "gripper": 0.0}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"v": [0, 0]}, "v:"), ({"v": "fast"}, "v:"), ({"v": [0, 0, None]}, "v:"), ({"v": [0, 0, True]}, "v:"),
        ({"v": [0, 0, 10**400]}, "v:"), ({"seq": 1.5}, "seq:"), ({"seq": -1}, "seq:"), ({"seq": True}, "seq:"),
        ({"enable": 1}, "enable:"), ({"session": None}, "session:"), ({"t_client": "now"}, "t_client:"),
        ({"gripper": [1]}, "gripper:"), ({"session": "x" * 5000}, "4096 bytes"),
    ],
)  # fmt: skip
def test_a_misshapen_message_names_the_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(TeleopError, match=named):
        teleop.read(json.dumps({**GOOD, **change}))


@FAST
@given(st.text(max_size=200) | st.lists(st.none() | st.floats() | st.text(max_size=5), max_size=5).map(json.dumps))
def test_anything_else_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(TeleopError):
        teleop.read(text)
