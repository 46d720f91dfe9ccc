"""The view in which recorded episodes are found, counted, seen again, judged again and played back on the twin."""

from __future__ import annotations

from nicegui import ui

from gmps_robot.panel.elements import act, box, card, chart, text, view
from gmps_robot.tasks import SPLITS

FILTERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("source", "Source", ("demo", "policy", "expert", "intervention")),
    ("split", "Split", SPLITS),
    ("label", "Judged", ("success", "fail", "none")),
    ("flag", "Flag", ("jerky", "short", "low_motion", "clipped")),
    ("status", "State", ("complete", "recovered", "discarded")),
)
COLUMNS = ("Started", "Task", "Source", "By", "Length", "Judged", "Flags")
GROUPINGS = (("task", "task"), ("source", "source"), ("operator", "operator"), ("split", "split"), ("status", "state"))
GROUP_COLUMNS = ("", "Episodes", "Recorded", "Success")
CHARTS = (
    ("seconds", "Length [s]"), ("speed", "Speed of the tip [m/s]"), ("jerk", "Jerk of the tip [m/s³]"),
    ("judged", "Judged after its end"), ("moments", "Where rewards and stages lie"), ("flags", "Flags"),
)  # fmt: skip
GHOST = "Blue: the arm by its measured joints. Amber: where the command leads it within half a second."


def build() -> None:
    """Lay out the view: table left, the chosen episode right."""
    with view("episodes", "Episodes"):
        with card("list", "Recorded episodes"):
            _filters()
            head = "".join(f'<th scope="col">{word}</th>' for word in COLUMNS)
            with box("div", "table-box", 'tabindex="-1"'):
                text("table", "episode-table", f'<thead><tr>{head}</tr></thead><tbody id="episode-rows"></tbody>')
            with box("div", "pager"):
                text("span", "episode-count", "", 'role="status"')
                act("show-statistics", "Statistics", look="small")
                act("page-back", "Newer", look="small")
                act("page-on", "Older", look="small")
        with card("statistics", "Statistics of the episodes that pass the filters"):
            _statistics()
        with card("replay", "Chosen episode"):
            _replay()


def _filters() -> None:
    fields = "".join(
        f'<label>{word} <select data-filter="{name}"><option value="">any</option>{_options(values)}</select></label>'
        for name, word, values in FILTERS
    )
    text("form", "filters", fields + (
        '<label>Task <input data-filter="task" type="search" placeholder="push-train-s0-3" maxlength="80"></label>'
        '<label>Operator <input data-filter="operator" type="search" maxlength="80"></label>'
    ), 'role="search" aria-label="Filter episodes"')


def _options(values: tuple[str, ...]) -> str:
    return "".join(f'<option value="{value}">{value.replace("_", " ")}</option>' for value in values)


def _statistics() -> None:
    with ui.element("div").props('aria-live="polite"'):
        text("h2", "statistics-title", "Statistics")
        text("p", "statistics-facts", "", classes="replay-facts")
    with box("div", "group-row"):
        with box("div", "group-box", 'tabindex="-1"', "table-box"):
            select = f'<select id="group-by" aria-label="Count by">{_choices()}</select>'
            head = "".join(f'<th scope="col">{word or select}</th>' for word in GROUP_COLUMNS)
            text("table", "group-table", f'<thead><tr>{head}</tr></thead><tbody id="group-rows"></tbody>')
        chart("group-chart")
    with box("div", "figure-grid"):
        for name, title in CHARTS:
            with box("figure", f"figure-{name}", classes="figure"):
                text("figcaption", f"{name}-title", title)
                chart(f"{name}-chart")
                text("p", f"{name}-words", "", classes="unseen")


def _choices() -> str:
    return "".join(f'<option value="{value}">By {word}</option>' for value, word in GROUPINGS)


def _replay() -> None:
    with ui.element("div").classes("replay-head").props('aria-live="polite"'):
        text("h2", "replay-title", "Choose an episode")
        text("p", "replay-facts", "")
    with box("div", "film-row"):
        with box("div", "film"):
            text("canvas", "film-picture", "", 'width="640" height="480" role="img" aria-label="Recorded picture"')
            text("div", "film-words", "")
        with box("div", "label-box"):
            text("h3", "labels-title", "Labels")
            text("ol", "labels", "", 'aria-label="Labels, newest first"')
    with box("div", "film-acts"):
        act("play", "Play", "V", "small")
        text("label", "film-label", 'Step <input id="film-step" type="range" min="0" max="0" value="0" disabled>')
        text("output", "film-at", "")
        text("label", "ghost-label", '<input id="ghost" type="checkbox" disabled> Ghost', f'title="{GHOST}"')
    chart("signal-chart")
    text("p", "signal-words", "", classes="unseen")
    with box("div", "judge-acts", 'role="group" aria-label="Judge again"'):
        act("label-success", "Success", look="good small")
        act("label-fail", "Fail", look="bad small")
        act("label-step", "+1 at this step", look="small")
        act("label-stage", "Stage here", look="small")
        act("label-accept", "Use for training", look="small")
        act("on-twin", "Play on the twin", look="small")
