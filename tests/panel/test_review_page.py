"""Runs and the table of episodes in the browser."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from gmps_robot.data.keep import keep
from gmps_robot.data.runs import written_down
from gmps_robot.families import family
from tests.data.made_episodes import info, write
from tests.panel.conftest import Stage

OpenTab = Callable[..., Any]


@pytest.fixture
def reviewer(open_tab: OpenTab, stage: Stage) -> Any:
    """A tab on a catalogue with one short and one longer take of a task that no other test teaches."""
    tab = open_tab(role="operator", view="episodes")
    task = family("push").sample("train", 20, 0)[17]
    for steps, accepted in ((0.3, False), (1.5, True)):
        episode = tab.bridge.record_start(task, "Grace")
        tab.page.wait_for_timeout(1000 * steps)
        tab.bridge.record_save(episode, accepted)
    tab.page.fill('[data-filter="task"]', task.task_id)
    tab.page.wait_for_function(
        "([id, newest]) => { const rows = [...document.querySelectorAll('#episode-rows tr')];"
        " return rows.every(r => r.textContent.includes(id)) && rows.some(r => r.dataset.episode === newest); }",
        arg=[task.task_id, episode],
    )
    return tab


def rows(tab: Any) -> Any:
    return tab.page.locator("#episode-rows tr")


def test_filters_narrow_the_table_and_flags_are_shown(reviewer: Any) -> None:
    page, before = reviewer.page, rows(reviewer).count()
    assert before >= 2
    page.select_option('[data-filter="flag"]', "short")
    expect(rows(reviewer)).not_to_have_count(before)
    expect(rows(reviewer).first.locator(".flag-short")).to_have_text("short")
    page.select_option('[data-filter="flag"]', "")
    page.fill('[data-filter="operator"]', "Nobody")
    expect(page.locator("#episode-count")).to_contain_text("No episode fits")
    expect(rows(reviewer)).to_have_count(0)
    page.fill('[data-filter="operator"]', "Grace")
    expect(rows(reviewer)).to_have_count(before)


def test_arrows_walk_through_the_table_and_the_slider_through_the_episode(reviewer: Any) -> None:
    page = reviewer.page
    rows(reviewer).first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#replay-title")).to_contain_text("push-train-s0-17")
    expect(page.locator("#replay-facts")).to_contain_text("Grace")
    last = int(page.locator("#film-step").get_attribute("max"))
    assert last >= 20
    page.locator("#film-step").fill(str(last))
    page.wait_for_function(f"document.getElementById('film-picture').dataset.step === '{last}'")
    page.keyboard.press("Escape")  # STOP from here too
    expect(page.locator("#guard")).to_contain_text("FAULT")
    rows(reviewer).first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows(reviewer).nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#replay-facts")).to_contain_text("short")


def test_an_episode_goes_in_and_out_of_the_training_set_and_nothing_is_forgotten(reviewer: Any) -> None:
    page = reviewer.page
    rows(reviewer).first.click()
    expect(page.locator("#label-accept")).to_have_text("Not for training")
    page.click("#label-accept")
    expect(page.locator("#label-accept")).to_have_text("Use for training")
    expect(rows(reviewer).first.locator(".flag-kept")).to_have_count(0)
    page.click("#label-step")
    expect(page.locator("#labels .label").first).to_contain_text("reward 1 at step 0")
    assert page.locator("#labels .label").count() >= 3


def test_statistics_follow_the_filters_and_give_way_to_a_chosen_episode(reviewer: Any, picture: Any) -> None:
    page = reviewer.page
    count = rows(reviewer).count()
    expect(page.locator("#statistics-title")).to_contain_text(f"{count} episodes")
    expect(page.locator("#group-rows tr")).to_have_count(1)
    expect(page.locator("#group-rows")).to_contain_text("push-train-s0-17")
    expect(page.locator("#flags-words")).to_contain_text("short: ")
    page.fill('[data-filter="operator"]', "Nobody")
    expect(page.locator("#statistics-title")).to_contain_text("0 episodes")
    expect(page.locator("#flags-words")).to_have_text("none")
    page.fill('[data-filter="operator"]', "Grace")
    expect(page.locator("#statistics-title")).to_contain_text(f"{count} episodes")
    page.select_option("#group-by", "operator")
    expect(page.locator("#group-rows")).to_contain_text("Grace")
    page.wait_for_selector("#jerk-chart canvas")
    picture(page, "statistics")
    rows(reviewer).first.click()
    expect(page.locator("#statistics-card")).to_be_hidden()
    page.click("#show-statistics:enabled")
    expect(page.locator("#statistics-card")).to_be_visible()
    expect(page.locator("#replay-card")).to_be_hidden()


def test_the_ghost_comes_and_goes_over_the_picture_of_a_recorded_file(open_tab: OpenTab, stage: Stage) -> None:
    task = family("push").sample("train", 20, 0)[16]
    saved = write(stage.archive.catalog.data, info(rig="nominal", task=task.to_json()), steps=20)
    keep(stage.archive.catalog, saved.path)
    tab = open_tab(role="operator", view="episodes")
    page = tab.page
    page.fill('[data-filter="task"]', task.task_id)
    expect(rows(tab)).to_have_count(1)
    rows(tab).first.click()
    page.wait_for_selector("#ghost:enabled")
    seen = "document.getElementById('film-picture').toDataURL()"
    page.wait_for_function("document.getElementById('film-picture').dataset.step === '0'")
    plain = page.evaluate(seen)
    page.check("#ghost")
    page.wait_for_function(f"before => {seen} !== before", arg=plain)
    page.uncheck("#ghost")
    page.wait_for_function(f"before => {seen} === before", arg=plain)
    assert tab.errors == []


def test_a_run_shows_how_it_learned(open_tab: OpenTab, stage: Stage, tmp_path: Path, picture: Any) -> None:
    lines = [{"step": i, "success": 1 - math.exp(-i / 12), "loss": 2 * math.exp(-i / 20)} for i in range(80)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with written_down(stage.archive.catalog, "meta", "push-vision", tmp_path, {}, 0):
        pass
    page = open_tab(view="runs").page
    row = page.locator("#run-rows tr", has_text="push-vision").first
    expect(row).to_contain_text("done")
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#curve-title")).to_contain_text("push-vision")
    page.select_option("#curve-name", "success")
    expect(page.locator("#curve-words")).to_contain_text("success: 0 at 0")
    page.wait_for_selector("#curve-chart canvas")
    picture(page, "runs")
