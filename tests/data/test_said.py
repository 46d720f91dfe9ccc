"""Rewards that people give while an episode is recorded: whoever is killed then, they are in the catalogue with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from gmps_robot.data import folder, said
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.info import EpisodeOutcome
from gmps_robot.data.keep import keep
from gmps_robot.data.models import Label
from gmps_robot.data.recover import recover
from gmps_robot.data.reindex import reindex
from gmps_robot.data.said import Said
from gmps_robot.errors import CatalogError, StorageError
from tests.data import made_episodes as made

PANEL = """
import sys, time
from pathlib import Path
from gmps_robot.data.catalog import Catalog
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.schema_archive import LabelBody
from gmps_robot.panel.teaching import Teaching

data, episode = Path(sys.argv[1]), sys.argv[2]
bridge = FakeBridge()
bridge.record_start = lambda task, operator: episode
teaching = Teaching(bridge, Archive(Catalog(data)), "push")
teaching.start("train", 0, "ada")
teaching.label(episode, LabelBody(kind="reward", value=1.0, step_from=12, step_to=13), "ada")
teaching.label(episode, LabelBody(kind="stage", value=2.0, step_from=14, step_to=15), "ada")
print("given", flush=True)
time.sleep(60.0)
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as opened:
        yield opened


def rewards(catalog: Catalog, episode: str) -> list[tuple[str, float, str, int | None, int | None]]:
    given = [label for label in catalog.labels(episode) if label.kind in ("reward", "stage")]
    return [(label.kind, label.value, label.author, label.step_from, label.step_to) for label in given]


@pytest.mark.parametrize("recorder", ["saves", "is killed too"])
def test_what_was_given_survives_a_panel_that_is_killed(catalog: Catalog, recorder: str) -> None:
    writer = made.recording(catalog.data)
    episode = writer.info.episode
    command = [sys.executable, "-c", PANEL, str(catalog.data), episode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as panel:
        assert panel.stdout is not None
        assert panel.stdout.readline() == "given\n"
        panel.send_signal(signal.SIGKILL)
    if recorder == "saves":
        saved = writer.close(EpisodeOutcome(made.START_NS, 0))
        keep(catalog, saved.path, saved)
    else:
        writer.abandon()
        keep(catalog, recover(writer.part).path)
    assert rewards(catalog, episode) == [("reward", 1.0, "ada", 8, 9), ("stage", 2.0, "ada", 10, 11)]


def test_it_is_told_once_with_its_time_however_often_the_file_is_taken_in(catalog: Catalog) -> None:
    writer = made.recording(catalog.data)
    episode = writer.info.episode
    said.say(catalog, "push", episode, Said("reward", 0.5, "ada", at_ns=7, step_from=0, step_to=1, key="click"))
    said.say(catalog, "push", episode, Said("reward", 0.5, "ada", at_ns=8, step_from=0, step_to=1, key="click"))
    saved = writer.close(EpisodeOutcome(made.START_NS, 0))
    for _ in range(2):
        keep(catalog, saved.path)
    (label,) = (label for label in catalog.rows(Label) if label.kind == "reward")
    assert (label.created_ns, label.step_from, label.step_to) == (7, 0, 1)
    catalog.journal.unlink()
    for path in catalog.data.glob("catalog.db*"):
        path.unlink()
    with Catalog(catalog.data) as anew:
        reindex(anew)
        assert rewards(anew, episode) == [("reward", 0.5, "ada", 0, 1)]


def test_what_is_said_in_the_moment_of_saving_is_not_lost(catalog: Catalog) -> None:
    saved = made.recording(catalog.data).close(EpisodeOutcome(made.START_NS, 0))
    keep(catalog, saved.path, saved)
    said.say(catalog, "push", saved.info.episode, Said("stage", 1.0, "ada", at_ns=7, step_from=30, step_to=31))
    assert rewards(catalog, saved.info.episode) == [("stage", 1.0, "ada", 15, 16)]  # the last step there is


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Catalog], None]:
    """Let the database of a catalogue go away, until `monkeypatch.undo()`."""

    def go(catalog: Catalog) -> None:
        gone = create_engine("sqlite:////nowhere/catalog.db")
        monkeypatch.setattr(catalog, "engine", gone)
        monkeypatch.setattr(catalog, "_writing", gone)

    return go


@pytest.mark.parametrize("ended", [False, True])
def test_while_the_catalogue_is_away_what_is_said_waits_on_the_disk(
    catalog: Catalog, ended: bool, away: Callable[[Catalog], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = made.recording(catalog.data)
    saved = writer.close(EpisodeOutcome(made.START_NS, 0)) if ended else None
    away(catalog)
    said.say(catalog, "push", writer.info.episode, Said("reward", 1.0, "ada", at_ns=7, step_from=12, step_to=13))
    saved = saved or writer.close(EpisodeOutcome(made.START_NS, 0))
    with pytest.raises(StorageError, match="unable to open database file"):
        keep(catalog, saved.path, saved)
    monkeypatch.undo()
    keep(catalog, saved.path, saved)
    assert rewards(catalog, saved.info.episode) == [("reward", 1.0, "ada", 8, 9)]


def test_a_disk_that_takes_nothing_down_is_said(catalog: Catalog) -> None:
    episode = made.recording(catalog.data).info.episode
    folder.said_path(catalog.data, "push", episode).mkdir()
    with pytest.raises(StorageError, match="nothing was written down"):
        said.say(catalog, "push", episode, Said("reward", 1.0, "ada", at_ns=7))


def test_a_discarded_episode_keeps_them_and_a_torn_line_costs_itself_alone(catalog: Catalog) -> None:
    writer = made.recording(catalog.data)
    episode = writer.info.episode
    said.say(catalog, "push", episode, Said("reward", 1.0, "ada", at_ns=7))
    with folder.said_path(catalog.data, "push", episode).open("a") as file:
        file.write('{"table": "said", "row": {"kind": "rew')
    said.say(catalog, "push", episode, Said("stage", 1.0, "bob", at_ns=8))
    aside = writer.discard(EpisodeOutcome(made.START_NS, 0, reason="fell"), catalog.data)
    assert keep(catalog, aside.path, aside).status == "discarded"
    assert rewards(catalog, episode) == [("reward", 1.0, "ada", None, None), ("stage", 1.0, "bob", None, None)]


def test_what_cannot_be_said_is_refused_when_it_is_said(catalog: Catalog) -> None:
    episode = made.recording(catalog.data).info.episode
    with pytest.raises(CatalogError, match="0 or 1"):
        said.say(catalog, "push", episode, Said("success", 0.5, "ada", at_ns=7))
    assert not folder.said_path(catalog.data, "push", episode).exists()
