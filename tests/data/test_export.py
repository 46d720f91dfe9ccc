"""Exports, read back with the libraries their readers use: every frame to the bit, every action, every reward."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from gmps_robot.cli.main import main
from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.export import chosen, lerobot, robomimic, statistics
from gmps_robot.data.export.chosen import Exported
from gmps_robot.data.keep import keep
from gmps_robot.errors import CatalogError, ConfigError
from tests.data import made_episodes as made
from tests.data.episodes import TASKS, add_episode

LENGTHS = (6, 9, 4)
DEMOS = EpisodeFilter(source="demo")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog(tmp_path_factory.mktemp("data")) as opened:
        for k, steps in enumerate(LENGTHS):
            saved = made.write(opened.data, made.info(task=TASKS[k].to_json(), started_ns=k), steps)
            keep(opened, saved.path)
            opened.label(saved.info.episode, "success", k != 1, "ada")
        yield opened


@pytest.fixture(scope="module")
def episodes(catalog: Catalog) -> list[Exported]:
    return list(chosen.read(catalog, chosen.select(catalog, DEMOS)))


def test_robomimic_reads_back_what_was_taught(episodes: list[Exported], tmp_path: Path) -> None:
    assert robomimic.write(tmp_path / "push.hdf5", episodes, "push") == 3
    with h5py.File(tmp_path / "push.hdf5") as file:
        assert file["data"].attrs["total"] == sum(LENGTHS)
        assert json.loads(file["data"].attrs["env_args"])["type"] == 2
        for k, episode in enumerate(episodes):
            group, derived = file[f"data/demo_{k}"], episode.derived
            assert (group.attrs["num_samples"], group.attrs["episode"]) == (LENGTHS[k], episode.row.id)
            assert np.array_equal(group["actions"][:], derived.commanded)
            assert np.array_equal(group["applied_actions"][:], derived.applied)
            assert np.array_equal(group["obs/agentview_image"][:], derived.frames)
            assert np.array_equal(group["next_obs/agentview_image"][:-1], derived.frames[1:])
            assert np.array_equal(group["obs/robot0_eef_pos"][:], derived.tips)
            assert group["rewards"][:].tolist() == [0.0] * (LENGTHS[k] - 1) + [float(k != 1)]
            assert group["dones"][:].tolist() == [0] * (LENGTHS[k] - 1) + [1]
        assert [name.decode() for name in file["mask/success"]] == ["demo_0", "demo_2"]
        assert len(file["mask/train"]) == 3


def test_lerobot_reads_back_what_was_taught(episodes: list[Exported], tmp_path: Path) -> None:
    folder = tmp_path / "push"
    assert lerobot.write(folder, episodes, 20.0) == 3
    info = json.loads((folder / "meta/info.json").read_text())
    rows = pq.read_table(folder / info["data_path"].format(chunk_index=0, file_index=0)).to_pydict()
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 20, sum(LENGTHS))
    assert set(rows) | {lerobot.CAMERA} == set(info["features"])
    derived = [episode.derived for episode in episodes]
    assert np.array_equal(np.array(rows["action"], np.float32), np.concatenate([d.commanded for d in derived]))
    assert np.array_equal(np.array(rows["action.applied"], np.float32), np.concatenate([d.applied for d in derived]))
    assert rows["time.stamp_ns"] == np.concatenate([d.stamps_ns for d in derived]).tolist()
    assert rows["index"] == list(range(sum(LENGTHS)))
    assert rows["episode_index"] == [k for k, steps in enumerate(LENGTHS) for _ in range(steps)]
    assert np.allclose(rows["timestamp"], np.concatenate([np.arange(steps) / 20 for steps in LENGTHS]))
    ends = np.cumsum(LENGTHS) - 1
    assert np.flatnonzero(rows["next.done"]).tolist() == ends.tolist()
    assert np.flatnonzero(rows["next.success"]).tolist() == [ends[0], ends[2]]
    names = info["features"]["observation.state"]["names"]
    assert info["features"]["observation.state"]["shape"] == [len(names)] == [17]


def test_the_film_is_without_loss_and_its_episodes_lie_where_the_table_says(
    episodes: list[Exported], tmp_path: Path
) -> None:
    folder = tmp_path / "push"
    lerobot.write(folder, episodes, 20.0)
    info = json.loads((folder / "meta/info.json").read_text())
    path = folder / info["video_path"].format(video_key=lerobot.CAMERA, chunk_index=0, file_index=0)
    with av.open(str(path)) as film:
        frames = {round(float(f.pts * f.time_base), 6): f.to_ndarray(format="rgb24") for f in film.decode(video=0)}
    assert len(frames) == sum(LENGTHS)
    for row, episode in zip(pq.read_table(folder / "meta/episodes").to_pylist(), episodes, strict=True):
        begin = row[f"videos/{lerobot.CAMERA}/from_timestamp"]
        for k, frame in enumerate(episode.derived.frames):
            assert np.array_equal(frames[round(begin + k / 20, 6)], frame)
        assert row["length"] == row["dataset_to_index"] - row["dataset_from_index"] == len(episode.derived)
        assert row["tasks"] == [episode.sentence]


def test_the_statistics_are_those_of_the_frames(episodes: list[Exported]) -> None:
    frames = np.concatenate([episode.derived.frames for episode in episodes])
    said = statistics.of_pixels([statistics.histogram(e.derived.frames) for e in episodes], len(frames))
    plain = frames.reshape(-1, 3) / 255.0
    for name, value in (("min", plain.min(0)), ("max", plain.max(0)), ("mean", plain.mean(0)), ("std", plain.std(0))):
        assert np.allclose(np.array(said[name])[:, 0, 0], value), name
    assert np.allclose(np.array(said["q50"])[:, 0, 0], np.quantile(plain, 0.5, axis=0, method="inverted_cdf"))


def test_rewards_come_from_the_labels_that_stand(catalog: Catalog) -> None:
    episode = add_episode(catalog, TASKS[9], source="policy", steps=6)
    catalog.label(episode, "success", 1, "ada")
    catalog.label(episode, "reward", 0.5, "ada", step_from=1, step_to=3)
    catalog.label(episode, "reward", 2.0, "ada")
    catalog.label(episode, "reward", 3.0, "bob")  # instead of the 2
    rewards, success = chosen.judged(catalog.standing([episode])[episode], 6)
    assert rewards.tolist() == [0.0, 0.5, 0.5, 0.0, 0.0, 3.0]
    assert success


def test_frames_of_another_size(catalog: Catalog, tmp_path: Path) -> None:
    lerobot.write(tmp_path / "x", chosen.read(catalog, chosen.select(catalog, DEMOS), (84, 84)), 20.0)
    info = json.loads((tmp_path / "x/meta/info.json").read_text())
    assert info["features"][lerobot.CAMERA]["shape"] == [84, 84, 3]


def test_an_export_is_never_written_over_and_a_half_one_has_no_name(
    episodes: list[Exported], tmp_path: Path
) -> None:
    def breaks() -> Iterator[Exported]:
        yield episodes[0]
        raise CatalogError("the disk is gone")

    one, other = tmp_path / "one", tmp_path / "other"
    for place, write in (
        (one, lambda taught: robomimic.write(one, taught, "push")),
        (other, lambda taught: lerobot.write(other, taught, 20.0)),
    ):
        with pytest.raises(CatalogError, match="the disk is gone"):
            write(breaks())
        assert not place.exists()
        assert write(episodes) == 3  # what was left of the first attempt is in nobody's way
        with pytest.raises(ConfigError, match="is there already"):
            write(episodes)


def test_the_command_exports_and_explains(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(catalog.data)]
    assert main(["data", "export", str(tmp_path / "a.hdf5"), "--format", "robomimic", *data]) == 0
    assert main(["data", "export", str(tmp_path / "a"), "--format", "lerobot", *data]) == 0
    assert "3 episodes for lerobot" in capsys.readouterr().out
    assert main(["data", "export", str(tmp_path / "b"), "--format", "lerobot", "--operator", "eve", *data]) == 2
    assert "no episode of" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["data", "export", str(tmp_path / "c"), "--format", "rlds"])
    assert "robomimic" in capsys.readouterr().err
