"""When the twin steps, and which messages belong together: pure logic with a clock of the test's own."""

from __future__ import annotations

import numpy as np
import pytest
from gmps_robot_nodes.frozen import FrozenPicture
from gmps_robot_nodes.goal_table import news
from gmps_robot_nodes.pace import RESEND, Answer, Pace
from gmps_robot_nodes.pairing import Pairing

from gmps_robot.control.session_status import SessionStatus
from gmps_robot.types import AppliedCommand

PERIOD = 0.05


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_in_real_time_a_step_waits_for_its_period_whatever_comes(clock: Clock) -> None:
    pace = Pace(PERIOD, 2.0, lockstep=False, clock=clock)
    pace.begin(Answer.NONE)
    assert pace.remaining(Answer.MOVE) > 0.0
    clock.now += 0.5 * PERIOD
    assert pace.remaining(Answer.NONE) > 0.0


def test_in_real_time_small_delays_do_not_add_up_and_large_ones_are_not_caught_up(clock: Clock) -> None:
    pace = Pace(PERIOD, 2.0, lockstep=False, clock=clock)
    for _ in range(20):
        clock.now += pace.remaining(Answer.MOVE) + 0.01
        pace.begin(Answer.MOVE)
    assert clock.now == pytest.approx(100.0 + 20 * PERIOD + 0.01)
    assert pace.missed == 0
    clock.now += 10.0
    pace.begin(Answer.MOVE)
    assert pace.missed == 1
    assert pace.remaining(Answer.MOVE) == pytest.approx(PERIOD)


def test_a_reset_between_two_steps_begins_a_whole_period(clock: Clock) -> None:
    pace = Pace(PERIOD, 2.0, lockstep=False, clock=clock)
    pace.begin(Answer.NONE, afresh=True)
    clock.now += 0.4 * PERIOD
    pace.begin(Answer.NONE, afresh=True)
    assert pace.remaining(Answer.NONE) == pytest.approx(PERIOD)


def test_lock_step_runs_on_answers_idles_at_the_period_and_waits_out_a_missing_one(clock: Clock) -> None:
    pace = Pace(PERIOD, 2.0, lockstep=True, clock=clock)
    pace.begin(Answer.NONE)
    assert pace.remaining(Answer.MOVE) == 0.0
    assert pace.remaining(Answer.HOLD) == pytest.approx(PERIOD)
    pace.begin(Answer.MOVE)
    assert pace.remaining(Answer.NONE) == pytest.approx(2.0)
    assert not pace.resend()
    clock.now += RESEND
    assert pace.resend()
    assert not pace.resend()
    clock.now += 2.0
    assert pace.remaining(Answer.NONE) == 0.0
    assert pace.waited_out == 1
    pace.begin(Answer.NONE)
    assert pace.remaining(Answer.NONE) == pytest.approx(PERIOD)


def test_in_lock_step_a_scene_that_is_put_back_waits_for_who_asked_for_it(clock: Clock) -> None:
    pace = Pace(PERIOD, 2.0, lockstep=True, clock=clock)
    pace.begin(Answer.NONE, afresh=True, awaited=True)
    clock.now += 1.9
    assert pace.remaining(Answer.NONE) == pytest.approx(0.1)
    assert pace.resend()
    assert pace.remaining(Answer.MOVE) == 0.0
    clock.now += 0.2
    assert pace.remaining(Answer.NONE) == 0.0
    pace.begin(Answer.NONE)
    assert pace.remaining(Answer.NONE) == pytest.approx(PERIOD)


def test_an_image_is_paired_with_the_arm_of_the_same_stamp_and_handed_out_once(clock: Clock) -> None:
    pairing = Pairing(frozenset({"camera", "arm"}), clock)
    image = np.zeros((2, 2, 3), np.uint8)
    pairing.add_tip(10, np.ones(3))
    pairing.add_image(20, image)
    assert pairing.newest() is None
    pairing.add_tip(20, np.full(3, 2.0))
    moment = pairing.newest()
    assert moment is not None
    assert moment.tip is not None
    assert (moment.stamp_ns, moment.tip[0]) == (20, 2.0)
    assert pairing.newest() is None
    pairing.add_image(10, image)  # complete, but older than what was handed out
    assert pairing.newest() is None


def test_on_a_rig_an_image_is_paired_with_the_nearest_state_not_with_the_latest(clock: Clock) -> None:
    pairing = Pairing(frozenset({"camera", "arm"}), clock, tolerance_ns=20)
    image = np.zeros((2, 2, 3), np.uint8)
    for stamp in (70, 90, 101, 115, 125):
        pairing.add_tip(stamp, np.full(3, float(stamp)))
    pairing.add_image(99, image)
    moment = pairing.newest()
    assert moment is not None
    assert moment.tip is not None
    assert (moment.stamp_ns, moment.tip[0]) == (99, 101.0)
    assert list(pairing.skews_ns) == [2]
    pairing.add_image(146, image)  # its nearest state is 21 ns away
    assert pairing.newest() is None
    pairing.add_tip(140, np.zeros(3))
    assert pairing.newest() is not None


def test_what_was_applied_is_handed_out_once_with_what_it_answered(clock: Clock) -> None:
    pairing = Pairing(frozenset({"arm"}), clock)
    applied = AppliedCommand(0, 1, np.zeros(3), 0.0, np.zeros(3))
    pairing.add_applied(10, applied)
    assert pairing.take_applied() == {10: applied}
    assert pairing.take_applied() == {}


def test_a_frozen_picture_is_noticed_once_the_arm_has_moved_a_centimetre() -> None:
    frozen, image = FrozenPicture(), np.zeros((2, 2, 3), np.uint8)
    assert frozen.check(image, np.zeros(3)) == ""
    assert frozen.check(image.copy(), np.array([0.009, 0.0, 0.0])) == ""
    assert "tip moved 11 mm" in frozen.check(image.copy(), np.array([0.011, 0.0, 0.0]))
    assert frozen.check(image + np.uint8(1), np.array([0.011, 0.0, 0.0])) == ""
    assert frozen.check(image + np.uint8(1), np.array([0.015, 0.0, 0.0])) == ""


def test_a_frozen_picture_is_noticed_when_the_arm_turns_round_and_comes_back() -> None:
    frozen, image = FrozenPicture(), np.zeros((2, 2, 3), np.uint8)
    way = [np.array([place, 0.0, 0.0]) for place in (0.0, 0.004, 0.0055, 0.0015, -0.0015)]
    told = [frozen.check(image.copy(), tip) for tip in way]
    assert told == [""] * 5, "9.5 mm, there and back"
    assert "the picture stayed the same" in frozen.check(image.copy(), np.array([-0.005, 0.0, 0.0]))


def test_an_arm_that_trembles_in_its_place_does_not_make_the_picture_frozen() -> None:
    frozen, image, rng = FrozenPicture(), np.zeros((2, 2, 3), np.uint8), np.random.default_rng(0)
    place, told = np.array([0.6, 0.0, 0.1]), set()
    for _ in range(1200):  # a minute
        offset = rng.normal(size=3)
        told.add(frozen.check(image.copy(), place + 0.0009 * offset / np.linalg.norm(offset)))
    assert told == {""}


def test_what_came_before_a_reset_is_not_handed_out_after_it(clock: Clock) -> None:
    pairing = Pairing(frozenset({"arm"}), clock)
    pairing.add_tip(10, np.ones(3))
    pairing.forget_before(20)
    assert pairing.newest() is None
    pairing.add_tip(30, np.ones(3))
    assert pairing.newest() is not None


def test_silence_names_who_is_silent(clock: Clock) -> None:
    pairing = Pairing(frozenset({"camera", "arm"}), clock)
    clock.now += 1.0
    pairing.add_tip(10, np.ones(3))
    assert pairing.silent(0.5) == ("camera",)


def test_news_tells_each_episode_once_with_the_stage_it_belonged_to() -> None:
    first = SessionStatus(phase="awaiting_reset", stage="before", task_id="t", episode=1, episodes=2)
    last = SessionStatus(
        phase="awaiting_reset", stage="adapt", task_id="t", episode=1, episodes=4, before_returns=(0.0, 1.0),
        before_successes=(False, True),
    )  # fmt: skip
    lines = news(first, last)
    assert lines[0] == "before episode 1 of 2: no success, return 0.00"
    assert lines[1] == "before episode 2 of 2: success, return 1.00"
    assert "exploring" in lines[2]
    assert news(last, last) == []
