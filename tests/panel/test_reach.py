"""Every view on every screen: nothing sticks out, STOP is in reach, keys get everywhere, no other host is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.browser import LAPTOP, TABLET, UPRIGHT
from gmps_robot.panel.server import PanelServer

OpenTab = Callable[..., Any]
VIEWS = ("drive", "adapt", "calibrate", "episodes", "runs")
FOCUS = """
(() => { const e = document.activeElement;
  return e.dataset.action || e.dataset.filter || e.id || (e === document.body ? 'BODY' : e.className || e.tagName); })()
"""
UNNAMED = """
[...document.querySelectorAll('button, input, select, canvas, [role=application], [role=listbox], [role=progressbar]')]
  .filter(e => !e.closest('[aria-hidden=true]') && !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
  .map(e => e.outerHTML)
"""
OUTSIDE = """
[...document.querySelectorAll('.card :is(button, input, select, canvas, h1, h2, p, ol)')]
  .filter(e => e.offsetParent !== null && !e.closest('.table-box, .unseen')).filter(e => {
    const inner = e.getBoundingClientRect(), card = e.closest('.card').getBoundingClientRect();
    return inner.left < card.left - 1 || inner.right > card.right + 1; }).map(e => e.id + e.textContent)
"""
SMALL = """
[...document.querySelectorAll('button')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44)
  .map(e => e.textContent)
"""
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
WANTED = {
    "drive": {"take", "teach-next", "record", "tasks", "speed", "gripper"},
    "adapt": {"start-checkpoint", "start-task", "start-split", "start-episodes", "start-updates", "start"},
    "calibrate": {"capture-start", "capture-take"},
    "episodes": {"source", "split", "label", "flag", "status", "task", "operator"},
    "runs": set(),
}
ALWAYS = {"log-out", "arm/kill", "stop-button"}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_and_stop_is_in_reach(
    open_tab: OpenTab, picture: Callable[[Any, str], None], view: str
) -> None:
    tab = open_tab(*LAPTOP, view=view)
    tab.page.wait_for_function("document.querySelector('[data-action=\"arm/kill\"]:enabled')")
    for size in (LAPTOP, TABLET, UPRIGHT):  # a tablet that is turned, a window that is drawn smaller
        assert_fits(tab, view, *size)
        picture(tab.page, "view-{}-{}x{}".format(view, *size))


def assert_fits(tab: Any, view: str, width: int, height: int) -> None:
    page = tab.page
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(SETTLED)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("#stop-button", tab.button("arm/kill"), "#mode", f"#tab-{view}"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    assert page.evaluate(SMALL) == []  # a gloved finger hits it
    cut = page.evaluate(
        "[...document.querySelectorAll('.button, .tab, .task, h1, h2')].filter(e => e.offsetParent !== null &&"
        " e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline').map(e => e.textContent)"
    )
    assert cut == []
    assert page.evaluate(OUTSIDE) == []  # nothing leaves its card


@pytest.mark.parametrize("view", VIEWS)
def test_the_keyboard_reaches_everything_that_can_be_used_and_shows_where_it_is(open_tab: OpenTab, view: str) -> None:
    tab = open_tab(view=view, role="admin")
    page = tab.page
    page.wait_for_function("document.querySelector('[data-action=\"arm/kill\"]:enabled')")
    if view == "drive":
        page.wait_for_selector("#teach-next:enabled")
        page.evaluate("document.getElementById('teach-next').click()")  # the mouse would move where Tab begins
        page.wait_for_selector("#record:enabled")
    assert page.evaluate(UNNAMED) == []
    reached = set()
    for _ in range(100):
        page.keyboard.press("Tab")
        name = page.evaluate(FOCUS)
        reached.add(name)
        assert name == "BODY" or page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", name
        if name == "stop-button":  # the last of all
            break
    assert (WANTED[view] | ALWAYS | {f"tab-{view}"}) - reached == set()


def test_arrows_change_the_view_and_the_address_remembers_it(open_tab: OpenTab) -> None:
    page = open_tab().page
    page.focus("#tab-drive")
    for view in (*VIEWS[1:], "drive"):
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"#view-{view}:not([hidden])")
        assert page.url.endswith(f"#{view}")
    page.goto(page.url.replace("#drive", "#runs"))
    page.wait_for_selector("#view-runs:not([hidden])")


def test_no_view_asks_another_host(open_tab: OpenTab, server: PanelServer) -> None:
    tab = open_tab()
    for view in VIEWS:
        tab.page.click(f"#tab-{view}")
        tab.page.wait_for_timeout(300)
    hosts = {urlsplit(url).netloc for url in tab.requests if not url.startswith(("blob:", "data:"))}
    assert hosts == {f"127.0.0.1:{server.port}"}
    assert tab.errors == []
