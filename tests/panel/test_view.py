"""The words a person reads and the buttons that are valid, for every state."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from gmps_robot.control.session_status import Phase, SessionStatus, Stage
from gmps_robot.panel import plan, view
from gmps_robot.panel.bridge import GuardState, GuardView, Link, PanelState, RewardSource

ALWAYS = {"arm/stop", "arm/kill"}
COMMANDS = {
    *ALWAYS, "arm/reset_fault", "arm/enable", "start", "stop", "pause", "resume", "label", "reset_done", "accept",
    "roll_back",
}  # fmt: skip


def _state(guard: GuardView | None = None, links: tuple[Link, ...] = (), **session: object) -> PanelState:
    return PanelState("robot", "human", SessionStatus(**session), guard or GuardView("ARMED"), links)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("paused", [False, True])
def test_every_phase_has_words_and_stop_is_always_there(phase: Phase, stage: Stage, paused: bool) -> None:
    message = view.to_json(_state(phase=phase, stage=stage, paused=paused, episode=1))
    assert message["headline"]
    assert message["instruction"]
    assert set(message["allowed"]) >= ALWAYS
    assert set(message["allowed"]) <= COMMANDS
    assert len(message["dots"]) == (5 if phase == "idle" else 20)
    assert 0.0 <= message["progress"] <= 1.0


@pytest.mark.parametrize(
    ("session", "extra"),
    [
        ({"phase": "idle"}, {"start"}),
        ({"phase": "awaiting_reset"}, {"stop", "pause", "reset_done"}),
        ({"phase": "awaiting_reset", "paused": True}, {"stop", "resume"}),
        ({"phase": "resetting"}, {"stop", "pause"}),
        ({"phase": "collecting"}, {"stop", "pause"}),
        ({"phase": "collecting", "paused": True}, {"stop", "resume"}),
        ({"phase": "awaiting_label"}, {"stop", "pause", "label"}),
        ({"phase": "awaiting_label", "paused": True}, {"stop", "resume"}),
        ({"phase": "adapting"}, {"stop", "pause"}),
        ({"phase": "done", "decision": "accepted"}, {"start", "roll_back"}),
        ({"phase": "rolled_back", "decision": "rolled_back"}, {"start", "accept"}),
        ({"phase": "stopped"}, {"start"}),
    ],
)
def test_only_what_makes_sense_can_be_pressed(session: dict[str, object], extra: set[str]) -> None:
    assert view.allowed(_state(**session)) == ALWAYS | extra


@pytest.mark.parametrize(
    ("guard", "headline", "asked", "extra", "line"),
    [
        ("DISCONNECTED", "Robot not connected", "cable out", set(), "Guard DISCONNECTED: cable out"),
        ("DISABLED", "Motors are off", "cable out. Take everybody", {"arm/enable"}, "Guard DISABLED: cable out"),
        ("IDLE", "The arm is not armed", "press Enable motors", {"arm/enable"}, "Guard IDLE: cable out"),
        ("ESTOP", "Emergency stop", "turn the e-stop button out", {"arm/reset_fault"}, "Guard ESTOP: cable out"),
        ("FAULT", "Arm stopped", "press Release stop", {"arm/reset_fault"}, "Guard FAULT: cable out"),
        ("HOLD", "The arm holds", "cable out", {"pause"}, "Guard HOLD: cable out"),
    ],
)
def test_each_state_of_the_guard_is_shown_with_its_reason_and_its_way_out(
    guard: GuardState, headline: str, asked: str, extra: set[str], line: str
) -> None:
    state = _state(GuardView(guard, "cable out"), phase="collecting", episode=1)
    words = view.explain(state)
    assert (words.headline, asked in words.instruction) == (headline, True)
    allowed = view.allowed(state)
    assert allowed - {"pause", "stop"} == ALWAYS | (extra - {"pause"})
    assert view.guard_words(state) == line


@pytest.mark.parametrize("guard", get_args(GuardState))
def test_a_guard_without_a_reason_is_told_in_words(guard: GuardState) -> None:
    assert view.guard_words(_state(GuardView(guard))).startswith("Guard: ")
    may_start = guard in ("ARMED", "MOVING", "HOLD")
    assert ("start" in view.allowed(_state(GuardView(guard), phase="idle"))) == may_start


def test_a_stopped_arm_comes_before_everything_else() -> None:
    silent = (Link("adaptation", 9.0),)
    state = _state(GuardView("FAULT", "tip outside the box"), silent, phase="collecting", paused=True)
    words = view.explain(state)
    assert words.tone == "stop"
    assert words.instruction.startswith("Tip outside the box.")
    assert view.allowed(state) == ALWAYS | {"arm/reset_fault"}
    heard = _state(GuardView("FAULT", "x"), phase="idle")
    assert "start" not in view.allowed(heard)


def test_a_silent_node_is_named_and_nothing_but_stop_is_offered() -> None:
    state = _state(None, (Link("adaptation", None, hint="Is the adapt node running?"),), phase="collecting")
    assert view.explain(state).instruction == "Is the adapt node running?"
    assert view.explain(state).lost_link == "adaptation"
    assert view.allowed(state) == ALWAYS


def test_what_the_session_says_never_hides_what_to_press() -> None:
    said = "Block is 4 cm from the goal. Episode 7 of 20 is over: how did it go?"
    state = _state(phase="awaiting_label", stage="adapt", episode=7, message=said)
    instruction = view.explain(state).instruction
    assert "Success or Fail" in instruction
    assert "4 cm" in instruction
    assert "how did it go" not in instruction  # asked once is enough


def test_the_dots_of_a_second_update_start_again() -> None:
    labels = (True,) * 10 + (False, True)
    state = _state(phase="collecting", stage="adapt", episodes=10, updates=3, update=1, episode=3, successes=labels)
    assert view.dots(state) == ["fail", "success", "now"] + ["todo"] * 7
    full = replace(state, session=replace(state.session, phase="adapting", successes=labels[:10]))
    assert view.dots(full) == ["success"] * 10


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"phase": "idle"}, (12, 5)),
        ({"phase": "evaluating", "stage": "before", "episodes": 3}, (12, 3)),
        ({"phase": "collecting", "stage": "adapt", "episodes": 10, "before_successes": (True,) * 3}, (10, 3)),
        ({"phase": "evaluating", "stage": "after", "episodes": 3, "updates": 2, "successes": (True,) * 14,
          "before_successes": (True,) * 3}, (7, 3)),
    ],
)
def test_the_length_of_the_session_is_known_as_soon_as_it_shows(
    session: dict[str, object], expected: tuple[int, int]
) -> None:
    state = replace(_state(**session), planned_episodes=12)
    assert plan.planned(state) == plan.Plan(*expected)


@pytest.mark.parametrize("reward", ["human", "marker"])
def test_where_a_marker_judges_a_person_still_puts_the_block_back(reward: RewardSource) -> None:
    state = replace(_state(phase="awaiting_reset", episode=1), reward=reward)
    words = view.explain(state)
    assert (words.headline, words.tone) == ("Put the block back", "ask")
    assert "press Block is back" in words.instruction
    assert "reset_done" in view.allowed(state)
    assert "label" not in view.allowed(replace(_state(phase="awaiting_label"), reward="marker"))


@pytest.mark.parametrize("reward", ["human", "marker", "twin"])
def test_while_the_arm_goes_to_its_start_nobody_is_asked_to_reach_in(reward: RewardSource) -> None:
    said = "Episode 1 was discarded: the camera failed. episode 1 of 5 is next: it begins when all is there, keep clear"
    state = replace(_state(phase="resetting", episode=1, message=said), reward=reward)
    words = view.explain(state)
    assert (words.headline, words.tone) == ("Resetting", "run")
    assert "keep your hands out" in words.instruction
    assert "Place the block" not in words.instruction
    assert "the camera failed" in words.instruction
    assert "reset_done" not in view.allowed(state)


def test_nobody_is_asked_for_what_the_twin_does_itself() -> None:
    for phase in ("awaiting_reset", "awaiting_label"):
        state = replace(_state(phase=phase), reward="twin")
        assert view.explain(state).tone == "run"
        assert not view.allowed(state) & {"label", "reset_done"}


@given(count=st.integers(1, 60), share=st.floats(0, 1))
def test_wilson_interval_is_the_textbook_one(count: int, share: float) -> None:
    successes = round(share * count)
    expected = binomtest(successes, count).proportion_ci(0.95, method="wilson")
    assert view.wilson(successes, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_chart_keeps_room_for_the_whole_session() -> None:
    session = SessionStatus(
        phase="collecting", stage="adapt", episodes=10, updates=2, before_returns=(0.1,) * 5,
        before_successes=(False,) * 5, returns=(0.2, 0.9), successes=(False, True),
    )
    chart = view.to_json(PanelState("twin", "twin", session))["chart"]
    assert (chart["adapt"], chart["after"]) == (((0.2, False), (0.9, True)), ())
    assert (chart["evaluation_episodes"], chart["episodes"], chart["updates"]) == (5, 10, 2)
