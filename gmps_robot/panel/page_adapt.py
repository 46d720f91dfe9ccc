"""The view in which a person watches and judges an adaptation: what happens now, returns, before against after."""

from __future__ import annotations

from nicegui import ui

from gmps_robot.panel.elements import box, button, card, chart, text, view
from gmps_robot.tasks import SPLITS

GRADES = (("0.25", "1"), ("0.5", "2"), ("0.75", "3"))


def build() -> None:
    """Lay out the right side of the view."""
    with view("adapt", "Adapt"):
        _now()
        with card("chart", "Return per episode"):
            text("h2", "chart-title", "Return per episode")
            text("p", "chart-words", "", classes="unseen")  # the same numbers for a screen reader
            chart("return-chart")
        _comparison()


def build_form() -> None:
    """Lay out what a session is begun with."""
    options = "".join(f'<option value="{s}"{" selected" if s == "test" else ""}>{s}</option>' for s in SPLITS)
    with card("form", "Session"):
        text("p", "judge", "")
        text("form", "form", (
            '<label class="wide">Checkpoint <select id="start-checkpoint"></select></label>'
            '<label>Task <input id="start-task" type="number" min="0" max="1000000" value="0" required></label>'
            f'<label>Split <select id="start-split">{options}</select></label>'
            '<label>Episodes <input id="start-episodes" type="number" min="2" max="200" value="20" required></label>'
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
            with box("div", "grades", 'role="group" aria-label="Partly done"'):
                for value, key in GRADES:
                    button("label", value, key, "grade", value)
            button("label", "Fail", "F", "bad", "0")
        with box("div", "progress-row"):
            text("span", "progress-text", "")
            text("span", "task", "", 'title="Name of the task"')
            text("ol", "dots", "", 'aria-label="Episodes of this stage"')
        text("div", "progress", "<div></div>",
             'role="progressbar" aria-label="Session" aria-valuemin="0" aria-valuemax="100"')


def _comparison() -> None:
    with card("comparison", "Before and after"):
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
