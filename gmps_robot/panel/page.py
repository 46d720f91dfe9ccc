"""The layout of the one page, in NiceGUI. `static/panel.js` fills it: camera, words, buttons, banner.

Whatever must work when NiceGUI's socket does not (STOP, above all) goes over plain HTTP from `panel.js`; NiceGUI itself
only updates the chart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from gmps_robot.panel import chart
from gmps_robot.panel.bridge import PanelBridge
from gmps_robot.tasks import SPLITS

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='#14181d'/>"
    "<path d='M7 24 L13 12 L22 10' stroke='#6cb2ff' stroke-width='3.5' fill='none' stroke-linecap='round'/>"
    "<rect x='21' y='17' width='7' height='7' fill='#f06a5d'/></svg>"
)
HEAD = (
    '<link rel="stylesheet" href="/static/panel.css"><script type="module" src="/static/panel.js"></script>'
)
CHART_PERIOD = 0.4  # [s]


def build(bridge: PanelBridge) -> None:
    """Lay out the page for one browser tab."""
    ui.add_head_html(HEAD)
    with box("div", "panel"):
        _header()
        with box("main", "grid"):
            with box("div", "left"):
                _camera()
                _session_form(bridge.state().planned_episodes)
            with box("div", "right"):
                _now()
                _chart(bridge)
                _comparison()
        _bottom_bar()
        text("div", "ready", "")  # last: when it is there, everything above is


@contextmanager
def box(tag: str, name: str, props: str = "") -> Iterator[ui.element]:
    """Open an element with `name` as id and class."""
    with ui.element(tag).props(f'id="{name}" {props}').classes(name) as element:
        yield element


def text(tag: str, name: str, content: str, props: str = "") -> None:
    """Add an element that holds fixed HTML of ours; `panel.js` may change it later."""
    ui.html(content, sanitize=False, tag=tag).props(f'id="{name}" {props}').classes(name)


def button(action: str, label: str, key: str = "", look: str = "", value: str = "") -> None:
    """Add a button that `panel.js` sends as POST /api/<action>; `key` is its keyboard shortcut."""
    hint = f"<kbd>{key}</kbd>" if key else ""
    shortcut = f'aria-keyshortcuts="{key}" data-key="{key.lower()}"' if key else ""
    # Disabled until the first status says otherwise.
    ui.html(f"<span>{label}</span>{hint}", sanitize=False, tag="button").props(
        f'type="button" data-action="{action}" data-value="{value}" {shortcut} disabled'
    ).classes(f"button {look}")


def _header() -> None:
    with box("header", "top"):
        text("span", "mode", "&nbsp;", 'title="What the commands of this page move" role="status"')
        text("strong", "brand", "GMPS panel")
        text("span", "task", "")
        text("ul", "links", "", 'aria-label="Connections"')


def _camera() -> None:
    with ui.element("section").classes("card camera-card").props('aria-label="Camera"'):
        text("canvas", "camera", "", 'width="640" height="480" role="img" aria-label="Live camera picture"')
        text("div", "camera-overlay", "Waiting for the camera", 'role="status"')
        text("div", "camera-rate", "", 'aria-hidden="true"')
    text("p", "judge", "")


def _session_form(episodes: int) -> None:
    options = "".join(f'<option value="{s}"{" selected" if s == "test" else ""}>{s}</option>' for s in SPLITS)
    with ui.element("section").classes("card form-card").props('aria-label="Session"'):
        text("form", "form", (
            '<label>Task <input id="start-task" type="number" min="0" max="1000000" value="0" required></label>'
            f'<label>Split <select id="start-split">{options}</select></label>'
            '<label>Episodes <input id="start-episodes" type="number" min="2" max="200" '
            f'value="{episodes}" required></label>'
            '<label>Updates <input id="start-updates" type="number" min="1" max="20" value="1" required></label>'
        ))
        button("start", "Start", look="primary")


def _now() -> None:
    with ui.element("section").classes("card now").props('id="now" aria-label="What happens now"'):
        with ui.element("div").props('aria-live="polite"'):
            text("h1", "headline", "Connecting")
            text("p", "instruction", "Waiting for the first word from the panel server.")
        with box("div", "asks"):
            button("reset_done", "Block is back", "B", "ask")
            button("label", "Success", "S", "good", "1")
            button("label", "Fail", "F", "bad", "0")
            button("arm/reset_fault", "Release stop", look="ask release")
            button("arm/enable", "Enable motors", look="ask enable")
        with box("div", "progress-row"):
            text("span", "progress-text", "")
            text("ol", "dots", "", 'aria-label="Episodes of this stage"')
        text("div", "progress", "<div></div>",
             'role="progressbar" aria-label="Session" aria-valuemin="0" aria-valuemax="100"')


def _chart(bridge: PanelBridge) -> None:
    with ui.element("section").classes("card chart-card").props('aria-label="Return per episode"') as card:
        text("h2", "chart-title", "Return per episode")
        text("p", "chart-words", "")  # the same numbers for a screen reader
    # The chart library is by far the largest part of the page: the buttons do not wait for it.
    ui.timer(CHART_PERIOD, lambda: _draw_chart(card, bridge), once=True, immediate=False)


def _draw_chart(card: ui.element, bridge: PanelBridge) -> None:
    shown = chart.points(bridge.state())
    with card:
        plot = ui.echart(chart.options(shown)).classes("chart").props('aria-hidden="true"')

    def refresh() -> None:
        nonlocal shown
        points = chart.points(bridge.state())
        if points != shown:
            shown = points
            plot.options.clear()
            plot.options.update(chart.options(points))
            plot.update()

    with card:
        ui.timer(CHART_PERIOD, refresh)


def _comparison() -> None:
    with ui.element("section").classes("card comparison").props('aria-label="Before and after"'):
        text("h2", "comparison-title", "Success before and after <small>bar: share, line: 95 % interval</small>")
        for side, word in (("before", "Before"), ("after", "After")):
            text("div", f"side-{side}", (
                f'<span class="side-name">{word}</span><span class="track"><i class="fill"></i><i class="interval"></i>'
                '</span><span class="side-text">not tested yet</span>'
            ))
        with box("div", "decision-row"):
            text("p", "decision", "", 'aria-live="polite"')
            button("accept", "Keep adapted policy")
            button("roll_back", "Roll back")


def _bottom_bar() -> None:
    with box("footer", "bottom"):
        text("div", "banner", '<span id="banner-text"></span><button id="banner-close" type="button" '
             'aria-label="Dismiss">&times;</button>', 'role="alert" hidden')
        with box("div", "session-buttons"):
            button("pause", "Pause", "P")
            button("resume", "Resume", "R", "primary")
            button("stop", "End session")
        text("div", "guard", "", 'role="status"')
        button("arm/kill", "KILL", look="kill")
        text("button", "stop-button", "<span>STOP</span><small>Esc</small>",
             'type="button" aria-keyshortcuts="Escape" aria-label="STOP: hold the arm and latch"')
