"""Calibrating through the panel: what a program and a person at the page are told, and what they may ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect

from gmps_robot.errors import SessionError, SetupError
from gmps_robot.panel import view_calibrate
from gmps_robot.panel.bridge_calibrate import CaptureView
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.page_calibrate import ROWS
from tests.panel.conftest import Clock

HALF = CaptureView(
    "capturing", "captures/monday", 7, 20, "tilt the board by 30 degrees, top edge nearer", "moving: hold still", 6,
    (1.0,) * 10 + (0.4,) * 14, (2, 1, 0, 0), (0.41, 0.52), (0.5, 0.5, 0.67, 1.0, 0.35),
)  # fmt: skip


def test_a_program_starts_a_capture_watches_it_and_ends_it(
    client: TestClient, bridge: FakeBridge, clock: Clock
) -> None:
    before = client.get("/api/calibrate").json()
    assert (before["phase"], before["views"], before["distances"]) == ("idle", 0, [0.0, 0.0])
    assert client.post("/api/calibrate", json={"action": "start"}).json()["message"] == "views are kept by themselves"
    clock.now += 1.0
    during = client.get("/api/calibrate").json()
    assert (during["phase"], during["views"], len(during["cells"])) == ("capturing", 2, 24)
    client.post("/api/calibrate", json={"action": "stop"})
    clock.now += 5.0
    assert client.post("/api/calibrate", json={"action": "take"}).json()["message"] == "view 3 taken"
    assert client.get("/api/status").json()["calibration"]["rows"][-1] == {"share": 0.15, "words": "3 of 20"}
    assert bridge.calls == [("capture", action) for action in ("start", "stop", "take")]


def test_what_the_calibrator_refuses_is_told_in_its_own_words(client: TestClient, bridge: FakeBridge) -> None:
    bridge.failure = SessionError("blurred: sharpness 0.12, 0.3 is needed; focus, or more light")
    refused = client.post("/api/calibrate", json={"action": "take"})
    assert (refused.status_code, "sharpness 0.12" in refused.json()["message"]) == (409, True)
    bridge.failure = SetupError("nobody offers calibrate/capture: is the node running?")
    assert client.post("/api/calibrate", json={"action": "take"}).status_code == 503
    assert client.post("/api/calibrate", json={"action": "tkae"}).status_code == 422


def test_without_a_calibrator_one_is_told_how_to_start_it(
    client: TestClient, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = replace(bridge.state(), calibration=None)
    monkeypatch.setattr(bridge, "state", lambda: state)
    assert client.get("/api/calibrate").status_code == 404
    told = client.get("/api/status").json()["calibration"]
    assert (told["headline"], told["allowed"]) == ("No calibrator runs", [])
    assert "session:=calibrate" in told["hint"]


def test_the_words_say_what_is_missing() -> None:
    told = view_calibrate.to_json(HALF)
    assert [row["words"] for row in told["rows"]] == [
        "10 of 24 parts", "missing: top, bottom", "0.41 to 0.52 m", "about two axes", "7 of 20",
    ]  # fmt: skip
    assert len(told["rows"]) == len(ROWS)
    assert told["hint"] == "Tilt the board by 30 degrees, top edge nearer"
    assert told["allowed"] == ["stop", "take"]
    done = view_calibrate.to_json(replace(HALF, phase="done", hint="enough: solve"))
    assert done["hint"] == "Next: gmps calibrate solve captures/monday"
    assert done["allowed"] == ["start", "take"]


def test_a_person_shows_the_board_until_the_page_says_enough(
    open_tab: Callable[..., Any], picture: Callable[[Any, str], None]
) -> None:
    tab = open_tab(role="operator", view="calibrate")
    page = tab.page
    expect(page.locator("#capture-headline")).to_have_text("Ready to take views")
    page.keyboard.press("c")
    expect(page.locator("#capture-message")).to_have_text("View 1 taken")
    page.keyboard.press("n")
    expect(page.locator("#capture-headline")).to_have_text("Taking views")
    expect(page.locator("#capture-start")).to_be_hidden()
    expect(page.locator("#coverage-views .side-text")).to_contain_text(re.compile(r"\b([89]|1\d) of 20"))
    green = "document.getElementById('goal-overlay').getContext('2d').getImageData(330, 250, 1, 1).data[1]"
    page.wait_for_function(f"{green} > 150")  # the cell in the middle
    picture(page, "calibrate")
    page.click("#capture-stop:enabled")
    expect(page.locator("#capture-headline")).to_have_text("Ready to take views")
    expect(page.locator("#coverage-views .side-text")).to_contain_text(f"{tab.bridge._taken} of 20")
    tab.bridge._taken = 19
    page.click("#capture-take:enabled")
    expect(page.locator("#capture-headline")).to_have_text("Enough views")
    expect(page.locator("#capture-hint")).to_contain_text("gmps calibrate solve")
    expect(page.locator(".coverage-row.full")).to_have_count(len(ROWS))
    page.click("#tab-drive")
    page.wait_for_function(f"{green} === 0")  # the grid belongs to this view alone
    assert tab.calls("capture") == [("capture", action) for action in ("take", "start", "stop", "take")]
    assert tab.errors == []


def test_a_viewer_looks_and_takes_nothing(open_tab: Callable[..., Any]) -> None:
    page = open_tab(role="viewer", view="calibrate").page
    expect(page.locator("#coverage-views .side-text")).to_contain_text("0 of 20")
    for name in ("start", "take"):
        expect(page.locator(f"#capture-{name}")).to_be_disabled()
