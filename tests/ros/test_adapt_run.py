"""One goal of the adapt node without a graph: observations in, answers out, and resets that are confirmed too late."""

from __future__ import annotations

import numpy as np
from gmps_robot_nodes.adapt_run import AdaptRun
from gmps_robot_nodes.pairing import Pairing

from gmps_robot.control.session_status import SessionStatus
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, FloatArray, SceneState
from tests.unit.session_world import FAMILY, TASK, Clock, make_session


class Hands:
    """Notes what it is asked for."""

    resetting = False

    def __init__(self) -> None:
        self.film: list[bytes] = []
        self.sent: list[FloatArray | None] = []
        self.resets = 0

    def send(self, action: FloatArray | None, answers_ns: int) -> None:
        self.sent.append(action)

    def ask_reset(self, task: Task, seed: int, film: bool) -> bool:
        self.resets += 1
        return True


def make_run(lag: int = 0) -> tuple[AdaptRun, Hands, Pairing]:
    pairing, hands = Pairing(frozenset({"arm", "scene"}), Clock()), Hands()
    run = AdaptRun(make_session(), FAMILY, TASK, "twin", 0, pairing, hands, Clock(), film=False, lag=lag)
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
    assert (status.phase, status.episode, status.before_returns) == ("awaiting_reset", 1, ())
    assert "held in 1 steps, the last time by overrun: 4 control periods" in status.message


def test_a_limit_that_shortens_a_motion_leaves_the_episode_alone() -> None:
    status = after_a_step_with("speed: 0.31 shortened to 0.20 m/s")
    assert (status.phase, status.step) == ("evaluating", 2)
