"""A file that was torn anywhere gives back what was whole in it, and is never taken for a whole one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gmps_robot.data import folder
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.recover import UNFINISHED, recover
from gmps_robot.errors import EpisodeError
from tests.data import made_episodes as made


def left_open(data: Path, steps: int = 30) -> Path:
    """What a killed recorder leaves: flushed each four periods, the last chunk never."""
    info = made.info()
    writer = made.begin(data, info)
    for k in range(steps):
        made.put(writer, made.period(k))
        if k % 4 == 3:
            writer.flush()
    writer.abandon()
    return folder.part_path(data, info.family, info.episode)


def test_a_torn_file_gives_back_what_was_flushed(tmp_path: Path) -> None:
    part = left_open(tmp_path, 30)
    with pytest.raises(EpisodeError, match="not ended"):
        check(part)
    made_whole = recover(part)
    assert made_whole.status == "recovered"
    assert not part.exists()
    episode = read_episode(folder.find(tmp_path, made_whole.summary.info.episode))
    assert len(episode) == 28
    assert episode.outcome is None


def test_wherever_it_is_cut_the_file_is_never_taken_for_whole(tmp_path: Path) -> None:
    whole = left_open(tmp_path).read_bytes()
    found = []
    for cut in sorted(np.random.default_rng(0).integers(0, len(whole), 25)):
        place = tmp_path / f"cut-{cut}"
        part = folder.part_path(place, "push", "00ff")
        part.parent.mkdir(parents=True)
        part.write_bytes(whole[:cut])
        assert not list(folder.saved(place))
        found.append(periods_of(part))
    assert found == sorted(found)  # a longer piece never holds less
    assert found[-1] >= 24


def test_a_damaged_chunk_ends_what_is_taken(tmp_path: Path) -> None:
    part = left_open(tmp_path)
    whole = bytearray(part.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    part.write_bytes(whole)
    made_whole = recover(part)
    assert 4 <= made_whole.summary.messages["arm/applied"] < 20
    assert made_whole.torn


def test_an_episode_killed_between_its_end_and_its_name_is_complete(tmp_path: Path) -> None:
    saved = made.write(tmp_path, made.info())
    part = folder.part_path(tmp_path, "push", saved.info.episode)
    saved.path.rename(part)
    again = recover(part)
    assert again.status == "complete"
    assert again.summary.sha256 == saved.sha256
    assert again.torn == ""


def test_a_recovery_that_was_killed_is_done_again(tmp_path: Path) -> None:
    part = left_open(tmp_path)
    half = part.with_name(part.name.removesuffix(folder.PART) + UNFINISHED)
    half.write_bytes(b"half a recovery")
    assert recover(part).summary.messages["arm/applied"] == 28
    assert not half.exists()
    assert len(list(folder.saved(tmp_path))) == 1


def test_a_recovery_killed_before_the_old_file_went_is_ended(tmp_path: Path) -> None:
    part = left_open(tmp_path)
    kept = part.read_bytes()
    first = recover(part)
    part.write_bytes(kept)
    assert recover(part).summary.sha256 == first.summary.sha256
    assert not part.exists()


def test_what_is_being_recorded_is_left_alone(tmp_path: Path) -> None:
    writer = made.begin(tmp_path, made.info())
    made.put(writer, made.period(0))
    with pytest.raises(EpisodeError, match="is being recorded now"):
        recover(writer.part)
    assert writer.close(made.EpisodeOutcome(0, 0)).path.exists()


def periods_of(part: Path) -> int:
    """How many periods are recovered; where none are, the file stays as it is."""
    try:
        return recover(part).summary.messages.get("arm/applied", 0)
    except EpisodeError:
        return 0 if part.exists() else -1
