"""The view in which a person shows a board to the camera: what to show next, and what the views cover so far."""

from __future__ import annotations

from gmps_robot.panel.elements import act, box, card, text, view

ROWS = ("Picture", "Tilt", "Distance", "Rotation", "Views")  # of what views must show, in the order of their shares


def build() -> None:
    """Lay out the right side of the view; the grid over the picture is drawn by the script."""
    with view("calibrate", "Calibrate"):
        with card("capture", "Capture"):
            with box("div", "capture-words", 'aria-live="polite"'):
                text("h1", "capture-headline", "Calibrate", classes="headline")
                text("p", "capture-hint", "")
            text("p", "capture-message", "", 'role="status"')
            with box("div", "capture-acts"):
                act("capture-start", "Start", "N", "primary")
                act("capture-stop", "Stop taking", "N")
                act("capture-take", "Take now", "C")
        with card("coverage", "Coverage"):
            text("h2", "coverage-title", "What the views show <small>bar: share of what is wanted</small>")
            with box("div", "coverage-rows"):
                for word in ROWS:
                    text("div", f"coverage-{word.lower()}", (
                        f'<span class="side-name">{word}</span><span class="track"><i class="fill"></i></span>'
                        '<span class="side-text"></span>'
                    ), classes="coverage-row")
