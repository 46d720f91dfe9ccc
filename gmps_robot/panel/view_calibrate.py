"""The state of a capture in, what the view Calibrate shows out: words, bars and which buttons are valid."""

from __future__ import annotations

from typing import Any

from gmps_robot.panel.bridge_calibrate import CaptureView

EDGES = ("left", "right", "top", "bottom")
HEADLINES = {"idle": "Ready to take views", "capturing": "Taking views", "done": "Enough views"}
ABSENT = {
    "phase": "absent", "headline": "No calibrator runs", "hint": "Start the stack with session:=calibrate.",
    "message": "", "columns": 1, "cells": [], "rows": [], "allowed": [],
}  # fmt: skip


def to_json(capture: CaptureView | None) -> dict[str, Any]:
    """Return the part `calibration` of the status: plain JSON types."""
    if capture is None:
        return ABSENT
    done = capture.phase == "done"
    return {
        "phase": capture.phase,
        "headline": HEADLINES[capture.phase],
        "hint": f"Next: gmps calibrate solve {capture.directory}" if done else _sentence(capture.hint),
        "message": _sentence(capture.message),
        "columns": capture.columns,
        "cells": list(capture.cells),
        "rows": [
            {"share": share, "words": words} for share, words in zip(capture.shares, _words(capture), strict=True)
        ],
        "allowed": ["stop" if capture.phase == "capturing" else "start", "take"],
    }


def _words(capture: CaptureView) -> tuple[str, str, str, str, str]:
    full, (near, far) = sum(cell >= 1.0 for cell in capture.cells), capture.distances
    missing = [edge for edge, count in zip(EDGES, capture.tilts, strict=True) if count == 0]
    return (
        f"{full} of {len(capture.cells)} parts",
        f"missing: {', '.join(missing)}" if missing else "all four edges nearer once",
        f"{near:.2f} to {far:.2f} m" if far else "not seen yet",
        "about two axes" if capture.shares[3] == 1.0 else "turn about another axis too",
        f"{capture.views} of {capture.wanted}",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
