"""Driving from the page: what the hands hold moves the arm, and whatever takes the hands away stops it at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.browser import hold, take_the_arm
from gmps_robot.panel.bridge import GuardView

OpenTab = Callable[..., Any]
PICTURE_RIGHT, PICTURE_UP = (1.0, 0.0), (0.0, 1.0)  # of the demo's camera, on its table


def velocity(tab: Any) -> tuple[float, ...]:
    """The last motion that was asked of the robot."""
    calls = tab.calls("teleop")
    return tuple(calls[-1][1]) if calls else ()


def until(tab: Any, ready: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"did not happen; last motion {velocity(tab)}"
        tab.page.wait_for_timeout(10)


def rests(tab: Any) -> bool:
    return velocity(tab) == (0.0, 0.0, 0.0)


def drive(tab: Any, key: str = "w") -> None:
    hold(tab.page, key, lambda: velocity(tab) != () and not rests(tab))


@pytest.fixture
def driver(open_tab: OpenTab) -> Any:
    tab = open_tab(role="operator")
    take_the_arm(tab.page)
    return tab


def test_a_held_key_moves_as_in_the_picture_and_rests_when_let_go(driver: Any) -> None:
    for key, way in (("d", (*PICTURE_RIGHT, 0)), ("w", (*PICTURE_UP, 0)), ("q", (0, 0, 1)), ("ArrowLeft", (-1, 0, 0))):
        drive(driver, key)
        expect(driver.page.locator("#armed")).to_have_text("The arm follows you")
        assert np.array(velocity(driver)) == pytest.approx(0.6 * np.array(way), abs=1e-6)
        driver.page.keyboard.up(key)
        until(driver, lambda: rests(driver), 2.0)
    expect(driver.page.locator("#armed")).to_have_text("You hold the arm")
    expect(driver.page.locator("#link-time")).to_contain_text("ms")


@pytest.mark.realtime
def test_the_wish_is_repeated_twenty_times_per_second_while_a_key_is_held(driver: Any) -> None:
    drive(driver)
    before = len(driver.calls("teleop"))
    driver.page.wait_for_timeout(2000)
    assert 30 <= len(driver.calls("teleop")) - before <= 42
    driver.page.keyboard.up("w")


def test_two_keys_are_no_faster_than_one_and_the_slider_says_how_fast(driver: Any) -> None:
    driver.page.locator("#speed").fill("100")
    drive(driver, "w")
    driver.page.keyboard.down("d")
    until(driver, lambda: all(velocity(driver)[:2]))
    assert np.linalg.norm(velocity(driver)) == pytest.approx(1.0)
    driver.page.keyboard.press("-")
    until(driver, lambda: np.linalg.norm(velocity(driver)) == pytest.approx(0.95))
    for key in "wd":
        driver.page.keyboard.up(key)


def test_the_stick_is_held_to_move_and_springs_back(driver: Any) -> None:
    page, box = driver.page, driver.page.locator("#stick").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + box["width"] / 4, middle[1])
    until(driver, lambda: velocity(driver) != () and velocity(driver)[0] > 0.25)
    assert velocity(driver)[0] == pytest.approx(0.3, abs=0.02)  # half way out, at speed 0.6
    page.mouse.move(middle[0] + 400, middle[1])  # off the stick: still held, no faster than full
    until(driver, lambda: velocity(driver)[0] == pytest.approx(0.6, abs=0.02))
    page.mouse.up()
    until(driver, lambda: rests(driver), 2.0)
    page.mouse.move(middle[0] - 20, middle[1])
    page.wait_for_timeout(200)
    assert rests(driver)


@pytest.mark.parametrize(
    "act",
    ["dispatchEvent(new Event('blur'))", "dispatchEvent(new PageTransitionEvent('pagehide'))",
     "Object.defineProperty(document, 'hidden', {value: true}); document.dispatchEvent(new Event('visibilitychange'))"],
    ids=["blur", "pagehide", "hidden"],
)
@pytest.mark.parametrize("hand", ["key", "stick"])
def test_when_the_page_loses_the_hands_the_arm_rests_until_they_begin_anew(driver: Any, act: str, hand: str) -> None:
    page, box = driver.page, driver.page.locator("#stick").bounding_box()
    if hand == "key":
        drive(driver)
    else:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
        page.mouse.down()
        until(driver, lambda: velocity(driver) != () and not rests(driver))
    page.evaluate(act)
    until(driver, lambda: rests(driver), 1.0)
    if hand == "key":
        page.keyboard.down("w")  # a repeat: the key was never let go
    else:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.wait_for_timeout(300)
    assert rests(driver)
    if hand == "key":
        page.keyboard.up("w")
        drive(driver)
        page.keyboard.up("w")
    else:
        page.mouse.up()


def test_a_key_let_go_while_a_field_has_the_focus_stops_and_typing_never_drives(driver: Any) -> None:
    page = driver.page
    drive(driver, "s")
    page.evaluate("document.body.append(Object.assign(document.createElement('input'), {id: 'typing'}))")
    page.focus("#typing")
    page.keyboard.up("s")
    until(driver, lambda: rests(driver), 2.0)
    page.keyboard.type("wasd q")
    page.wait_for_timeout(200)
    assert rests(driver)
    assert driver.calls("arm_stop") == []


def test_a_gamepad_moves_while_its_shoulder_button_is_held_and_rests_when_it_is_gone(driver: Any) -> None:
    page = driver.page
    page.evaluate(
        "window.pad = {connected: true, axes: [1, 0, 0, 0],"
        " buttons: Array.from({length: 8}, () => ({pressed: false}))}; navigator.getGamepads = () => [window.pad]"
    )
    expect(page.locator("#pad-words")).to_contain_text("shoulder button")
    page.wait_for_timeout(200)
    assert velocity(driver) in {(), (0.0, 0.0, 0.0)}
    page.evaluate("pad.buttons[5].pressed = true")
    until(driver, lambda: velocity(driver) != () and velocity(driver)[0] == pytest.approx(0.6))
    page.evaluate("window.pad = null")
    until(driver, lambda: rests(driver), 1.0)
    page.evaluate(
        "window.pad = {connected: true, axes: [1, 0, 0, 0], buttons: Array.from({length: 8}, () => ({pressed: true}))}"
    )
    page.wait_for_timeout(300)
    assert rests(driver)  # it came back with the button down: nobody has pressed it


def test_another_view_lets_go(driver: Any) -> None:
    drive(driver)
    driver.page.click("#tab-episodes")
    until(driver, lambda: rests(driver), 2.0)
    driver.page.keyboard.up("w")
    driver.page.keyboard.press("w")
    driver.page.wait_for_timeout(200)
    assert rests(driver)


def test_a_fault_latches_until_the_hand_lets_go(driver: Any) -> None:
    drive(driver)
    driver.bridge.show(GuardView("FAULT", "force of 34 N"))
    expect(driver.page.locator("#armed")).to_have_text("Latched")
    expect(driver.page.locator("#armed-why")).to_contain_text("force of 34 N")
    driver.bridge.show(GuardView("ARMED"))
    driver.page.wait_for_timeout(300)
    assert rests(driver)
    driver.page.keyboard.up("w")
    drive(driver)
    driver.page.keyboard.up("w")


def test_space_stops_wherever_the_focus_is_unless_somebody_types(driver: Any) -> None:
    page, given_back = driver.page, len(driver.calls("lease_release"))
    page.focus("#take")
    page.keyboard.press("Space")
    expect(page.locator("#guard")).to_contain_text("FAULT")
    assert len(driver.calls("arm_stop")) == 1
    assert len(driver.calls("lease_release")) == given_back  # the button under the focus was not pressed
    page.click(driver.button("arm/reset_fault"))
    expect(page.locator("#guard")).not_to_contain_text("FAULT")
    page.click("#tab-episodes")
    page.fill('[data-filter="task"]', "a b")
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    assert len(driver.calls("arm_stop")) == 1


def test_one_drives_the_others_see_who_and_everybody_can_stop(open_tab: OpenTab) -> None:
    first = open_tab(role="operator", name="Ada")
    take_the_arm(first.page)
    second = first.page.context.browser.new_context()
    second.add_cookies([
        {**cookie, "value": first.secret("Ben", "operator")} for cookie in first.page.context.cookies()
    ])
    page = second.new_page()
    page.goto(first.page.url)
    expect(page.locator("#armed")).to_have_text("Ada holds the arm")
    expect(page.locator("#take")).to_be_disabled()
    page.click("#stop-button")
    expect(first.page.locator("#guard")).to_contain_text("FAULT")
    second.close()


def test_a_viewer_sees_everything_moves_nothing_and_can_stop(open_tab: OpenTab) -> None:
    tab = open_tab(role="viewer")
    expect(tab.page.locator("#armed")).to_have_text("You watch")
    for name in ("#take", "#record", '[data-action="arm/kill"]'):
        expect(tab.page.locator(name)).to_be_disabled()
    tab.page.click("#stop-button")
    expect(tab.page.locator("#guard")).to_contain_text("FAULT")
