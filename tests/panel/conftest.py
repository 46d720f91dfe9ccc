"""A robot that is not there, a clock that stands still, a server in a thread and a headless Chromium."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.browser import PATIENCE
from benchmarks.browser import browser as headless
from gmps_robot.panel.app import create_api, create_app
from gmps_robot.panel.auth import Door, Person, Role
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import PanelSettings

with warnings.catch_warnings():  # Starlette asks for another HTTP client at import
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ADMIN = "administrator-of-the-tests"
BEARER = {"authorization": f"Bearer {ADMIN}"}
expect.set_options(timeout=PATIENCE)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bridge(clock: Clock) -> FakeBridge:
    return FakeBridge(episode_seconds=1.0, clock=clock)


@pytest.fixture
def door(clock: Clock) -> Door:
    return Door(clock, token=ADMIN)


@pytest.fixture(scope="session")
def shared_archive(tmp_path_factory: pytest.TempPathFactory) -> DemoArchive:
    """Opening a catalogue takes a while; tests that count what is in it open their own."""
    return DemoArchive(tmp_path_factory.mktemp("archive"), FakeBridge())


@pytest.fixture
def panel(
    bridge: FakeBridge, door: Door, clock: Clock, shared_archive: DemoArchive, tmp_path: Path
) -> Iterator[Panel]:
    shared_archive.take_from(bridge)
    opened = Panel.of(bridge, shared_archive, PanelSettings(port=0, runs=tmp_path / "runs"), door, clock=clock)
    yield opened
    opened.journal.close()


@pytest.fixture
def client(panel: Panel) -> Iterator[TestClient]:
    """The administrator, by bearer token."""
    with TestClient(create_api(panel), base_url="http://127.0.0.1", headers=BEARER) as admin:
        yield admin


class Stage:
    """Puts a fresh bridge behind the one page that a process can have."""

    bridge: FakeBridge
    archive: DemoArchive
    door: Door

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            return getattr(self.bridge, name)(*values)

        return call


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def server(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelServer]:
    stage.bridge = FakeBridge()
    stage.door = Door(time.monotonic, token=ADMIN)
    folder = tmp_path_factory.mktemp("panel")
    settings = PanelSettings(port=0, runs=folder / "runs")
    stage.archive = DemoArchive(folder, stage.bridge)
    with PanelServer(create_app(Panel.of(stage, stage.archive, settings, stage.door)), settings) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with headless() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def visited(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that keeps what it has loaded from one test to the next."""
    context = browser.new_context()
    yield context
    context.close()


@dataclass
class Tab:
    """One browser tab on the panel, the bridge behind it, and everything it asked the network for."""

    page: Page
    bridge: FakeBridge
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    secret: Callable[[str, Role], str] = lambda name, role: ""  # a login cookie of another person

    def calls(self, name: str) -> list[tuple[object, ...]]:
        return [call for call in self.bridge.calls if call[0] == name]

    def button(self, action: str, state: str = "") -> str:
        return f'[data-action="{action}"]{state}'


@pytest.fixture
def open_tab(
    stage: Stage, server: PanelServer, browser: Browser, visited: BrowserContext
) -> Iterator[Callable[..., Tab]]:
    """Open the first tab in a browser that was here before, each further one in a new one."""
    contexts: list[BrowserContext] = []

    def open_one(
        width: int = 1366, height: int = 768, role: Role = "admin", view: str = "drive", name: str = "Ada",
        address: str = "", **bridge: Any,
    ) -> Tab:
        url = address or server.url
        stage.bridge = FakeBridge(**{"episode_seconds": 0.2, "evaluation_episodes": 1, **bridge})
        stage.archive.take_from(stage.bridge)
        context = browser.new_context() if contexts else visited
        contexts.append(context)
        context.clear_cookies()
        cookie = stage.door.issue("cookie", Person(name, role))
        context.add_cookies([{"name": f"gmps_panel_{urlsplit(url).port}", "value": cookie, "url": url}])
        tab = Tab(context.new_page(), stage.bridge)
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.secret = lambda other, its: stage.door.issue("cookie", Person(other, its))
        tab.page.set_default_timeout(PATIENCE)
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tab.page.on("websocket", lambda socket: tab.requests.append(socket.url))
        tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.page.goto(f"{url}/#{view}")
        tab.page.wait_for_function("document.getElementById('mode')?.textContent.trim()")
        return tab

    yield open_one
    for page in visited.pages:
        page.close()
    for context in contexts:
        if context is not visited:
            context.close()


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Page, str], None]:
    """Take a picture of the page; PICTURES names the folder that keeps it, as for the documents."""
    folder = Path(os.environ.get("PICTURES", tmp_path))

    def take(page: Page, name: str) -> None:
        page.evaluate("document.activeElement?.blur()")
        page.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 20_000  # an empty page is smaller

    return take
