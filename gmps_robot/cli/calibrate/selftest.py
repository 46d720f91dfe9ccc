"""gmps calibrate selftest: the whole loop against known truth, as a table with bars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SelfTest:
    """Calibrate rigs that never were, with known truth, and compare. The exit code is the number of missed bars.

    Example:
        gmps calibrate selftest --full --json selftest.json

    The short form draws its boards by exact projection and needs no OpenGL.
    """

    full: bool = False
    """Render the boards in MuJoCo, and draw all 25 to 100 noisy arms: some minutes."""
    json: Path | None = None
    """Write the table here."""


def run(options: SelfTest) -> int:
    """Carry out the command; returns the number of missed bars."""
    import time
    from dataclasses import asdict

    from calibration.opencv import check_opencv
    from calibration.rows import Row
    from calibration.selftest import PARTS
    from gmps_robot.cli.calibrate import rig_rows
    from gmps_robot.cli.calibrate.writing import write_figures

    check_opencv()
    rows: list[Row] = []
    for part in (*PARTS, *rig_rows.PARTS):
        began = time.perf_counter()
        measured = part.measure(options.full)
        print(f"{part.name} ({time.perf_counter() - began:.0f} s)", flush=True)
        for row in measured:
            verdict, bar = "ok  " if row.passed else "MISS", f"{'>=' if row.at_least else '<='} {row.bar:g}"
            print(f"  {verdict}  {row.what}: {row.value:.4g} {row.unit} (bar {bar})")
        rows += measured
    missed = sum(not row.passed for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} bars kept")
    table = [{**asdict(row), "passed": row.passed} for row in rows]
    write_figures({"full": options.full, "rows": table}, options.json)
    return min(missed, 100)
