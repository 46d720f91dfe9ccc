"""STOP in a browser whose server does not hear it, and in one that is busy reading the archive."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from gmps_robot.families import family
from gmps_robot.panel.server import PanelServer
from tests.panel.black_hole import Relay
from tests.panel.conftest import Stage, Tab

OpenTab = Callable[..., Any]
UNCONFIRMED = "STOP was not confirmed"


def test_a_stop_that_no_server_hears_is_sent_again_when_one_speaks(open_tab: OpenTab) -> None:
    tab = open_tab(view="adapt")
    page = tab.page
    page.route("**/api/arm/stop", lambda route: route.abort())
    page.click("#stop-button")
    expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
    page.wait_for_timeout(2500)  # every sign of life of the server is a reason to try
    expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
    page.click(tab.button("start"))  # another act that goes well is no reason to forget it
    expect(page.locator("#headline")).not_to_have_text("Ready to adapt")
    expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
    page.unroute("**/api/arm/stop")
    expect(page.locator("#headline")).to_have_text("Arm stopped")
    expect(page.locator("#banner-text")).to_contain_text("has reached the arm only now")
    page.click("#banner-close")
    page.wait_for_timeout(1500)
    assert len(tab.calls("arm_stop")) == 1
    expect(page.locator("#banner")).to_be_hidden()


def test_a_stop_that_no_server_heard_outlives_a_reload_of_the_page(open_tab: OpenTab) -> None:
    tab = open_tab(view="adapt")
    page = tab.page
    page.route("**/api/arm/stop", lambda route: route.abort())
    page.click("#stop-button")
    expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
    page.reload()
    expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
    page.unroute("**/api/arm/stop")
    expect(page.locator("#banner-text")).to_contain_text("has reached the arm only now")
    assert len(tab.calls("arm_stop")) == 1
    page.reload()
    page.wait_for_timeout(1500)  # what has reached the arm is not sent once more
    assert len(tab.calls("arm_stop")) == 1


def test_the_silence_of_the_server_does_not_cover_a_stop_that_it_did_not_hear(
    open_tab: OpenTab, server: PanelServer
) -> None:
    relay = Relay(server.port)
    try:
        tab = open_tab(mode="robot", address=f"http://127.0.0.1:{relay.port}")
        page = tab.page
        relay.cut()
        page.click("#stop-button")
        page.wait_for_selector("body.lost")
        expect(page.locator("#banner-text")).to_contain_text(UNCONFIRMED)
        page.wait_for_timeout(1000)
        expect(page.locator("#banner-text")).to_contain_text("Press the robot's own emergency stop now.")
        relay.mend()
        expect(page.locator("#banner-text")).to_contain_text("has reached the arm only now")
        page.wait_for_timeout(1500)  # what is told of the server's return does not cover it either
        expect(page.locator("#banner-text")).to_contain_text("has reached the arm only now")
        expect(page.locator("#headline")).to_have_text("Arm stopped")
    finally:
        relay.close()


class Lanes:
    """How many reads of the archive a page has under way at once."""

    def __init__(self, page: Any) -> None:
        self.most, self._open = 0, set[Any]()
        page.on("request", self._begin)
        for end in ("requestfinished", "requestfailed"):
            page.on(end, self._end)

    def _begin(self, request: Any) -> None:
        if "/api/episodes" in request.url and request.method == "GET":
            self._open.add(request)
            self.most = max(self.most, len(self._open))

    def _end(self, request: Any) -> None:
        self._open.discard(request)


def slowed(read: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slow(*values: Any, **named: Any) -> Any:
        time.sleep(seconds)
        return read(*values, **named)

    return slow


def press_stop(tab: Tab) -> None:
    """By its key; it reaches the robot within a second."""
    pressed = time.monotonic()
    tab.page.keyboard.press("Escape")
    while not tab.calls("arm_stop"):
        assert time.monotonic() - pressed < 1.0
        tab.page.wait_for_timeout(20)


def test_stop_does_not_wait_behind_the_archive(
    open_tab: OpenTab, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = open_tab(role="operator", view="episodes")
    page, task = tab.page, family("push").sample("train", 20, 0)[15]
    for _ in range(12):
        tab.bridge.record_save(tab.bridge.record_start(task, "Grace"), True)
    page.fill('[data-filter="task"]', task.task_id)
    rows = page.locator("#episode-rows tr")
    expect(rows).to_have_count(12)
    for name in ("episode", "signals", "labels", "frame"):
        monkeypatch.setattr(stage.archive, name, slowed(getattr(stage.archive, name), 2.0))
    rows.first.focus()
    for _ in range(11):
        page.keyboard.down("ArrowDown")  # held: the browser repeats it
        page.wait_for_timeout(30)
    page.keyboard.up("ArrowDown")
    page.wait_for_timeout(400)
    press_stop(tab)
    expect(rows.last).to_have_attribute("aria-selected", "true")
    page.wait_for_function("document.getElementById('film-picture').dataset.step === '0'")
    for _ in range(5):  # pressed again and again: what is passed by is dropped
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(60)
    expect(page.locator("#banner")).to_be_hidden()
    expect(rows.nth(6)).to_have_attribute("aria-selected", "true")
    page.wait_for_timeout(500)
    assert tab.errors == []
    signals = [url for url in tab.requests if url.endswith("/signals")]
    assert len(signals) <= 1 + 1 + 5  # the first step, the last one that was held, and those that were pressed


def test_an_episode_that_plays_leaves_room_for_a_stop(
    open_tab: OpenTab, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = open_tab(role="operator", view="episodes")
    page, task = tab.page, family("push").sample("train", 20, 0)[14]
    episode = tab.bridge.record_start(task, "Grace")
    page.wait_for_timeout(1000)
    tab.bridge.record_save(episode, True)
    page.fill('[data-filter="task"]', task.task_id)
    rows = page.locator("#episode-rows tr")
    expect(rows).to_have_count(1)
    rows.first.click()
    page.wait_for_function("document.getElementById('film-picture').dataset.step === '0'")
    monkeypatch.setattr(stage.archive, "frame", slowed(stage.archive.frame, 2.0))
    lanes = Lanes(page)
    page.click("#play")
    page.wait_for_timeout(600)
    press_stop(tab)
    assert lanes.most == 3
    expect(page.locator("#banner")).to_be_hidden()
