"""An episode is read as it was written, by us and by the tools that others read bags with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from rosbags.highlevel import AnyReader

from gmps_robot.data import definitions as names
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.writer import CHUNK
from gmps_robot.errors import EpisodeError
from tests.data import made_episodes as made


def test_an_episode_is_read_back_as_it_was_recorded(tmp_path: Path) -> None:
    info = made.info()
    saved = made.write(tmp_path, info, steps=20)
    episode = read_episode(saved.path)
    assert episode.info == info
    assert episode.outcome == saved.outcome
    assert len(episode) == 20
    np.testing.assert_array_equal(episode.stamps_ns, made.START_NS + made.PERIOD_NS * np.arange(20))
    np.testing.assert_allclose(episode.tips[:, 0], 0.5 + 0.005 * np.arange(20))
    np.testing.assert_allclose(episode.joints[:, 6], 0.1 * np.arange(20))
    np.testing.assert_allclose(episode.commanded, np.tile([0.5, 0.0, 0.0, -0.5], (20, 1)))
    np.testing.assert_allclose(episode.applied, np.tile([0.25, 0.0, 0.0, -0.5], (20, 1)))
    assert episode.scene is not None
    assert episode.after is not None
    np.testing.assert_allclose(episode.scene.time, 0.05 * np.arange(20))
    np.testing.assert_allclose(episode.after.time, 0.05 * np.arange(1, 21))
    assert set(episode.guard) == {"MOVING"}
    assert episode.reasons[3] == ("speed: halved",)
    for k, jpeg in enumerate(episode.jpegs):
        seen = simplejpeg.decode_jpeg(jpeg, colorspace="RGB").astype(int)
        assert np.abs(seen - made.picture(k)).mean() < 3.0


def test_of_a_policys_episode_only_periods_with_their_picture_count(tmp_path: Path) -> None:
    info = made.info(source="policy", checkpoint="push-vision@0", operator="")
    writer = made.begin(tmp_path, info)
    for k in range(10):
        messages = [m for m in made.period(k, "policy") if not (k == 4 and m[0] == names.IMAGE)]
        made.put(writer, messages)
    episode = read_episode(writer.close(made.EpisodeOutcome(0, 1, success=True, reward=1.0)).path)
    assert len(episode) == 9
    assert made.START_NS + 4 * made.PERIOD_NS not in episode.stamps_ns
    assert episode.outcome is not None
    assert episode.outcome.success


def test_a_demonstration_is_from_the_first_motion_to_half_a_second_after_the_last(tmp_path: Path) -> None:
    writer = made.begin(tmp_path, info := made.info())
    for k in range(40):
        made.put(writer, made.period(k, velocity=(0.1, 0.0, 0.0) if k in (3, 4, 8) else (0.0, 0.0, 0.0)))
    episode = read_episode(writer.close(made.EpisodeOutcome(0, 0)).path)
    assert episode.info == info
    np.testing.assert_array_equal(episode.stamps_ns, made.START_NS + made.PERIOD_NS * np.arange(3, 19))
    np.testing.assert_allclose(episode.commanded[:, 0], [0.5, 0.5, 0.0, 0.0, 0.0, 0.5] + 10 * [0.0])
    assert episode.skipped == 3


def test_a_bag_reader_opens_the_file_with_the_definitions_in_it(tmp_path: Path) -> None:
    path = made.write(tmp_path, made.info(), steps=5).path
    with AnyReader([path]) as reader:
        kinds = {connection.topic: connection.msgtype for connection in reader.connections}
        heard = [(c.topic, reader.deserialize(raw, c.msgtype)) for c, _, raw in reader.messages()]
    assert kinds["/arm/applied"] == "gmps_msgs/msg/AppliedCommand"
    applied = [message for topic, message in heard if topic == "/arm/applied"]
    assert [m.seq for m in applied] == [1, 2, 3, 4, 5]
    assert applied[0].velocity.x == pytest.approx(0.05)


def test_chunks_stay_small_and_every_message_is_counted(tmp_path: Path) -> None:
    writer = made.begin(tmp_path, made.info())
    pixels = np.random.default_rng(0).integers(0, 255, 90_000, dtype=np.uint8)
    big = made.cdr(names.VIEW, header=made.header(made.START_NS), format="jpeg", data=pixels)
    for k in range(20):
        writer.write(names.VIEW, big, made.START_NS + k, made.START_NS + k, k)
    summary = check(writer.close(made.EpisodeOutcome(0, 0)).path)
    assert summary.messages == {names.VIEW: 20}
    assert 0 < summary.largest_chunk <= CHUNK
    assert summary.chunks == 10


def test_a_file_that_was_changed_is_refused_by_name(tmp_path: Path) -> None:
    path = made.write(tmp_path, made.info()).path
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    for read in (check, read_episode):
        with pytest.raises(EpisodeError, match=str(path)):
            read(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EpisodeError, match="not ended"):
        check(path)
    path.write_bytes(b"not an episode at all")
    with pytest.raises(EpisodeError, match="damaged"):
        check(path)
    with pytest.raises(EpisodeError, match="no such episode file"):
        check(tmp_path / "nothing.mcap")


def test_an_episode_is_never_written_over(tmp_path: Path) -> None:
    info = made.info()
    made.begin(tmp_path, info)
    with pytest.raises(EpisodeError, match="never written over"):
        made.begin(tmp_path, info)
