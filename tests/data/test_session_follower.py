"""From the status of a session alone: which episodes it has and what became of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gmps_robot_nodes.session_follower import Begin, Drop, Keep, SessionFollower

from gmps_robot.control.session_status import SessionStatus

BEGIN = SessionStatus(phase="awaiting_reset", stage="before", episode=1, task_id="push-test-s0-7")


def a_session() -> list[SessionStatus]:
    """One evaluation, two episodes of which one is run again, an update, one evaluation."""
    first = replace(BEGIN, phase="evaluating")
    judged = replace(BEGIN, stage="adapt", before_returns=(0.0,), before_successes=(False,))
    one = replace(judged, phase="collecting")
    two = replace(judged, episode=2, returns=(1.0,), successes=(True,))
    run, both = replace(two, phase="collecting"), {"returns": (1.0, 0.0), "successes": (True, False)}
    after = replace(two, stage="after", episode=1, update=1, **both)
    return [
        BEGIN, first, replace(first, step=50), replace(first, phase="awaiting_label", step=50),
        judged, one, replace(one, step=50), replace(one, phase="awaiting_label", step=50),
        two, replace(run, step=3), replace(two, message="the camera failed"), run, replace(run, step=50),
        replace(run, phase="awaiting_label", step=50), replace(after, phase="adapting", stage="adapt"),
        after, replace(after, phase="evaluating"), replace(after, phase="awaiting_label"),
        replace(after, phase="done", after_returns=(1.0,), after_successes=(True,)),
    ]  # fmt: skip


WANTED = [
    Begin(0), Keep(0.0, False), Begin(0), Keep(1.0, True), Begin(0), Drop("the camera failed"), Begin(0),
    Keep(0.0, False), Begin(1), Keep(1.0, True),
]  # fmt: skip


def followed(statuses: list[SessionStatus]) -> list[object]:
    follower = SessionFollower()
    return [act for status in statuses for act in follower.follow(status)]


def test_every_episode_begins_once_and_ends_once_with_what_became_of_it() -> None:
    assert followed(a_session()) == WANTED


def test_each_judgement_is_of_the_person_who_gave_it() -> None:
    whole, names = [], iter(["", "ada", "bob", ""])
    judge, count = "", 0
    for status in a_session():
        if (given := len(status.before_returns + status.returns + status.after_returns)) > count:
            judge, count = next(names), given
        whole.append(replace(status, judged_by=judge))
    assert [act.judge for act in followed(whole) if isinstance(act, Keep)] == ["", "ada", "bob", ""]


def test_repeated_statuses_change_nothing() -> None:
    assert followed([status for status in a_session() for _ in range(3)]) == WANTED


def test_with_statuses_missing_no_episode_gets_the_judgement_of_another() -> None:
    whole = a_session()
    rng = np.random.default_rng(0)
    for _ in range(200):
        acts = followed([status for status in whole if rng.random() < 0.6])
        kinds = [type(act).__name__ for act in acts]
        assert kinds[::2] == ["Begin"] * len(kinds[::2])
        assert "Begin" not in kinds[1::2]
        kept = [act.reward for act in acts if isinstance(act, Keep)]
        assert len(kept) <= 4


def test_a_session_that_is_stopped_drops_its_episode() -> None:
    running = replace(BEGIN, phase="collecting", stage="adapt", step=7)
    stopped = replace(running, phase="stopped", message="stopped by a person")
    assert followed([running, stopped]) == [Begin(0), Drop("stopped by a person")]


def test_a_new_session_drops_what_the_last_one_left_open() -> None:
    old = replace(BEGIN, phase="collecting", stage="adapt", step=7, returns=(1.0,), successes=(True,))
    new = replace(BEGIN, phase="evaluating", step=0)
    assert [type(act) for act in followed([old, new])] == [Begin, Drop, Begin]
