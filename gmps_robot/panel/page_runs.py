"""The view of training and adaptation runs: which there are, and how one of them learned."""

from __future__ import annotations

from gmps_robot.panel.elements import box, card, chart, text, view

COLUMNS = ("Started", "Name", "Kind", "State")


def build() -> None:
    """Lay out the view: runs left, the curves of the chosen one right."""
    with view("runs", "Runs"):
        with card("run-list", "Runs"):
            text("h2", "runs-title", "Training and adaptation")
            head = "".join(f'<th scope="col">{word}</th>' for word in COLUMNS)
            with box("div", "runs-box", 'tabindex="-1"', "table-box"):
                text("table", "run-table", f'<thead><tr>{head}</tr></thead><tbody id="run-rows"></tbody>')
        with card("curve", "Learning curve"):
            text("h2", "curve-title", "Choose a run")
            text("label", "curve-label", 'Curve <select id="curve-name" disabled></select>')
            chart("curve-chart")
            text("p", "curve-words", "", classes="unseen")
