"""The short self-test: boards drawn by exact projection, known truth, the bars of docs/calibration.md."""

from __future__ import annotations

import pytest

from calibration import selftest
from calibration.rows import Row


def missed(rows: list[Row]) -> list[str]:
    return [f"{row.what}: {row.value:.4g} {row.unit}, bar {row.bar:g}" for row in rows if not row.passed]


def test_a_painted_board_gives_back_corners_camera_and_pose() -> None:
    assert missed(selftest.pictures(False)) == []


def test_a_lens_that_bends_lines_is_found() -> None:
    assert missed(selftest.strong_distortion(False)) == []


def test_an_arm_that_is_a_little_off_is_seen_through_and_the_interval_is_honest() -> None:
    assert missed(selftest.noisy_arm(False)) == []


@pytest.mark.parametrize(("value", "kept"), [(1.0, True), (1.1, False), (float("nan"), False)])
def test_a_row_keeps_its_bar_or_not(value: float, kept: bool) -> None:
    assert Row("what", value, 1.0, "mm").passed is kept
    assert Row("what", -value, -1.0, "mm", at_least=True).passed is kept
