"""Saving an episode: a moment, however long it is, and the same in the catalogue as if all of it had been read back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gmps_robot.data import check, folder
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.info import EpisodeOutcome
from gmps_robot.data.keep import keep
from gmps_robot.data.stream import Stream
from gmps_robot.errors import EpisodeError
from tests.data import made_episodes as made


@pytest.mark.parametrize("ending", ["close", "discard"])
def test_what_the_writer_gathered_makes_the_same_row_as_the_file(tmp_path: Path, ending: str) -> None:
    writer, outcome = made.recording(tmp_path), EpisodeOutcome(made.START_NS, 3, accepted=ending == "close", reason="x")
    saved = writer.close(outcome) if ending == "close" else writer.discard(outcome, tmp_path)
    assert saved.summary == check.check(saved.path)
    with Catalog(tmp_path) as catalog:
        quick, thorough = keep(catalog, saved.path, saved), keep(catalog, saved.path)
    for name in ("sha256", "steps", "bytes", "status", "quality"):
        assert getattr(quick, name) == getattr(thorough, name)
    assert (quick.steps, quick.quality["skipped"]) == (16, 4)


def test_saving_reads_the_end_of_a_file_and_not_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(*_: object) -> None:
        raise AssertionError("all of the file is read")

    monkeypatch.setattr(Stream, "messages", everything)
    saved = made.recording(tmp_path).close(EpisodeOutcome(made.START_NS, 0))
    with Catalog(tmp_path) as catalog:
        assert keep(catalog, saved.path, saved).steps == 16


def shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 40)


def another_last_chunk(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.rindex(b"speed: halved")] ^= 1
    path.write_bytes(content)


def another_index(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 64  # where the index begins
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [shorter, another_last_chunk, another_index])
def test_a_file_that_did_not_reach_the_disk_as_written_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None]
) -> None:
    writer, sync = made.recording(tmp_path), os.fsync

    def broken(handle: int) -> None:
        sync(handle)
        harm(writer.part)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(EpisodeError, match="was not written as it should be"):
        writer.close(EpisodeOutcome(made.START_NS, 0))
    assert writer.part.exists()
    assert not list(folder.saved(tmp_path))
