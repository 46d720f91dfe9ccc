"""A sample of `make faults`: the same rows, once each, so that the table cannot rot unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.report import BEGIN, END, Result, write_table
from benchmarks.faults.rig import Rig
from benchmarks.faults.rows import ROWS, Row
from tests.ros1.ros1_world import ROSPY

# A machine that runs other tests besides is slower to see; whether it reacts, and how, is what counts here.
SLACK = 1.0  # [s]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with Rig() as made:
        yield made


@pytest.mark.realtime
@pytest.mark.parametrize("name", ["estop", "policy-hangs", "collision"])
def test_a_row_of_the_fault_table(rig: Rig, name: str) -> None:
    row = ROWS[name]
    assert row.run is not None
    figures = row.run(rig)
    row.mend(rig)
    assert set(figures) == set(row.bounds)
    late = {name: value for name, value in figures.items() if value > row.bounds[name] + SLACK}
    assert late == {}


def test_a_bound_that_is_missed_shows_in_result_and_table(tmp_path: Path) -> None:
    row = Row("a fault", "HOLD", {"seen": 0.1, "rest": 0.3}, None)
    good, bad, silent = Result("good", row), Result("bad", row), Result("silent", row)
    for result, figures in ((good, {"seen": 0.05, "rest": 0.3}), (bad, {"seen": 0.05, "rest": 0.31})):
        result.add(figures)
    silent.add("none of ['HOLD'], but MOVING")
    assert [good.kept, bad.kept, silent.kept, Result("never run", row).kept] == [True, False, False, False]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(page, [good, bad])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("**missed**") == 1
    assert "rest 300 / 300 (300)" in text
    (tmp_path / "bare.md").write_text("nothing")
    with pytest.raises(ValueError, match="has no lines"):
        write_table(tmp_path / "bare.md", [good])
