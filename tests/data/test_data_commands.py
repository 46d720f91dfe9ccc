"""`gmps data`: what a person does with recorded files, from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gmps_robot.cli.main import main
from gmps_robot.data import folder
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.keep import keep
from tests.data import made_episodes as made


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GMPS_DB_URL", raising=False)
    monkeypatch.setenv("GMPS_DATA", str(tmp_path))
    return tmp_path


def open_episode(data: Path, steps: int) -> Path:
    writer = made.begin(data, made.info())
    for k in range(steps):
        made.put(writer, made.period(k))
    if steps:
        writer.flush()
    writer.abandon()
    return writer.part


def test_what_a_killed_recorder_left_is_saved_and_catalogued_once(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = open_episode(data, 12)
    assert main(["data", "recover"]) == 0
    assert "recovered: " in capsys.readouterr().out
    assert not part.exists()
    with Catalog(data) as catalog:
        (row,) = catalog.episodes()
    assert (row.status, row.steps) == ("recovered", 12)
    assert main(["data", "recover"]) == 0
    assert "nothing to recover" in capsys.readouterr().out


def test_a_file_that_holds_nothing_is_told_and_left_for_prune(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = open_episode(data, 0)
    assert main(["data", "recover"]) == 1
    assert "no whole message" in capsys.readouterr().out
    assert main(["data", "prune"]) == 0
    assert "would be deleted" in capsys.readouterr().out
    assert part.exists()
    assert main(["data", "prune", "--yes"]) == 0
    assert not part.exists()


def test_prune_deletes_what_was_discarded_long_ago_and_nothing_else(data: Path) -> None:
    saved = made.write(data, made.info())
    outcome = made.EpisodeOutcome(0, 0, reason="x")
    recent, old = (made.begin(data, made.info()).discard(outcome, data).path for _ in "ab")
    os.utime(old, (0, 0))
    half = open_episode(data, 8)
    assert main(["data", "prune", "--yes"]) == 0
    assert [path.exists() for path in (saved.path, recent, old, half)] == [True, True, False, True]


def test_validate_names_the_damaged_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write(data, made.info())
    broken = made.write(data, made.info()).path
    broken.write_bytes(broken.read_bytes()[:-100])
    assert main(["data", "validate", "--json", str(data / "found.json")]) == 1
    assert f"damaged  {broken}" in capsys.readouterr().out
    found = json.loads((data / "found.json").read_text())
    assert sorted(entry["sound"] for entry in found) == [False, True]


def test_stats_count_episodes_and_what_is_odd(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Catalog(data) as catalog:
        for info, steps in (
            (made.info(), 20), (made.info(), 3),
            (made.info(source="policy", operator="", checkpoint="push-vision@0"), 20),
        ):  # fmt: skip
            keep(catalog, made.write(data, info, steps).path)
    assert main(["data", "stats", "--json", str(data / "stats.json")]) == 0
    assert "3 episodes" in capsys.readouterr().out
    demos, policy = json.loads((data / "stats.json").read_text())["groups"]
    assert (demos["episodes"], demos["accepted"], demos["flags"]) == (2, 2, {"low_motion": 1, "short": 1})
    assert (policy["source"], policy["accepted"]) == ("policy", 0)
    assert len(list(folder.saved(data))) == 3
