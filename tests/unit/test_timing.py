"""Loops keep their rate, and say so when they do not."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gmps_robot.control.timing import CycleTimer, Pacer, require_fresh
from gmps_robot.errors import ConfigError, ObservationError
from tests.unit.session_world import Clock


def test_a_paced_loop_beats_at_its_rate_however_long_its_work_takes() -> None:
    clock, rng = Clock(), np.random.default_rng(0)
    pacer = Pacer(0.05, clock, clock.sleep)
    beats = []
    for _ in range(100):
        pacer.wait()
        beats.append(clock.now)
        clock.sleep(rng.uniform(0.0, 0.045))
    assert np.diff(beats) == pytest.approx(np.full(99, 0.05))
    assert pacer.missed == 0


def test_after_a_long_delay_the_loop_goes_on_without_rushing() -> None:
    clock = Clock()
    pacer = Pacer(0.05, clock, clock.sleep)
    pacer.wait()
    clock.sleep(1.0)
    assert pacer.wait() == pytest.approx(0.95)
    assert pacer.missed == 1
    start = clock.now
    pacer.wait()
    assert clock.now - start == pytest.approx(0.05)


def test_a_short_delay_is_caught_up() -> None:
    clock = Clock()
    pacer = Pacer(0.05, clock, clock.sleep)
    pacer.wait()
    start = clock.now
    clock.sleep(0.07)
    pacer.wait()
    pacer.wait()
    assert clock.now - start == pytest.approx(0.10)


def test_the_report_counts_misses_and_times_each_section() -> None:
    clock = Clock()
    timer = CycleTimer(0.05, clock)
    for k in range(100):
        with timer.cycle():
            with timer.section("policy"):
                clock.sleep(0.010)
            with timer.section("arm"):
                clock.sleep(0.002 if k != 50 else 0.1)
        clock.sleep(0.038 if k != 50 else 0.0)
    report = timer.report()
    assert (report.cycles, report.missed) == (100, 1)
    assert report.sections["policy"] == pytest.approx((0.010, 0.010))
    assert report.busy_p50 == pytest.approx(0.012)
    assert report.busy_max == pytest.approx(0.110)
    assert report.period_p50 == pytest.approx(0.05)
    assert "1 missed" in str(report)


def test_a_planned_pause_is_no_missed_deadline() -> None:
    clock = Clock()
    timer = CycleTimer(0.05, clock)
    with timer.cycle():
        pass
    clock.sleep(60.0)
    timer.restart()
    with timer.cycle():
        pass
    assert timer.report().missed == 0


def test_a_cycle_that_fails_is_still_timed() -> None:
    clock = Clock()
    timer = CycleTimer(0.05, clock)

    def fail() -> None:
        with timer.cycle():
            clock.sleep(0.02)
            raise ObservationError("no image")

    with pytest.raises(ObservationError, match="no image"):
        fail()
    assert timer.report().busy_max == pytest.approx(0.02)


@pytest.mark.parametrize("age", [0.21, 30.0, -0.21])
def test_old_and_future_input_is_refused_by_name(age: float) -> None:
    with pytest.raises(ObservationError, match=r"camera image is .* the limit is 0\.200 s"):
        require_fresh("camera image", round((100.0 - age) * 1e9), 100.0, 0.2)


@pytest.mark.parametrize(("age", "fresh"), [(0.0, True), (0.19, True), (0.21, False), (-0.1, True), (-0.21, False)])
def test_input_is_fresh_up_to_its_limit_and_not_beyond(age: float, fresh: bool) -> None:
    def passes() -> bool:
        try:
            require_fresh("arm state", round((100.0 - age) * 1e9), 100.0, 0.2)
        except ObservationError:
            return False
        return True

    assert passes() == fresh


def test_a_period_must_be_positive() -> None:
    for make in (lambda: CycleTimer(0.0, Clock()), lambda: Pacer(-1.0, Clock(), lambda s: None)):
        with pytest.raises(ConfigError, match="must be positive"):
            make()


LOCKED = """
import os, resource, sys
from gmps_robot.control.timing import stay_in_memory
if sys.argv[1] == "refused":
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    if os.geteuid() == 0:
        os.setuid(65534)
told = stay_in_memory()
later = bytearray(b"x" * 50_000_000)
status = open("/proc/self/status", encoding="utf-8")
print(told, next(line.split()[1] for line in status if line.startswith("VmLck")))
"""


def _locked(grant: str) -> tuple[bool, int]:
    ran = subprocess.run([sys.executable, "-c", LOCKED, grant], capture_output=True, text=True, check=True)
    told, kilobytes = ran.stdout.split()
    return told == "True", int(kilobytes)


def test_a_process_that_stays_in_memory_says_whether_the_system_lets_it() -> None:
    assert _locked("refused") == (False, 0)
    told, kilobytes = _locked("granted")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    capabilities = status.split("CapEff:")[1].split()[0]  # root may lack one
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    assert told == (bool(int(capabilities, 16) >> 14 & 1) or limit == resource.RLIM_INFINITY)
    assert not told or kilobytes > 50_000, "what comes later stays too"
