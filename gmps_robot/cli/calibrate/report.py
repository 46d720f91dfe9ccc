"""gmps calibrate report: one HTML file that shows whether a calibration is good, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Report:
    """Solve a capture anew and show it: residuals, coverage, twin over frame, methods, verdict; in one HTML file.

    Example:
        gmps calibrate report captures/monday
    """

    capture: Annotated[Path, tyro.conf.Positional]
    """Directory of the capture."""
    out: Path | None = None
    """Where to write; report.html beside the images by default."""


def run(options: Report) -> int:
    """Carry out the command; returns the exit code: 1 where a threshold is missed."""
    from calibration.capture import load_capture
    from calibration.report import write_report
    from calibration.solution import FILE, load_solution
    from calibration.solve import solve_capture

    capture = load_capture(options.capture)
    if (options.capture / FILE).is_file():
        capture = replace(capture, board=load_solution(options.capture).board)  # with the square that was measured
    solution, solved = solve_capture(options.capture, capture)
    out = options.out or options.capture / "report.html"
    write_report(out, options.capture, capture, solution, solved)
    print(f"written: {out}; {'passed' if solution.passed else 'FAILED: a threshold is missed'}")
    return 0 if solution.passed else 1
