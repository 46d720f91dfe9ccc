"""The page in a real browser: what an operator sees, presses, and can rely on."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from gmps_robot.errors import GmpsError, SessionError
from gmps_robot.panel.bridge import GuardView
from gmps_robot.panel.server import PanelServer

OpenTab = Callable[..., object]


@pytest.fixture
def open_tab(open_tab: OpenTab) -> OpenTab:
    return partial(open_tab, view="adapt")


SEQ = "Number(document.getElementById('camera').dataset.seq)"


@pytest.mark.realtime
def test_the_page_is_usable_within_three_seconds_and_asks_no_other_host(open_tab, server: PanelServer) -> None:
    open_tab().page.close()  # the server's first page of all pays for imports
    slowed = _slowdown()
    begin = time.monotonic()
    tab = open_tab()
    tab.page.wait_for_selector(tab.button("start", ":enabled"))
    tab.page.wait_for_function(f"{SEQ} > 0")
    seconds = time.monotonic() - begin
    assert seconds / ((slowed + _slowdown()) / 2) < 3.0
    tab.page.wait_for_selector("#return-chart canvas")
    assert {urlsplit(url).netloc for url in tab.requests if not url.startswith(("blob:", "data:"))} == {
        f"127.0.0.1:{server.port}"
    }
    assert any(url.endswith("/ws/camera") for url in tab.requests)
    assert tab.errors == []


def _slowdown() -> float:
    """How many times longer work takes now than on an idle machine: wall clock over CPU time of a short spin."""
    wall, cpu = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu < 0.2:
        pass
    return (time.monotonic() - wall) / 0.2


def test_the_camera_picture_moves(open_tab) -> None:
    tab = open_tab()
    tab.page.wait_for_function(f"{SEQ} > 0")
    picture = "document.getElementById('camera').toDataURL()"
    seq, before = tab.page.evaluate(SEQ), tab.page.evaluate(picture)
    tab.page.wait_for_function(f"{SEQ} > {seq} + 5")
    assert tab.page.evaluate(picture) != before
    expect(tab.page.locator("#camera-overlay")).to_be_hidden()


def test_a_session_from_start_to_the_comparison(open_tab, picture) -> None:
    tab = open_tab(reward="twin", evaluation_episodes=2, episode_seconds=0.4)
    page = tab.page
    expect(page.locator(tab.button("label") + ":visible")).to_have_count(0)  # the twin judges
    page.fill("#start-task", "7")
    page.select_option("#start-split", "val")
    page.fill("#start-episodes", "6")
    page.evaluate(
        "window.seen = []; new MutationObserver(() => seen.push(document.getElementById('progress-text').textContent))"
        ".observe(document.getElementById('progress-text'), {childList: true, characterData: true, subtree: true})"
    )
    page.click(tab.button("start"))
    expect(page.locator(tab.button("start"))).to_be_disabled()
    expect(page.locator("#task")).to_have_text("push-val-s0-7")
    assert tab.calls("start") == [("start", 7, "val", 6, 1)]
    expect(page.locator("#headline")).to_have_text("Done", timeout=40_000)
    counted = page.evaluate("seen")
    expected = [*(f"Episode {i} of 2, before adaptation" for i in (1, 2)),
                *(f"Episode {i} of 6, adaptation" for i in range(1, 7)), "Update 1 of 1",
                *(f"Episode {i} of 2, after adaptation" for i in (1, 2)), "Session complete"]
    assert [text for text in expected if text in counted] == list(dict.fromkeys(counted))
    assert len(set(counted)) > len(expected) / 2  # a busy machine may skip some, never all
    expect(page.locator("#side-after .side-text")).to_contain_text("of 2")
    expect(page.locator("#decision")).to_have_text("The adapted policy is kept.")
    chart = "getElement(document.querySelector('#return-chart > .chart').id.slice(1)).chart"
    drawn = f"{chart}.getOption().series.map(s => s.data.length)"
    page.wait_for_function(f"JSON.stringify({drawn}) === '[2,6,2]'")
    assert len(page.locator("#chart-words").inner_text().split(";")) == 6
    expect(page.locator(tab.button("accept"))).to_be_disabled()
    picture(page, "compare")
    page.click(tab.button("roll_back"))
    expect(page.locator("#headline")).to_have_text("Rolled back")
    assert tab.calls("roll_back") == [("roll_back",)]


def test_a_person_judges_and_puts_the_block_back_each_exactly_once(open_tab, picture) -> None:
    tab = open_tab(reward="human", evaluation_episodes=3)
    page = tab.page
    for action in ("reset_done", "label", "pause", "resume", "stop", "accept", "roll_back"):
        for button in page.locator(tab.button(action)).all():
            expect(button).to_be_disabled()
    page.click(tab.button("start"))
    expect(page.locator("#headline")).to_have_text("Put the block back")
    assert page.title().startswith("●")
    page.locator(tab.button("reset_done")).dblclick()
    expect(page.locator("#headline")).to_have_text("Did it work?")
    expect(page.locator(tab.button("reset_done"))).to_be_disabled()
    page.locator('[data-action="label"][data-value="1"]').dblclick()
    expect(page.locator("#progress-text")).to_contain_text("Episode 2 of 3")
    page.keyboard.press("b")
    expect(page.locator("#headline")).to_have_text("Did it work?")
    page.keyboard.press("f")
    page.keyboard.press("f")
    expect(page.locator("#progress-text")).to_contain_text("Episode 3 of 3")
    assert tab.calls("reset_done") == [("reset_done",)] * 2
    assert tab.calls("label") == [("label", 1.0, 1), ("label", 0.0, 2)]
    page.click(tab.button("reset_done", ":enabled"))
    expect(page.locator("#headline")).to_have_text("Did it work?")
    picture(page, "adapt")
    expect(page.locator("#dots .dot-success")).to_have_count(1)
    expect(page.locator("#dots .dot-fail")).to_have_count(1)
    expect(page.locator("#side-before .side-text")).to_contain_text("1 of 2")


def test_where_a_marker_judges_on_a_robot_a_person_is_asked_for_the_block_alone(open_tab) -> None:
    tab = open_tab(mode="robot", reward="marker", evaluation_episodes=2)
    page = tab.page
    page.click(tab.button("start"))
    expect(page.locator("#headline")).to_have_text("Put the block back")
    expect(page.locator(tab.button("label") + ":visible")).to_have_count(0)
    page.click(tab.button("reset_done", ":enabled"))
    expect(page.locator(tab.button("reset_done"))).to_be_hidden()
    expect(page.locator("#progress-text")).to_contain_text("Episode 2 of 2")
    expect(page.locator(tab.button("reset_done"))).to_be_enabled()
    assert tab.calls("reset_done") == [("reset_done",)]


def test_stop_reaches_the_arm_once_and_only_a_person_releases_it(open_tab) -> None:
    tab = open_tab(reward="twin", episode_seconds=60.0)
    page = tab.page
    page.click(tab.button("start"))
    for presses, (focus, key) in enumerate(
        [("", ""), ("body", "Escape"), ("#start-task", "Escape"), ("#stop-button", "Enter")], start=1
    ):
        expect(page.locator("#headline")).to_have_text("Testing the old policy")
        page.wait_for_timeout(450)  # presses closer together count as one
        if key:
            page.locator(focus).focus()
            page.keyboard.press(key)
        else:
            page.click("#stop-button")
        expect(page.locator("#headline")).to_have_text("Arm stopped")
        assert len(tab.calls("arm_stop")) == presses
        expect(page.locator(tab.button("resume"))).to_be_disabled()
        page.click(tab.button("arm/reset_fault"))
        expect(page.locator("#headline")).to_have_text("Paused")  # released, and still nothing moves
        page.click(tab.button("resume"))


def test_kill_is_an_act_of_its_own_and_two_more_make_the_arm_fit_again(open_tab) -> None:
    tab = open_tab(mode="robot", reward="twin", episode_seconds=60.0)
    page = tab.page
    page.click(tab.button("start"))
    expect(page.locator("#headline")).to_have_text("Testing the old policy")
    page.click(tab.button("arm/kill"))
    expect(page.locator("#headline")).to_have_text("Emergency stop")
    assert (len(tab.calls("arm_kill")), tab.calls("arm_stop")) == (1, [])
    expect(page.locator(tab.button("arm/enable"))).to_be_hidden()
    page.click(tab.button("arm/reset_fault"))
    expect(page.locator("#headline")).to_have_text("Motors are off")
    expect(page.locator(tab.button("resume"))).to_be_disabled()
    page.click(tab.button("arm/enable"))
    expect(page.locator("#headline")).to_have_text("Paused")  # motors on, and still nothing moves
    expect(page.locator(tab.button("arm/enable"))).to_be_hidden()
    expect(page.locator(tab.button("resume"))).to_be_enabled()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (820, 1180)])
def test_whatever_the_guard_says_stop_and_kill_stay_in_reach(open_tab, width: int, height: int) -> None:
    tab = open_tab(width, height, mode="robot")
    for state in ("DISCONNECTED", "DISABLED", "HOLD", "FAULT", "ESTOP"):
        tab.bridge.show(GuardView(state, "no joint state for 0.62 s; is the cable in?"))
        tab.page.wait_for_function(f"document.getElementById('guard').textContent.includes('{state}')")
        assert_in_reach(tab, width, height)


def assert_in_reach(tab: Any, width: int, height: int) -> None:
    page = tab.page
    for name in ("#stop-button", tab.button("arm/kill")):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
        assert box["height"] >= 44
    stop, kill = (page.locator(name).bounding_box() for name in ("#stop-button", tab.button("arm/kill")))
    assert stop["x"] - (kill["x"] + kill["width"]) >= 12  # a hurried hand does not take one for the other
    expect(page.locator(tab.button("arm/kill"))).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_stop_that_is_not_confirmed_shouts(open_tab) -> None:
    tab = open_tab(mode="robot")

    def refuse(_: str) -> None:
        raise GmpsError("the arm driver did not answer within 1 s")

    tab.bridge.arm_stop = refuse
    expect(tab.page.locator("#mode")).to_have_text("ROBOT")
    tab.page.click("#stop-button")
    expect(tab.page.locator("#banner-text")).to_have_text(
        "STOP was not confirmed (the arm driver did not answer within 1 s). Press the robot's own emergency stop now."
    )


def test_stop_works_when_nicegui_does_not(open_tab) -> None:
    tab = open_tab()
    tab.page.evaluate("window.socket.disconnect()")
    tab.page.click("#stop-button")
    expect(tab.page.locator("#headline")).to_have_text("Arm stopped")


def test_an_error_is_shown_with_its_own_words_until_dismissed(open_tab) -> None:
    tab = open_tab()
    tab.bridge.failure = SessionError("checkpoint push-vision was made for another rig; choose one of this rig")
    tab.page.click(tab.button("start"))
    banner = tab.page.get_by_role("alert")
    expect(banner).to_contain_text("checkpoint push-vision was made for another rig; choose one of this rig")
    tab.page.click("#banner-close")
    expect(banner).to_be_hidden()


def test_a_silent_camera_and_a_silent_node_are_told_apart(open_tab) -> None:
    tab = open_tab(reward="twin", episode_seconds=60.0)
    page = tab.page
    page.wait_for_function(f"{SEQ} > 0")
    page.click(tab.button("start"))
    tab.bridge.silent["camera"] = 3.0
    expect(page.locator("#camera-overlay")).to_contain_text("Camera silent since")
    expect(page.locator(".link.silent")).to_have_text("camera silent")
    expect(page.locator("#headline")).to_have_text("Testing the old policy")
    tab.bridge.silent = {"adaptation": 12.0}
    expect(page.locator("#camera-overlay")).to_be_hidden()
    expect(page.locator("#headline")).to_have_text("Adaptation is silent")
    expect(page.locator("#instruction")).to_contain_text("Last heard at")
    for button in page.locator("[data-action]:not([data-action='arm/kill'])").all():
        expect(button).to_be_disabled()
    for name in ("#stop-button", tab.button("arm/kill")):
        expect(page.locator(name)).to_be_enabled()


def test_a_page_that_opens_before_the_camera_says_so(open_tab) -> None:
    tab = open_tab()
    tab.bridge.silent["camera"] = None
    tab.page.reload()
    expect(tab.page.locator("#camera-overlay")).to_contain_text("No picture from the camera yet")


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (820, 1180)])
def test_everything_fits_and_stop_is_in_reach(open_tab, width: int, height: int) -> None:
    tab = open_tab(width, height, reward="human")
    page = tab.page
    page.wait_for_selector(tab.button("start", ":enabled"))
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out sideways
    for name in ("#mode", "#stop-button", "#headline", tab.button("start"), tab.button("reset_done")):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    page.mouse.wheel(0, 2000)
    assert page.locator("#stop-button").bounding_box()["height"] >= 60
    for button in page.locator("button:visible").all():  # a gloved finger hits it
        assert button.bounding_box()["height"] >= 44


def test_another_site_cannot_drive_the_panel_from_the_same_browser(
    open_tab, server: PanelServer, browser: Browser
) -> None:
    tab = open_tab()
    context = browser.new_context()
    evil = context.new_page()
    evil.route("http://evil.test/", lambda route: route.fulfill(body="<p>hello</p>", content_type="text/html"))
    evil.goto("http://evil.test/")
    assert evil.evaluate(
        f"fetch('{server.url}/api/arm/stop', {{method: 'POST', mode: 'no-cors', body: '{{}}'}})"
        ".then(() => 'sent', () => 'blocked')"
    ) in {"sent", "blocked"}
    assert evil.evaluate(
        "new Promise(done => { const s = new WebSocket('" + server.url.replace("http", "ws") + "/ws/camera');"
        "s.onmessage = () => done('picture'); s.onclose = () => done('refused'); })"
    ) == "refused"
    context.close()
    assert tab.bridge.calls == []
