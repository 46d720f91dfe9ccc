"""The layout of the one page, in NiceGUI. It holds no data: `static/panel.js` fills it from /api and /ws alone.

What must work when NiceGUI's own socket does not (STOP and driving, above all) never goes through NiceGUI.
"""

from __future__ import annotations

from nicegui import ui

from gmps_robot.panel import page_adapt, page_calibrate, page_drive, page_episodes, page_runs
from gmps_robot.panel.elements import box, button, card, text

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='#14181d'/>"
    "<path d='M7 24 L13 12 L22 10' stroke='#6cb2ff' stroke-width='3.5' fill='none' stroke-linecap='round'/>"
    "<rect x='21' y='17' width='7' height='7' fill='#f06a5d'/></svg>"
)
STYLES = ("panel", "drive", "calibrate", "review")
HEAD = "".join(f'<link rel="stylesheet" href="/static/{name}.css">' for name in STYLES) + (
    '<script type="module" src="/static/panel.js"></script>'
)
TABS = (("drive", "Drive &amp; teach"), ("adapt", "Adapt"), ("calibrate", "Calibrate"), ("episodes", "Episodes"),
        ("runs", "Runs"))


def build() -> None:
    """Lay out the page for one browser tab."""
    ui.add_head_html(HEAD)
    with box("div", "panel"):
        _header()
        with box("main", "grid"):
            _camera()
            page_drive.build()
            page_adapt.build()
            page_calibrate.build()
            page_episodes.build()
            page_runs.build()
        _bottom_bar()
        text("div", "ready", "")  # last: when it is there, everything above is


def _header() -> None:
    with box("header", "top"):
        text("span", "mode", "&nbsp;", 'title="What the commands of this page move" role="status"')
        text("strong", "brand", "GMPS panel")
        with box("div", "tabs", 'role="tablist" aria-label="Views"'):
            for name, label in TABS:
                text("button", f"tab-{name}", label, (
                    f'type="button" role="tab" data-view="{name}" aria-controls="view-{name}" aria-selected="false"'
                ), "tab")
        text("ul", "links", "", 'aria-label="Connections"')
        with box("div", "who"):
            text("span", "who-name", "")
            text("button", "log-out", "Log out", 'type="button"')


def _camera() -> None:
    with box("div", "left"):
        with card("camera", "Camera"), box("div", "picture"):
            text("canvas", "camera", "", 'width="640" height="480" role="img" aria-label="Live camera picture"')
            text("canvas", "goal-overlay", "", 'width="640" height="480" aria-hidden="true"')
            text("div", "camera-overlay", "Waiting for the camera", 'role="status"')
            text("div", "camera-rate", "", 'aria-hidden="true"')
        page_drive.build_control()
        page_adapt.build_form()


def _bottom_bar() -> None:
    with box("footer", "bottom"):
        text("div", "banner", '<span id="banner-text"></span><button id="banner-close" type="button" '
             'aria-label="Dismiss">&times;</button>', 'role="alert" hidden')
        with box("div", "session-buttons"):
            button("pause", "Pause", "P")
            button("resume", "Resume", "R", "primary")
            button("stop", "End session")
        with box("div", "guard-box"):
            text("div", "guard", "", 'role="status"')
            with box("div", "guard-acts"):
                button("arm/reset_fault", "Release stop", look="ask release")
                button("arm/enable", "Enable motors", look="ask enable")
        button("arm/kill", "KILL", look="kill")
        text("button", "stop-button", "<span>STOP</span><small>Space</small><small>Esc</small>",
             'type="button" aria-keyshortcuts="Space Escape" aria-label="STOP: hold the arm and latch"')
