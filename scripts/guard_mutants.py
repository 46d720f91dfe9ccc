"""Loosen each limit of the guard in turn and show which test notices it. Exit code 1 when one goes unnoticed.

    python scripts/guard_mutants.py [MUTANT ...]

The tests believe in the envelope as it is; the guard under test is given the loosened one.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TESTS = tuple(f"tests/unit/test_guard{part}.py" for part in ("_limits", "_torque", "_way_back", ""))
# Limits that are constants of the code: module, name, factor.
CONSTANTS = {
    "speed of a runaway": ("gmps_robot.control.guard_watch", "OVERSPEED", 1.2),
    "length of a late period": ("gmps_robot.control.guard_clock", "OVERRUN", 1.2),
    "window of late periods": ("gmps_robot.control.guard_clock", "OVERRUN_WINDOW", 0.3),
    "an early call": ("gmps_robot.control.guard_clock", "EARLY", 4.0),
    "start where the arm is": ("gmps_robot.control.guard_state", "RESYNC_DISTANCE", 10.0),
    "start with the joints as they are": ("gmps_robot.control.guard_state", "RESYNC_JOINT", 10.0),
    "a joint that is held": ("gmps_robot.control.guard_watch", "JOINT_BEHIND", 4.0),
    "touched, not driven": ("gmps_robot.control.guard_watch", "DRIVEN", 100.0),
    "how far a way back looks": ("gmps_robot.control.guard_force", "AHEAD", 0.2),
    "a way back that is stuck": ("gmps_robot.control.guard", "STUCK", 40.0),
    "absurd speeds": ("gmps_robot.control.guard_checks", "ABSURD_SPEED", 1e305),
}


class FirstFailure:
    """Notes the first test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest for each phase of each test."""
        if report.failed and not self.name:
            self.name = report.nodeid.rpartition("::")[2]


def main(chosen: Sequence[str]) -> int:
    """Run the guard's tests once per mutant; return the exit code."""
    sys.path.insert(0, str(ROOT))
    world = importlib.import_module("tests.unit.guard_world")
    names = importlib.import_module("tests.unit.guard_mutations").MUTANTS
    if noticed_by("as it is"):
        print("the tests fail without a mutation: mend that first")
        return 1
    survivors = []
    for mutant in chosen or [*names, *CONSTANTS]:
        with mutated(world, mutant):
            noticed = noticed_by(mutant)
        print(f"{mutant:28} {noticed or 'NOT NOTICED'}", flush=True)
        survivors += [] if noticed else [mutant]
    print(f"{len(survivors)} went unnoticed: {', '.join(survivors)}" if survivors else "every one is noticed")
    return 1 if survivors else 0


@contextlib.contextmanager
def mutated(world: Any, mutant: str) -> Iterator[None]:
    """The guard with one limit loosened, and as it was afterwards."""
    module, name, factor = CONSTANTS.get(mutant, ("", "", 1.0))
    before: float = getattr(importlib.import_module(module), name) if module else 0.0
    if module:
        setattr(importlib.import_module(module), name, before * factor)
    else:
        world.MUTANT = mutant
    try:
        yield
    finally:
        world.MUTANT = ""
        if module:
            setattr(importlib.import_module(module), name, before)


def noticed_by(mutant: str) -> str:
    """Name of the first test that fails; empty when all pass."""
    first = FirstFailure()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *TESTS], plugins=[first])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"{mutant}: the tests could not run\n{output.getvalue()}")
    return first.name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
