"""A robot that is not there, a clock that stands still, a server in a thread and a headless Chromium."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gmps_robot.panel.app import create_api, create_app
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.server import PanelServer
from gmps_robot.panel.settings import PanelSettings

with warnings.catch_warnings():  # Starlette asks for another HTTP client at import
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]


PATIENCE = 20_000  # a wait ends as soon as what it waits for is there; only a failure takes this long [ms]
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
def client(bridge: FakeBridge) -> TestClient:
    return TestClient(create_api(bridge, PanelSettings(port=0)), base_url="http://127.0.0.1")


class Stage:
    """Puts a fresh bridge behind the one page that a process can have."""

    bridge: FakeBridge

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            return getattr(self.bridge, name)(*values)

        return call


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def server(stage: Stage) -> Iterator[PanelServer]:
    stage.bridge = FakeBridge()
    settings = PanelSettings(port=0)
    with PanelServer(create_app(stage, settings), settings) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Tab:
    """One browser tab on the panel, the bridge behind it, and everything it asked the network for."""

    page: Page
    bridge: FakeBridge
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def calls(self, name: str) -> list[tuple[object, ...]]:
        return [call for call in self.bridge.calls if call[0] == name]

    def button(self, action: str, state: str = "") -> str:
        return f'[data-action="{action}"]{state}'


@pytest.fixture
def open_tab(stage: Stage, server: PanelServer, browser: Browser) -> Iterator[Callable[..., Tab]]:
    contexts = []

    def open_one(width: int = 1366, height: int = 768, **bridge: Any) -> Tab:
        stage.bridge = FakeBridge(**{"episode_seconds": 0.2, "evaluation_episodes": 1, **bridge})
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        tab = Tab(context.new_page(), stage.bridge)
        tab.page.set_default_timeout(PATIENCE)
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tab.page.on("websocket", lambda socket: tab.requests.append(socket.url))
        tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.page.goto(server.url)
        tab.page.wait_for_function("document.getElementById('mode')?.textContent.trim()")
        return tab

    yield open_one
    for context in contexts:
        context.close()
