"""The recorder: what it heard is in the file, and what goes wrong with the disk costs the recording alone."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gmps_robot.data import definitions as names
from gmps_robot.data import folder
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.keep import keep
from gmps_robot.data.quality import quality
from gmps_robot.data.recorder import ROOM_TO_GO_ON, ROOM_TO_START, Message, Recorder, Rig, Take
from gmps_robot.data.recover import recover
from gmps_robot.errors import EpisodeError, TaskError
from tests.data import made_episodes as made

HOUR_NS = 3_600_000_000_000
RIG = Rig("push", "twin", "rig", "revision", 20.0, made.SPEED)


@dataclass
class World:
    """A recorder with a clock and a disk of our own."""

    data: Path
    now_ns: int = made.START_NS
    set_back_ns: int = 0  # by how much somebody has set the wall clock back
    free: int = 2 * ROOM_TO_START
    sent: int = 0
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            self.data, RIG, "envelope", free=lambda _: self.free, now_ns=lambda: self.now_ns - self.set_back_ns,
            steady_ns=lambda: self.now_ns - made.START_NS,
        )

    def take(self, **changes: str) -> Take:
        return Take(**{"task": made.info().task, "source": "demo", "operator": "ada", **changes})

    def live(self, k: int, source: str = "demo") -> None:
        """One control period passes."""
        self.now_ns = made.START_NS + k * made.PERIOD_NS
        self.sent += 1
        for topic, data, sent_ns in made.period(k, source):
            stamp = sent_ns - self.set_back_ns
            self.recorder.hear(Message(topic, data, stamp, stamp, self.sent))
        self.recorder.tick()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_was_heard_from_start_to_save_is_in_the_file(world: World) -> None:
    world.live(0)
    episode = world.recorder.start(world.take())
    for k in range(1, 15):
        world.live(k)
    assert world.recorder.report.state == "recording"
    assert world.recorder.report.steps == 15
    saved = world.recorder.save(episode, accepted=True)
    assert saved.path == folder.find(world.data, episode)
    assert not list(folder.parts(world.data))
    read = read_episode(saved.path)
    assert len(read) == 15  # what was heard just before the start belongs to it
    assert read.info.operator == "ada"
    assert read.info.envelope == "envelope"
    assert read.outcome is not None
    assert read.outcome.accepted
    assert world.recorder.report.state == "idle"


def test_what_was_said_long_before_still_holds_at_the_start(world: World) -> None:
    world.live(0)
    for k in range(40, 60):
        world.now_ns = made.START_NS + k * made.PERIOD_NS
        _, pose, *_ = made.period(k)
        world.recorder.hear(Message(*pose, pose[2], 0))
    episode = world.recorder.start(world.take())
    counted = check(world.recorder.save(episode).path).messages
    assert counted[names.GUARD] == 1
    assert names.APPLIED not in counted


def test_while_an_episode_waits_to_be_judged_only_what_is_said_of_it_is_kept(world: World) -> None:
    episode = world.recorder.start(world.take(source="policy", checkpoint="push-vision@0"))
    for k in range(10):
        world.live(k, "policy")
    world.recorder.over = True
    for k in range(10, 30):
        world.live(k, "policy")
    counted = check(world.recorder.save(episode, reward=1.0, success=True).path).messages
    assert (counted[names.IMAGE], counted[names.GUARD]) == (10, 30)
    assert not world.recorder.over  # the next one is not over yet


def test_what_was_sent_after_an_end_that_is_heard_late_belongs_to_the_next_episode(world: World) -> None:
    first = world.recorder.start(world.take())
    for k in range(10):
        world.live(k)
    world.recorder.save(first, ended_ns=made.START_NS + 7 * made.PERIOD_NS - 1)
    second = world.recorder.start(world.take())
    world.live(10)
    assert check(world.recorder.save(second).path).messages[names.IMAGE] == 4  # 7, 8, 9 and 10


@pytest.mark.parametrize(("judge", "author"), [("ada", "ada"), ("", "recorder")])
def test_a_judgement_is_of_the_person_who_gave_it(world: World, judge: str, author: str) -> None:
    episode = world.recorder.start(world.take(source="policy", operator="", checkpoint="push-vision@0"))
    for k in range(10):
        world.live(k, "policy")
    saved = world.recorder.save(episode, reward=0.5, success=True, judge=judge)
    with Catalog(world.data) as catalog:
        keep(catalog, saved.path, saved)
        given = {label.kind: (label.value, label.author) for label in catalog.labels(episode) if label.kind != "flag"}
        assert given == {"success": (1.0, author), "reward": (0.5, author)}
        before = len(catalog.labels(episode))
        keep(catalog, saved.path)  # as a reindexing reads it
        assert len(catalog.labels(episode)) == before


def test_missing_messages_are_counted(world: World) -> None:
    episode = world.recorder.start(world.take())
    world.live(0)
    world.sent += 3
    world.live(1)
    assert world.recorder.report.dropped == 3 * 7  # of each topic
    assert world.recorder.save(episode).outcome.dropped == 21


def test_wrong_requests_are_refused_and_change_nothing(world: World) -> None:
    with pytest.raises(EpisodeError, match="no episode is being recorded"):
        world.recorder.save("x")
    with pytest.raises(TaskError):
        world.recorder.start(world.take(task="push 7"))
    door = '{"family": "door", "split": "test", "index": 0, "context": [0.5], "seed": 0}'
    with pytest.raises(EpisodeError, match="door-test-s0-0 is not of the family 'push'"):
        world.recorder.start(world.take(task=door))
    with pytest.raises(EpisodeError, match="did you mean 'demo'"):
        world.recorder.start(world.take(source="demos"))
    episode = world.recorder.start(world.take())
    for request in (lambda: world.recorder.start(world.take()), lambda: world.recorder.discard("other", "")):
        with pytest.raises(EpisodeError, match=episode):
            request()
    world.live(0)
    assert world.recorder.save(episode).path.exists()


def test_a_discarded_episode_is_put_aside_whole(world: World) -> None:
    episode = world.recorder.start(world.take())
    for k in range(5):
        world.live(k)
    path = world.recorder.discard(episode, "the block fell").path
    assert not list(folder.saved(world.data))
    assert not list(folder.parts(world.data))
    summary = check(path)
    assert summary.outcome is not None
    assert summary.outcome.reason == "the block fell"
    assert summary.messages[names.APPLIED] == 5


def test_no_recording_begins_on_a_nearly_full_disk(world: World) -> None:
    world.free = ROOM_TO_START - 1
    with pytest.raises(EpisodeError, match="2 GiB are needed"):
        world.recorder.start(world.take())
    assert world.recorder.report.state == "refusing"
    assert not list(folder.parts(world.data))
    world.free = ROOM_TO_START
    world.recorder.start(world.take())
    assert world.recorder.report.state == "recording"


def test_a_disk_that_fills_up_ends_the_recording_and_keeps_what_there_is(world: World) -> None:
    episode = world.recorder.start(world.take())
    for k in range(30):
        world.live(k)
    world.free = ROOM_TO_GO_ON - 1
    for k in range(30, 60):
        world.live(k)
    report = world.recorder.report
    assert report.state == "failed"
    assert "the disk is full" in report.message
    with pytest.raises(EpisodeError, match="gmps data recover"):
        world.recorder.save(episode)
    (part,) = folder.parts(world.data)
    assert len(read_episode(recover(part).path)) >= 30
    world.free = ROOM_TO_START
    world.live(60)
    assert world.recorder.start(world.take()) != episode


def test_a_wall_clock_that_is_set_back_stops_neither_flush_nor_disk_watch(world: World) -> None:
    world.recorder.start(world.take())
    for k in range(10):
        world.live(k)
    world.set_back_ns = HOUR_NS
    for k in range(10, 60):
        world.live(k)
    assert world.recorder.report.seconds == pytest.approx(59 * made.PERIOD_NS * 1e-9)
    (part,) = folder.parts(world.data)
    copy = world.data / "elsewhere" / part.name  # as it lies there when the process is killed now
    copy.parent.mkdir()
    shutil.copy(part, copy)
    assert recover(copy).summary.messages[names.APPLIED] >= 60 - 5  # all but the last 0.2 s
    world.free = ROOM_TO_GO_ON - 1
    for k in range(60, 90):
        world.live(k)
    assert "the disk is full" in world.recorder.report.message


def test_an_idle_recorder_does_not_grow_when_the_wall_clock_is_set_back(world: World) -> None:
    for k in range(40):
        world.live(k)
    world.set_back_ns = HOUR_NS
    for k in range(40, 200):
        world.live(k)
    episode = world.recorder.start(world.take())
    counted = check(world.recorder.save(episode).path).messages
    assert 20 <= counted[names.APPLIED] <= 21  # of the last second alone


def test_a_write_that_the_system_refuses_ends_the_recording_only(world: World, small_files: int) -> None:
    episode = world.recorder.start(world.take())
    for k in range(200):
        world.live(k)  # never raises
    assert world.recorder.report.state == "failed"
    assert "File too large" in world.recorder.report.message
    (part,) = folder.parts(world.data)
    assert part.stat().st_size <= small_files
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = recover(part)
    assert again.status == "recovered"
    assert again.summary.info.episode == episode
    assert len(read_episode(again.path)) > 10


def test_a_folder_that_cannot_be_written_to_is_named(world: World) -> None:
    (world.data / "episodes").write_text("a file, not a folder")
    with pytest.raises(EpisodeError, match="cannot record to"):
        world.recorder.start(world.take())
    assert world.recorder.report.state == "failed"


def test_ending_the_recorder_loses_nothing_of_an_open_episode(world: World) -> None:
    world.recorder.start(world.take())
    for k in range(7):
        world.live(k)
    world.recorder.close()
    (part,) = folder.parts(world.data)
    assert len(read_episode(recover(part).path)) == 7


def test_flags_say_what_is_odd_about_an_episode(tmp_path: Path) -> None:
    plain = read_episode(made.write(tmp_path, made.info(), steps=20).path)
    assert quality(plain)["flags"] == []
    assert quality(plain)["path"] == pytest.approx(0.095)
    assert set(quality(read_episode(made.write(tmp_path, made.info(), steps=3).path))["flags"]) == {
        "short", "low_motion"
    }  # fmt: skip
    writer = made.begin(tmp_path, made.info())
    for k in range(20):
        made.put(writer, made.period(k, velocity=(0.2 * (-1) ** k, 0.0, 0.0)))
    shaken = quality(read_episode(writer.close(made.EpisodeOutcome(0, 0)).path))
    assert "jerky" in shaken["flags"]
    assert "clipped" in shaken["flags"]  # the guard halved each request
    assert np.isfinite(shaken["reversals"])


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file of this process grows beyond so many bytes: a full disk as the system shows it."""
    size = 200_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield size
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_room_is_asked_of_the_disk_where_the_data_will_be(tmp_path: Path) -> None:
    asked: list[Path] = []
    recorder = Recorder(
        tmp_path / "not" / "yet", RIG, "", free=lambda path: asked.append(path) or ROOM_TO_START,
        now_ns=lambda: made.START_NS, steady_ns=lambda: 0,
    )  # fmt: skip
    recorder.start(Take(made.info().task, "demo"))
    assert asked == [tmp_path]
    assert os.path.isdir(tmp_path / "not" / "yet" / "episodes")  # noqa: PTH112
