"""One goal of the adapt node without a graph: observations in, answers out, and resets that are confirmed too late."""

from __future__ import annotations

import numpy as np
import pytest
from gmps_robot_nodes.adapt_run import LATE_SCENE, RESET_PATIENCE, AdaptRun, RewardSource
from gmps_robot_nodes.pairing import Pairing, Part

from gmps_robot.control.session_status import SessionStatus
from gmps_robot.errors import SessionError
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, FloatArray, SceneState
from tests.unit.session_world import FAMILY, TASK, Clock, make_policy, make_session


class Hands:
    """Notes what it is asked for."""

    resetting = False
    there = True  # somebody who can put things back

    def __init__(self) -> None:
        self.film: list[bytes] = []
        self.sent: list[FloatArray | None] = []
        self.resets = 0
        self.ended = 0

    def send(self, action: FloatArray | None, answers_ns: int) -> None:
        self.sent.append(action)

    def ask_reset(self, task: Task, seed: int, film: bool) -> bool:
        self.resets += self.there
        return self.there

    def end_reset(self) -> None:
        self.ended += 1


def make_run(
    lag: int = 0, reward: RewardSource = "twin", clock: Clock | None = None, by_hand: bool = False
) -> tuple[AdaptRun, Hands, Pairing]:
    needs: frozenset[Part] = frozenset({"arm", "scene"} if reward == "twin" else {"arm", "camera"})
    pairing, hands, clock = Pairing(needs, Clock()), Hands(), clock or Clock()
    session = make_session(policy=make_policy("state" if reward == "twin" else "vision"))
    run = AdaptRun(
        session, FAMILY, TASK, reward, 0, pairing, hands, clock, film=False, lag=lag, by_hand=by_hand
    )
    return run, hands, pairing


def observe(run: AdaptRun, pairing: Pairing, stamps: range) -> None:
    """The arm and the scene, step by step."""
    for stamp in stamps:
        place = np.array([0.5 + 0.001 * stamp, 0.0, 0.02, 0.0, 0.0, 0.0, 1.0])
        pairing.add_tip(stamp, np.array([0.4, 0.0, 0.025]))
        pairing.add_scene(stamp, SceneState(np.zeros(3), place, np.array(0.05 * stamp)))
        run.progress()


def test_an_episode_is_judged_by_as_many_scenes_as_it_has_steps() -> None:
    run, hands, pairing = make_run()
    run.progress()
    run.reset_confirmed(1)
    observe(run, pairing, range(1, FAMILY.horizon + 2))
    status = run.session.status
    assert (status.episode, len(status.before_returns), hands.resets) == (2, 1, 2)


def test_on_a_rig_the_last_action_is_judged_by_what_is_seen_one_observation_later() -> None:
    run, _, pairing = make_run(lag=1)
    run.progress()
    run.reset_confirmed(1)
    observe(run, pairing, range(1, FAMILY.horizon + 2))
    assert run.session.status.phase == "awaiting_label"
    observe(run, pairing, range(FAMILY.horizon + 2, FAMILY.horizon + 3))
    assert len(run.session.status.before_returns) == 1
    assert len(run.paths.paths["before"][0]) == FAMILY.horizon + 2  # the start, and one more than there are steps


def test_a_reset_that_is_confirmed_in_mid_episode_voids_the_episode_and_is_asked_for_again() -> None:
    run, hands, pairing = make_run()
    run.progress()
    run.reset_confirmed(1)
    observe(run, pairing, range(1, 3))
    run.reset_confirmed(3)  # the answer to a question that was asked twice
    status = run.session.status
    assert (status.phase, status.episode) == ("awaiting_reset", 1)
    assert "put back in the middle" in status.message
    run.progress()
    assert hands.resets == 2
    run.reset_confirmed(4)
    observe(run, pairing, range(4, FAMILY.horizon + 5))
    assert len(run.session.status.before_returns) == 1


def act(run: AdaptRun, pairing: Pairing, stamps: range) -> None:
    """Arm and camera: a tracker is still looking at the pictures, or sees nothing."""
    for stamp in stamps:
        pairing.add_image(stamp, np.full((48, 64, 3), stamp, dtype=np.uint8))
        pairing.add_tip(stamp, np.array([0.4, 0.0, 0.025]))
        run.progress()


def see(pairing: Pairing, stamp: int, x: float) -> None:
    """The tracker has found the object at x [m] in the picture of `stamp`."""
    pairing.add_scene(stamp, SceneState(np.zeros(3), np.array([x, 0.0, 0.02, 0, 0, 0, 1.0]), np.array(0.0)))


def test_a_tracker_may_be_later_than_the_policy_and_judges_by_the_same_functions() -> None:
    for x, solved in ((TASK.context[0], True), (0.50, False)):
        run, _, pairing = make_run(reward="marker")
        run.progress()
        run.reset_confirmed(1)
        act(run, pairing, range(1, FAMILY.horizon + 2))
        assert run.session.status.phase == "awaiting_label"  # every action was taken without a scene
        see(pairing, FAMILY.horizon + 1, x)
        run.progress()
        assert run.session.status.before_successes == (solved,)


def test_an_end_that_no_tracker_saw_is_not_judged_but_run_again() -> None:
    clock = Clock()
    run, hands, pairing = make_run(reward="marker", clock=clock)
    run.progress()
    run.reset_confirmed(1)
    for stamp in range(2, FAMILY.horizon):  # seen nearly all the way, and then no more
        see(pairing, stamp, 0.7)
    act(run, pairing, range(1, FAMILY.horizon + 2))
    clock.now += LATE_SCENE + 0.1
    run.progress()
    status = run.session.status
    assert (status.phase, status.before_returns) == ("resetting", ())
    assert "the marker was not seen at its end" in status.message
    run.progress()
    assert hands.resets == 2


def test_where_a_person_puts_the_object_back_the_arm_waits_for_their_word() -> None:
    run, hands, _ = make_run(reward="marker", by_hand=True)
    run.progress()
    assert hands.resets == 0
    run.confirm()
    run.progress()
    assert hands.resets == 1


def by_hand(**given: object) -> tuple[AdaptRun, Hands, Pairing]:
    """A run whose arm is on its way to the start, because a person has said that hands are clear."""
    run, hands, pairing = make_run(reward="marker", by_hand=True, **given)  # type: ignore[arg-type]
    run.progress()
    run.confirm()
    run.progress()
    assert (run.session.status.phase, hands.resets) == ("resetting", 1)
    assert "keep clear" in run.session.status.message
    return run, hands, pairing


def must_be_confirmed_again(run: AdaptRun, hands: Hands, why: str) -> None:
    """Nothing moves by itself any more, and the person is told why they are asked."""
    resets = hands.resets
    run.progress()
    status = run.session.status
    assert (status.phase, hands.resets) == ("awaiting_reset", resets)
    assert why in status.message
    assert "put everything back at its start, then confirm" in status.message
    run.confirm()
    run.progress()
    assert (run.session.status.phase, hands.resets) == ("resetting", resets + 1)


def test_a_way_home_that_failed_is_not_tried_again_before_a_person_confirms_again() -> None:
    run, hands, _ = by_hand()
    run.reset_failed("ada has taken the arm")
    must_be_confirmed_again(run, hands, "ada has taken the arm. episode 1 of 2")


def test_a_reset_that_nobody_answers_is_not_tried_again_before_a_person_confirms_again() -> None:
    clock = Clock()
    run, hands, _ = by_hand(clock=clock)
    clock.now += RESET_PATIENCE + 0.1
    run.watch(10.0)
    assert hands.ended == 1  # an arm that is still on its way holds
    must_be_confirmed_again(run, hands, "not everything was at its start in time")


def test_where_nobody_could_be_asked_a_person_confirms_again() -> None:
    run, hands, _ = make_run(reward="marker", by_hand=True)
    run.progress()
    hands.there = False
    run.confirm()
    run.progress()
    hands.there = True
    must_be_confirmed_again(run, hands, "is the arm's driver running?. episode 1")


def test_a_simulated_scene_is_put_back_again_without_a_word_of_anybody() -> None:
    clock = Clock()
    run, hands, _ = make_run(clock=clock)
    run.progress()
    run.reset_failed("the arm did not come home")
    run.progress()
    assert hands.resets == 1  # not at once: who has just refused would be asked a hundred times per second
    clock.now += RESET_PATIENCE + 0.1
    run.watch(10.0)
    run.progress()
    assert hands.resets == 2


def test_a_pause_ends_the_way_home_and_what_was_said_of_hands_with_it() -> None:
    run, hands, _ = by_hand()
    run.session.pause()
    run.progress()
    assert hands.ended == 1
    assert run.session.status.paused
    assert "the arm holds" in run.session.status.message
    run.reset_confirmed(5)  # it had just arrived
    with pytest.raises(SessionError, match="paused"):
        run.confirm()  # for hands may come in before the session goes on
    run.session.resume()
    must_be_confirmed_again(run, hands, "paused before everything was at its start")


def test_a_session_that_ends_ends_the_way_home() -> None:
    run, hands, _ = by_hand()
    run.session.stop("stopped by a person")
    run.progress()
    assert hands.ended == 1
    run.reset_confirmed(5)
    run.reset_failed("too late")
    run.progress()
    assert (run.session.status.phase, hands.resets, hands.ended) == ("stopped", 1, 1)


def test_an_arrival_that_nobody_of_this_run_asked_for_begins_no_episode() -> None:
    run, hands, pairing = make_run(reward="marker", by_hand=True)
    run.progress()
    run.reset_confirmed(1)  # of the session before it
    act(run, pairing, range(1, 3))
    assert run.session.status.phase == "awaiting_reset"
    assert all(sent is None for sent in hands.sent)


def test_a_person_who_confirms_twice_is_told_that_nobody_waits() -> None:
    run, hands, _ = by_hand()
    with pytest.raises(SessionError, match="reset_done: nobody waits for it, the session is 'resetting'"):
        run.confirm()
    run.reset_confirmed(1)
    assert run.session.status.phase == "evaluating"
    assert hands.resets == 1


def after_a_step_with(reason: str) -> SessionStatus:
    """The session after a first step of four in which the guard gave `reason`."""
    run, _, pairing = make_run()
    run.progress()
    run.reset_confirmed(1)
    observe(run, pairing, range(1, 2))
    pairing.add_applied(1, AppliedCommand(1, 1, np.zeros(3), -0.5, np.zeros(3), (reason,)))
    observe(run, pairing, range(2, 3))
    return run.session.status


def test_an_episode_in_which_the_arm_was_held_is_void() -> None:
    status = after_a_step_with("overrun: 4 control periods of twice their length within a second")
    assert (status.phase, status.episode, status.before_returns) == ("resetting", 1, ())
    assert "held in 1 steps, the last time by overrun: 4 control periods" in status.message


def test_a_limit_that_shortens_a_motion_leaves_the_episode_alone() -> None:
    status = after_a_step_with("speed: 0.31 shortened to 0.20 m/s")
    assert (status.phase, status.step) == ("evaluating", 2)
