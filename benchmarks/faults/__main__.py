"""Put every fault of the table into the running stack, measure, and write the table into docs/safety.md.

    python -m benchmarks.faults [--repeats 10] [--only NAME ...] [--json FILE] [--no-docs]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.faults.report import Result, write_table
from benchmarks.faults.rig import Rig
from benchmarks.faults.rows import ROWS, Row
from benchmarks.faults.stop import Figures, MissedError, NotReadyError
from benchmarks.standstill import Standstill

ATTEMPTS = 3  # to get the arm up to speed
ANEW = 12  # how often one repetition is made anew because the machine stood still in it, at most
STEADY, PATIENCE = 2.0, 30.0  # how long the machine is to run before a repetition, and how long that is waited for [s]
DOCS = Path(__file__).parents[2] / "docs" / "safety.md"


def measure(rig: Rig, row: Row) -> Figures | str:
    """Return the figures of one repetition, or what went wrong.

    Raises:
        NotReadyError: nothing, for the arm was not yet in motion.
    """
    try:
        return row.run(rig) if row.run else "nothing to run"
    except NotReadyError:
        raise
    except MissedError as problem:
        return str(problem)


def measure_offline(row: Row, seed: int) -> Figures | str:
    """The same without a rig."""
    try:
        return row.offline(seed) if row.offline else "nothing to run"
    except MissedError as problem:
        return str(problem)


def mended(rig: Rig, row: Row) -> str:
    """Bring the rig back to where the next row may begin; return why that did not work."""
    try:
        row.mend(rig)
    except MissedError as problem:
        return str(problem)
    return ""


def attempt(row: Row, rig: Rig | None, seed: int, machine: Standstill) -> tuple[Figures | str, float, Rig | None]:
    """Carry out one repetition; a rig that is spoilt or did not do as it should is replaced.

    Returns figures or what went wrong, how long the machine stood still while they came about [s], and the next rig.
    """
    if row.run is None:
        return measure_offline(row, seed), 0.0, rig
    outcome: Figures | str = ""
    start = time.monotonic()
    for _ in range(ATTEMPTS):
        rig = rig or Rig(seed)
        try:
            outcome = measure(rig, row)
            break
        except NotReadyError as problem:
            outcome = str(problem)
            rig.close()
            rig = None
    if rig is None:
        return outcome, machine.longest(start), None
    stood = machine.longest(rig.began)
    if not isinstance(outcome, str) and not row.spoils:
        outcome = mended(rig, row) or outcome
    if row.spoils or isinstance(outcome, str):
        rig.close()
        rig = None
    return outcome, stood, rig


def run_row(name: str, row: Row, repeats: int, rig: Rig | None, machine: Standstill) -> tuple[Result, Rig | None]:
    """Repeat one row. Whatever came of it, a repetition in which the machine stood still is made anew."""
    result = Result(name, row)
    for seed in range(repeats):
        for tries in range(ANEW + 1):
            if row.timed:
                machine.wait_until_steady(STEADY, PATIENCE)
            outcome, stood, rig = attempt(row, rig, seed, machine)
            if not (row.timed and stood) or tries == ANEW:
                break
            result.made_anew.append(stood)
        result.add(outcome)
    return result, rig


def main() -> int:
    """Return 0 when every bound is kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=10, help="of each row (default: 10)")
    parser.add_argument("--only", nargs="+", choices=sorted(ROWS), help="these rows alone")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/safety.md as it is")
    options = parser.parse_args()
    results, rig, start = [], None, time.monotonic()
    with Standstill() as machine:
        for name in options.only or ROWS:
            result, rig = run_row(name, ROWS[name], options.repeats, rig, machine)
            results.append(result)
            print(result.line(), flush=True)
        if rig is not None:
            rig.close()
    if options.json:
        options.json.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    if not options.no_docs and not options.only:
        write_table(DOCS, results)
    broken = [result.name for result in results if not result.kept]
    print(f"{len(results) - len(broken)} of {len(results)} rows within their bounds, {time.monotonic() - start:.0f} s")
    if broken:
        print(f"error: bounds missed: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
