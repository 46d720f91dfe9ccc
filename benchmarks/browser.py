"""A headless Chromium on the panel, and an operator at it, for benchmarks and tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
PATIENCE = 20_000  # a wait ends as soon as what it waits for is there; only a failure takes this long [ms]
LAPTOP, TABLET, UPRIGHT = (1366, 768), (1024, 768), (768, 1024)  # [pixel]


def launch(playwright: Playwright) -> Browser:
    """Start a browser that asks nobody but the page's own host."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser and end it."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


def log_in(context: BrowserContext, url: str, token: str, view: str = "drive") -> Page:
    """Open the page by a login link's or a bearer's `token`; return it when it shows the robot's mode."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/login#{token}")
    page.wait_for_url(f"{url}/")
    if view != "drive":
        page.goto(f"{url}/#{view}")
    page.wait_for_function("document.getElementById('mode')?.textContent.trim()")
    return page


def take_the_arm(page: Page) -> None:
    """Press the button and wait until the page holds the lease and the stream knows it."""
    page.click("#take:enabled")
    page.wait_for_function("document.getElementById('armed').textContent === 'You hold the arm'")


def hold(page: Page, key: str, moves: Callable[[], object], patience: float = PATIENCE / 1000) -> None:
    """Press `key` and keep it down until `moves()`; press anew where a busy machine was late and it latched.

    Raises:
        TimeoutError: nothing moves within `patience` [s].
    """
    end = time.monotonic() + patience
    page.keyboard.down(key)
    while not moves():
        said = page.locator("#armed").inner_text(), page.locator("#armed-why").inner_text()
        if said[0] == "Latched":
            page.keyboard.up(key)
            page.wait_for_timeout(150)
            page.keyboard.down(key)
        if time.monotonic() > end:
            raise TimeoutError(f"{key} moves nothing; the page says {said}")
        page.wait_for_timeout(20)


class FrozenBrowser:
    """Every process of the browsers that this process has started: to be frozen and thawed again."""

    def __init__(self) -> None:
        below = psutil.Process().children(recursive=True)
        self._processes = [process for process in below if "chrom" in process.name()]

    def freeze(self) -> None:
        """SIGSTOP: nothing runs, no socket closes."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for process in self._processes:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

