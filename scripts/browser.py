"""Print the path of a Chromium that starts here, for the tests of the panel; download one where the system has none.

    .venv/bin/python scripts/browser.py

Debian has one as the package chromium. Ubuntu's package of that name is a snap, which cannot run in a container or
without a session, so there the build that Playwright brings is used. CHROMIUM=/path/to/chromium names another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
SECONDS = 30


def starts(path: str) -> bool:
    """Return whether the browser at `path` says its version."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def installed() -> str | None:
    """Return the first working browser: the one named, then those on PATH."""
    candidates = [os.environ.get("CHROMIUM", ""), *(shutil.which(name) or "" for name in NAMES)]
    return next((path for path in candidates if path and starts(path)), None)


def download() -> str | None:
    """Let Playwright bring its own build, with system libraries as root or with SUDO=1; return its path."""
    system = ["--with-deps"] if os.geteuid() == 0 or os.environ.get("SUDO") == "1" else []
    subprocess.run([sys.executable, "-m", "playwright", "install", *system, "chromium"], stdout=sys.stderr, check=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if starts(path) else None


def main() -> int:
    """Print the path; returns 1 when there is no browser in the end."""
    path = installed() or download()
    if path is None:
        print(
            "error: no Chromium starts here. Debian: sudo apt-get install -y chromium. Ubuntu: make setup-test SUDO=1."
            " Or name one: CHROMIUM=/path/to/chromium make test",
            file=sys.stderr,
        )
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
