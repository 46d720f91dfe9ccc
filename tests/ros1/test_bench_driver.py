"""The benchmark of the arm's link measures something: `make bench` as a whole is seldom run."""

from __future__ import annotations

from benchmarks.bench_driver import run
from tests.ros1.ros1_world import needs_rospy


@needs_rospy
def test_commands_are_seen_to_come_back_and_the_driver_keeps_moving() -> None:
    report = run(1.0)
    assert report["link_commands"] > 50  # of 99
    assert 0.0 < report["link_ms"]["p50"] < report["link_ms"]["p100"]
    assert report["busy_ms"]["max"] > 0.0
