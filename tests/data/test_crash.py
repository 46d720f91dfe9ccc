"""A sample of `make crash-test`: the recorder is killed at any moment, also while it saves."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crash_test import BAR, EPISODE, kill_once
from benchmarks.faults.recording import power_loss


@pytest.mark.parametrize("after", [0.4, EPISODE - 0.02, EPISODE + 0.03, 1.9])
def test_a_killed_recorder_loses_no_saved_episode_and_half_a_second_of_the_open_one(
    tmp_path: Path, after: float
) -> None:
    point = kill_once(tmp_path, after)
    assert point.damaged == 0
    assert point.halves == 0
    assert point.lost is None or point.lost <= BAR
    if after in (0.4, 1.9):
        assert point.lost is not None  # an episode was open, and was recovered
        assert point.saved == (after > EPISODE)


def test_whatever_the_disk_holds_after_a_loss_of_power_no_half_file_looks_whole() -> None:
    assert power_loss(1) == {"half files": 0.0, "saved and lost": 0.0}
