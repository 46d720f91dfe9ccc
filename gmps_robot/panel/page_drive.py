"""The view in which a person drives the arm and teaches: controls, the task to teach, recording."""

from __future__ import annotations

from nicegui import ui

from gmps_robot.panel.elements import act, box, card, text, view

KEYS = (("W A S D", "as in the picture"), ("Q E", "up, down"), ("G", "gripper"), ("- +", "speed"))


def build() -> None:
    """Lay out the right side of the view."""
    with view("drive", "Drive and teach"):
        _teach()
        _controls()


def build_control() -> None:
    """Lay out who holds the arm and whether it follows, below the picture."""
    with card("hold", "Control of the arm"):
        act("take", "Take the arm", look="primary")
        with ui.element("div").classes("hold-words").props('role="status"'):
            text("strong", "armed", "Nobody drives")
            text("span", "armed-why", "Take the arm to drive it from this page.")
        text("span", "link-time", "", 'title="There and back between this page and the panel server"')


def _teach() -> None:
    with ui.element("section").classes("card teach-card").props('id="teach" aria-label="Teach"'):
        with ui.element("div").classes("teach-head"):
            with ui.element("div").props('aria-live="polite"'):
                text("h1", "teach-headline", "Teach")
                text("p", "teach-line", "")
            with box("div", "record-clock", 'aria-hidden="true"'):
                text("strong", "record-seconds", "")
                text("span", "record-steps", "")
        with box("div", "record-acts"):
            act("record", "Record", "N", "record")
            act("keep", "Keep: success", "K", "good")
            act("keep-fail", "Keep: failed", "L", "bad")
            act("again", "Again", "T")
            act("discard", "Discard", "X")
        with box("div", "mark-acts", 'role="group" aria-label="Reward this moment"'):
            text("span", "mark-title", "Reward now")
            act("mark-1", "+1", "1", "small")
            act("mark-half", "+0.5", "2", "small")
            act("mark-stage", "Stage reached", "3", "small")
            text("span", "marks", "", 'role="status"')
        with ui.element("div").classes("quota"):
            with ui.element("div").classes("quota-head"):
                text("strong", "quota-words", "")
                act("teach-next", "Next task", look="small")
            text("div", "quota-bar", "<div></div>",
                 'role="progressbar" aria-label="Demonstrations" aria-valuemin="0" aria-valuemax="100"')
            text("div", "tasks", "", 'role="listbox" aria-label="Tasks to teach" tabindex="0"')


def _controls() -> None:
    with card("control", "Controls"):
        with box("div", "stick-box"):
            text("div", "stick", (
                f"{_arrows('up', 'down', 'left', 'right')}<i class='knob'></i>"
            ), 'role="application" aria-label="Stick: hold and drag to move the tip as in the picture"')
            text("div", "lift", f"{_arrows('up', 'down')}<i class='knob'></i>",
                 'role="application" aria-label="Lift: hold and drag to move the tip up and down"')
        with box("div", "sliders"):
            text("label", "speed-label", (
                'Speed <output id="speed-words"></output>'
                '<input id="speed" type="range" min="5" max="100" step="5" value="60">'
            ), 'for="speed"')
            text("label", "gripper-label", (
                'Gripper <output id="gripper-words"></output>'
                '<input id="gripper" type="range" min="-100" max="100" step="10" value="-50">'
            ), 'for="gripper"')
            hints = "".join(f"<li><kbd>{keys}</kbd> {words}</li>" for keys, words in KEYS)
            text("ul", "key-hints", hints + '<li id="pad-words">No gamepad seen</li>')


def _arrows(*ways: str) -> str:
    return "".join(f'<i class="arrow {way}"></i>' for way in ways)
