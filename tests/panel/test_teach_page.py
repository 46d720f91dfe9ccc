"""Teaching in the browser, from the first demonstration to judging it again; its pictures are in the documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.browser import take_the_arm
from benchmarks.operator import Operator
from gmps_robot.errors import SessionError
from tests.panel.conftest import Stage

OpenTab = Callable[..., Any]


def until(ready: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


def quota(page: Any) -> str:
    return str(page.locator("#quota-words").inner_text())


@pytest.fixture
def teacher(open_tab: OpenTab) -> Any:
    tab = open_tab(role="operator")
    take_the_arm(tab.page)
    return tab


@pytest.mark.realtime  # a hand on the stick, and a dead-man that lets no message be late
def test_teach_review_judge_again(teacher: Any, picture: Callable[[Any, str], None]) -> None:
    page = teacher.page
    expect(page.locator("#quota-words")).to_contain_text("demos")
    accepted = int(quota(page).split()[0])
    page.click("#teach-next:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Ready to record")
    task = page.locator(".task.chosen b").inner_text()
    page.click("#record:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Recording")
    moved = Operator(page).push_block()
    picture(page, "teach")
    page.keyboard.press("1")
    expect(page.locator("#marks")).to_have_text("1 marked")
    page.click("#keep")
    expect(page.locator("#teach-line")).to_contain_text("is saved")
    expect(page.locator("#quota-words")).to_contain_text(f"{accepted + 1} of")
    assert moved > 0.05
    assert teacher.calls("record_save")[-1][2] is True

    page.click("#tab-episodes")
    row = page.locator("#episode-rows tr").first
    expect(row).to_contain_text(f"push-train-s0-{task}")
    expect(row).to_contain_text("success")
    row.click()
    expect(page.locator("#labels")).to_contain_text("Ada")
    expect(page.locator("#labels")).to_contain_text("reward 1 at step")
    page.click("#play")
    page.wait_for_function("Number(document.getElementById('film-picture').dataset.step) > 10")
    page.click("#play")
    page.wait_for_selector("#signal-chart canvas")
    picture(page, "episodes")
    page.click("#label-fail")
    expect(page.locator("#labels .label").first).to_contain_text("fail")
    expect(page.locator("#labels .label.old")).to_contain_text("success")
    expect(page.locator("#episode-rows tr").first).to_contain_text("fail")
    page.click("#on-twin:enabled")
    expect(page.locator("#film-words")).to_contain_text("the twin plays episode")
    assert teacher.calls("replay")[-1][1] == row.get_attribute("data-episode")
    assert teacher.errors == []


def test_a_take_is_put_aside_taken_again_or_kept_as_a_failure(teacher: Any) -> None:
    page = teacher.page
    page.click("#teach-next:enabled")
    page.click("#record:enabled")
    page.wait_for_timeout(400)
    page.click("#again:enabled")
    until(lambda: len(teacher.calls("record_start")) == 2)
    page.wait_for_timeout(500)  # the next status names the new take
    page.wait_for_selector("#discard:enabled")
    page.keyboard.press("x")
    expect(page.locator("#teach-headline")).to_have_text("Ready to record")
    assert len(teacher.calls("record_discard")) == 2
    page.wait_for_selector("#record:enabled")
    page.keyboard.press("n")
    expect(page.locator("#teach-headline")).to_have_text("Recording")
    page.click("#keep-fail:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Ready to record")
    assert teacher.calls("record_save")[-1][2] is False
    page.click("#tab-episodes")
    expect(page.locator("#episode-rows tr").first).to_contain_text("fail")
    page.select_option('[data-filter="status"]', "discarded")
    expect(page.locator("#episode-rows tr").first).to_contain_text("discarded")


def test_what_a_person_must_do_for_a_take_that_is_taken_again_is_shown(open_tab: OpenTab) -> None:
    page = open_tab(role="operator", mode="robot").page
    page.click("#teach-next:enabled")
    expect(page.locator("#teach-line")).to_contain_text("Place the block on its mark")
    page.click("#record:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Recording")
    expect(page.locator("#teach-line")).not_to_contain_text("Place the block on its mark")
    page.click("#again:enabled")
    expect(page.locator("#teach-line")).to_contain_text("Put aside; recording again. Place the block on its mark")
    page.click("#keep:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Ready to record")


def test_every_press_counts_and_the_last_verdict_stands(teacher: Any, stage: Stage) -> None:
    page = teacher.page
    page.click("#teach-next:enabled")
    page.click("#record:enabled")
    page.wait_for_selector("#keep:enabled")
    page.evaluate("for (const id of ['mark-1', 'mark-half', 'mark-1']) document.getElementById(id).click()")
    expect(page.locator("#marks")).to_have_text("3 marked")
    teacher.bridge.record_save, saves = refuse, teacher.bridge.record_save
    page.click("#keep:enabled")
    expect(page.locator("#banner-text")).to_have_text("the disk is full")
    teacher.bridge.record_save = saves
    page.click("#keep-fail:enabled")
    expect(page.locator("#teach-headline")).to_have_text("Ready to record")
    episode = teacher.calls("record_save")[-1][1]
    given = stage.archive.catalog.labels(episode)
    assert sorted(label.value for label in given if label.kind == "reward") == [0.5, 1.0, 1.0]
    verdicts = [label for label in given if label.kind == "success"]
    assert [label.value for label in verdicts] == [1.0, 0.0]
    assert verdicts[1].supersedes == verdicts[0].id


def refuse(*_: object) -> str:
    raise SessionError("the disk is full")


def test_the_goal_is_drawn_for_the_operator_and_is_not_in_the_recorded_picture(teacher: Any) -> None:
    page = teacher.page
    page.click("#teach-next:enabled")
    page.wait_for_selector(".task.chosen")
    goal = page.evaluate("fetch('/api/status').then(r => r.json())")["teach"]["context"]
    p = np.array(teacher.bridge.camera().projection).reshape(3, 4)
    x, y, w = p @ [goal[0] + 0.05, goal[1], 0.0, 1.0]
    edge = [round(x / w), round(y / w)]
    colour = "([x, y]) => [...document.getElementById('%s').getContext('2d').getImageData(x, y, 1, 1).data]"
    page.wait_for_function(f"at => ({colour % 'goal-overlay'})(at)[3] > 100", arg=edge)
    assert page.evaluate(colour % "goal-overlay", edge)[1] > 120  # green
    shown = page.evaluate(colour % "camera", edge)[:3]
    table = page.evaluate(colour % "camera", [edge[0], 440])[:3]
    assert np.abs(np.array(shown) - table).max() < 30


def test_a_refusing_recorder_says_why_and_offers_nothing(teacher: Any) -> None:
    page = teacher.page
    page.click("#teach-next:enabled")
    teacher.bridge._recorder = replace(teacher.bridge._recorder, state="refusing", message="1.2 GiB free, 2 are needed")
    expect(page.locator("#teach-headline")).to_have_text("Cannot record")
    expect(page.locator("#teach-line")).to_contain_text("1.2 GiB free")
    expect(page.locator("#record")).to_be_disabled()


def test_a_recorder_that_has_died_leaves_nothing_to_keep(teacher: Any) -> None:
    page, bridge = teacher.page, teacher.bridge
    page.click("#teach-next:enabled")
    page.click("#record:enabled")
    page.wait_for_selector("#keep:enabled")
    words = "The recorder is silent since 12:00:00: is its node running?"
    bridge._take, bridge._recorder = None, replace(bridge._recorder, state="failed", message=words)
    bridge.silent["recorder"] = 3.0
    expect(page.locator("#teach-headline")).to_have_text("Recording failed")
    expect(page.locator("#teach-line")).to_contain_text("silent since 12:00:00")
    expect(page.locator("#links .silent")).to_have_text("recorder silent")
    for name in ("keep", "keep-fail", "again", "discard", "mark-1"):
        expect(page.locator(f"#{name}")).to_be_disabled()
