"""The cache that training reads: what was recorded, decoded once, never stale, never trusted when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from gmps_robot.data.cache import Cache, Frames
from gmps_robot.data.episode import read_episode
from gmps_robot.errors import EpisodeError
from tests.data import made_episodes as made

STEPS = 8


@pytest.fixture
def saved(tmp_path: Path) -> made.Saved:
    return made.write(tmp_path, made.info(), STEPS)


def test_an_entry_holds_what_the_file_holds(tmp_path: Path, saved: made.Saved) -> None:
    episode, derived = read_episode(saved.path), Cache(tmp_path).get(saved.path, saved.sha256)
    assert len(derived) == len(episode) == STEPS
    for name in ("tips", "joints", "commanded", "applied"):
        assert np.allclose(getattr(derived, name), getattr(episode, name), atol=1e-6), name
    assert np.array_equal(derived.stamps_ns, episode.stamps_ns)
    assert episode.scene is not None
    assert np.allclose(derived.objects, episode.scene.object_pose)
    for k, jpeg in enumerate(episode.jpegs):
        assert np.array_equal(derived.frames[k], simplejpeg.decode_jpeg(jpeg, colorspace="RGB"))


def test_a_second_reading_needs_no_episode_file(tmp_path: Path, saved: made.Saved) -> None:
    first = Cache(tmp_path).get(saved.path, saved.sha256)
    saved.path.unlink()
    assert np.array_equal(Cache(tmp_path).get(saved.path, saved.sha256).frames, first.frames)
    with pytest.raises(EpisodeError, match="no such episode file"):
        Cache(tmp_path).get(saved.path, "another content")


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("damage", [b"", b"half a file"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, saved: made.Saved, ending: str, damage: bytes) -> None:
    cache = Cache(tmp_path)
    good = np.array(cache.get(saved.path, saved.sha256).frames)
    (cache.folder / f"{saved.sha256}.{ending}").write_bytes(damage)
    again = cache.get(saved.path, saved.sha256)
    assert np.array_equal(again.frames, good)
    assert len(again) == STEPS


def test_frames_of_another_size_are_an_entry_of_their_own(tmp_path: Path, saved: made.Saved) -> None:
    small = Cache(tmp_path).get(saved.path, saved.sha256)
    large = Cache(tmp_path, (84, 84)).get(saved.path, saved.sha256)
    assert (small.frames.shape, large.frames.shape) == ((STEPS, 48, 64, 3), (STEPS, 84, 84, 3))
    assert abs(float(small.frames.mean()) - float(large.frames.mean())) < 2.0


def test_a_batch_takes_frames_across_episodes(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    episodes = [cache.get(one.path, one.sha256) for one in (made.write(tmp_path, made.info(), n) for n in (3, 5, 4))]
    frames = Frames(episodes)
    together = np.concatenate([episode.frames for episode in episodes])
    rows = np.array([11, 0, 2, 3, 7, 8, 3])
    assert len(frames) == 12
    assert np.array_equal(frames.batch(rows), together[rows])
