"""The catalogue on SQLite and on PostgreSQL: the same tests. Nothing said is lost, nothing wrong is taken."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.models import Label
from gmps_robot.data.reindex import reindex
from gmps_robot.data.statistics import statistics
from gmps_robot.errors import CatalogError, TaskError
from gmps_robot.tasks import Task
from tests.data.episodes import TASKS, add_episode


@pytest.fixture
def catalog(url: str, tmp_path: Path) -> Iterator[Catalog]:
    clock = iter(range(10**9, 10**12, 1000))
    with Catalog(tmp_path / "data", url, lambda: next(clock)) as opened:
        yield opened


@pytest.fixture
def add(catalog: Catalog) -> Callable[..., str]:
    return lambda task=TASKS[0], **fields: add_episode(catalog, task, **fields)


def test_an_episode_comes_back_as_it_was_added(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add(TASKS[3], operator="ada", steps=41, quality={"jerk": 2.5, "flags": ["jerky"]})
    row = catalog.episode(key)
    assert (row.task, row.family, row.split, row.operator) == (TASKS[3].task_id, "push", "train", "ada")
    assert (row.steps, row.seconds, row.quality["jerk"], row.status) == (41, 2.05, 2.5, "complete")
    assert catalog.file(row).read_bytes() == b"episode"
    assert row.bytes == len(b"episode")
    assert [(f.kind, f.text, f.value, f.author) for f in catalog.labels(key)] == [("flag", "jerky", 1.0, "recorder")]


def test_adding_twice_renews_the_row_and_repeats_no_flag(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add(steps=10, quality={"flags": ["short"]})
    add(steps=12, episode=key, quality={"flags": ["short"]}, status="recovered")
    assert catalog.count() == 1
    assert (catalog.episode(key).steps, catalog.episode(key).status) == (12, "recovered")
    assert len(catalog.labels(key)) == 1


def test_episodes_are_found_by_what_they_are_and_by_what_was_said(catalog: Catalog, add: Callable[..., str]) -> None:
    first = add(TASKS[0], operator="ada", started_ns=1)
    second = add(TASKS[1], operator="bob", started_ns=2, quality={"flags": ["clipped"]})
    third = add(TASKS[1], source="policy", checkpoint="push-vision", started_ns=3)
    catalog.label(first, "success", 1, "ada")
    catalog.label(second, "success", 0, "ada")
    catalog.label(second, "accepted", 1, "ada")

    def found(**wanted: object) -> list[str]:
        return [row.id for row in catalog.episodes(EpisodeFilter(**wanted))]  # type: ignore[arg-type]

    assert found() == [third, second, first]  # newest first
    assert found(operator="bob") == [second]
    assert found(task=TASKS[1].task_id, source="demo") == [second]
    assert found(checkpoint="push-vision", mode="twin") == [third]
    assert (found(success=True), found(success=False), found(labelled=False)) == ([first], [second], [third])
    assert (found(accepted=True), found(flag="clipped"), found(flag="jerky")) == ([second], [second], [])
    assert [row.id for row in catalog.episodes(limit=1, offset=1)] == [second]
    assert catalog.count(EpisodeFilter(family="push")) == 3


def test_a_changed_mind_is_kept_with_author_and_time(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add()
    first = catalog.label(key, "success", 0, "ada", text="fell over")
    second = catalog.label(key, "success", 1, "bob")
    assert second.supersedes == first.id
    assert [(say.value, say.author, say.text) for say in catalog.labels(key)] == [
        (0.0, "ada", "fell over"), (1.0, "bob", "")
    ]  # fmt: skip
    assert catalog.labels(key)[0].created_ns < catalog.labels(key)[1].created_ns
    assert [say.id for say in catalog.standing([key])[key]] == [second.id]
    assert [row.id for row in catalog.episodes(EpisodeFilter(success=True))] == [key]
    assert catalog.episodes(EpisodeFilter(success=False)) == []


def test_two_who_judge_what_a_third_had_said_leave_one_verdict(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add()
    seen = catalog.label(key, "success", 0, "eve").id
    remark = catalog.label(key, "reward", 1.0, "eve").id
    ada = catalog.label(key, "success", 1, "ada", supersedes=seen)
    bob = catalog.label(key, "success", 0, "bob", supersedes=seen)  # his page has not heard of ada's yet
    assert (ada.supersedes, bob.supersedes) == (seen, ada.id)
    eve = catalog.label(key, "success", 1, "eve", supersedes=remark)  # no verdict at all
    assert eve.supersedes == bob.id
    assert [say.id for say in catalog.standing([key])[key]] == [remark, eve.id]
    assert catalog.count(EpisodeFilter(success=True)) == 1
    assert catalog.count(EpisodeFilter(success=False)) == 0


def test_of_two_equally_fast_verdicts_the_database_counts_the_one_that_stands(
    catalog: Catalog, add: Callable[..., str]
) -> None:
    key = add()
    first = {kind: catalog.label(key, kind, 1, "eve").id for kind in ("success", "accepted")}
    flag = catalog.label(key, "flag", 1, "eve", text="jerky").id
    for number, value in enumerate((1.0, 0.0)):  # as two processes write that have read the same history
        made = {"value": value, "author": "ada", "created_ns": 10**13, "episode": key}
        for kind, known in first.items():
            catalog.put(Label(id=f"{number}{kind:0>31}", kind=kind, supersedes=known, text="", **made))
        catalog.put(Label(id=f"{number}{'flag':0>31}", kind="flag", supersedes=flag, text="jerky", **made))
        catalog.put(Label(id=f"{number}{'other':0>31}", kind="flag", text=f"flag {number}", **{**made, "value": 1.0}))
    assert {(say.kind, say.text): say.value for say in catalog.standing([key])[key]} == {
        ("success", ""): 0.0, ("accepted", ""): 0.0, ("flag", "jerky"): 0.0, ("flag", "flag 0"): 1.0,
        ("flag", "flag 1"): 1.0,
    }  # fmt: skip
    asked = {name: EpisodeFilter(**{name: True}) for name in ("success", "accepted")}  # type: ignore[arg-type]
    assert [catalog.count(wanted) for wanted in (*asked.values(), EpisodeFilter(flag="jerky"))] == [0, 0, 0]
    assert [catalog.count(EpisodeFilter(**{name: False})) for name in asked] == [1, 1]  # type: ignore[arg-type]
    figures = statistics(catalog, EpisodeFilter())
    assert (figures.all.successes, figures.all.failures, figures.flags) == (0, 1, {"flag 0": 1, "flag 1": 1})


def test_labels_of_different_steps_stand_beside_each_other(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add(steps=50)
    catalog.label(key, "reward", 1.0, "ada", step_from=10, step_to=11)
    catalog.label(key, "reward", 0.5, "ada", step_from=20, step_to=30)
    again = catalog.label(key, "reward", 2.0, "ada", step_from=10, step_to=11)
    standing = catalog.standing([key])[key]
    assert [(say.step_from, say.value) for say in standing] == [(20, 0.5), (10, 2.0)]
    withdrawn = catalog.label(key, "flag", 1, "bob", text="jerky")
    catalog.label(key, "flag", 0, "bob", text="jerky")
    assert {again.id, withdrawn.id} & {say.id for say in catalog.standing([key])[key]} == {again.id}
    assert catalog.episodes(EpisodeFilter(flag="jerky")) == []


def test_a_request_sent_twice_is_one_label(catalog: Catalog, add: Callable[..., str]) -> None:
    key = add()
    first = catalog.label(key, "success", 1, "ada", key="click-1")
    assert catalog.label(key, "success", 1, "ada", key="click-1").id == first.id
    assert len(catalog.labels(key)) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kind": "sucess"}, "did you mean 'success'"),
        ({"value": 0.5}, "0 or 1, not 0.5"),
        ({"kind": "reward", "value": float("nan")}, "nan"),
        ({"kind": "flag"}, "needs a name"),
        ({"step_from": 3}, "both step_from and step_to"),
        ({"step_from": 30, "step_to": 51}, r"\[30, 51\) are not in an episode of 50 steps"),
        ({"supersedes": "0" * 32}, "no label '0000"),
        ({"text": "x" * 2001}, "2001 characters"),
    ],
)
def test_a_label_that_cannot_be_is_refused_and_leaves_nothing(
    catalog: Catalog, add: Callable[..., str], wrong: dict[str, object], says: str
) -> None:
    key = add(steps=50)
    with pytest.raises(CatalogError, match=says):
        catalog.label(**{"episode": key, "kind": "success", "value": 1, "author": "ada", **wrong})  # type: ignore[arg-type]
    assert catalog.labels(key) == []
    assert "success" not in catalog.journal.read_text()


def test_an_episode_that_does_not_exist_is_named(catalog: Catalog) -> None:
    for ask in (lambda: catalog.episode("beef"), lambda: catalog.label("beef", "success", 1, "ada")):
        with pytest.raises(CatalogError, match="no episode 'beef'"):
            ask()


def test_a_file_outside_the_data_directory_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    stray = tmp_path / "stray.mcap"
    stray.write_bytes(b"")
    with pytest.raises(CatalogError, match="not below the data directory"):
        add_episode(catalog, TASKS[0], path=stray)


def test_quota_counts_accepted_demonstrations_and_names_the_next(catalog: Catalog, add: Callable[..., str]) -> None:
    catalog.plan("push", "train", tasks=3, per_task=2, seed=0, author="ada")
    for task, accepted in ((0, 1), (0, 1), (0, 1), (1, 1), (2, 0)):
        catalog.label(add(TASKS[task]), "accepted", accepted, "ada")
    add(TASKS[2], source="policy")  # no demonstration
    discarded = add(TASKS[2])
    catalog.label(discarded, "accepted", 1, "ada")
    catalog.discard(discarded, "the block fell", "ada")
    quota = catalog.quota("push")
    assert [(t.accepted, t.recorded, t.missing) for t in quota.tasks] == [(3, 3, 0), (1, 1, 1), (0, 1, 2)]
    assert (quota.accepted, quota.wanted) == (3, 6)
    assert quota.next == TASKS[2]
    for _ in range(2):
        catalog.label(add(TASKS[2]), "accepted", 1, "ada")
    catalog.label(add(TASKS[1]), "accepted", 1, "ada")
    assert catalog.quota("push").next is None


def test_without_a_plan_the_recipes_tasks_are_wanted(catalog: Catalog) -> None:
    assert [quota.task for quota in catalog.quota("push").tasks] == list(TASKS)


def test_a_plan_that_cannot_be_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="per_task=0: choose 1 to"):
        catalog.plan("push", "train", 5, 0, 0, "ada")
    with pytest.raises(TaskError, match="'push'"):
        catalog.plan("psuh", "train", 5, 1, 0, "ada")


def test_the_audit_log_tells_who_did_what(catalog: Catalog, add: Callable[..., str]) -> None:
    catalog.audit("login", "ada", "operator")
    catalog.audit("arm/stop", "bob", "viewer", outcome="ok")
    assert [(e.what, e.who, e.role) for e in catalog.events()] == [
        ("arm/stop", "bob", "viewer"), ("login", "ada", "operator")
    ]  # fmt: skip
    assert [e.who for e in catalog.events(what="login")] == ["ada"]
    key = add()
    catalog.discard(key, "the lamp fell over", "eve")
    (event,) = catalog.events(what="episode/discard")
    assert (event.who, event.detail) == ("eve", f"{key}: the lamp fell over")
    assert catalog.episode(key).reason == "the lamp fell over"


def _label_many(data: Path, url: str, key: str, author: str) -> None:
    with Catalog(data, url) as catalog:
        for number in range(15):
            catalog.label(key, "reward", number, author, step_from=number, step_to=number + 1)


def test_several_processes_write_at_once_and_nothing_is_lost(
    catalog: Catalog, add: Callable[..., str], url: str
) -> None:
    key = add(steps=50)
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_label_many, args=(catalog.data, url, key, name)) for name in ("ada", "bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(catalog.labels(key)) == 30
    lines = [json.loads(line) for line in catalog.journal.read_text().splitlines()]
    assert sum(line["table"] == "label" for line in lines) == 30


def test_a_full_disk_is_said_and_nothing_half_is_taken(
    catalog: Catalog, add: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(CatalogError, match=r"nothing was written down: .*journal\.jsonl: No space left on device"):
            catalog.label(key, "success", 1, "ada")
    assert catalog.label(key, "success", 0, "ada").value == 0.0
    reindex(catalog)
    assert [label.value for label in catalog.labels(key)] == [0.0]


def test_a_database_that_fails_is_said_and_what_was_said_is_in_the_journal(
    catalog: Catalog, add: Callable[..., str]
) -> None:
    key = add()
    with catalog.engine.begin() as connection:
        connection.execute(text("ALTER TABLE label RENAME TO gone"))
    with pytest.raises(CatalogError, match=r"fails: .*label.* Nothing is lost: once it answers again"):
        catalog.labels(key)
    with pytest.raises(CatalogError, match="Nothing is lost"):
        catalog.put(Label(id="1", episode=key, kind="success", value=1.0, text="", author="ada", created_ns=1))
    with catalog.engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO label"))
    reindex(catalog)
    assert [label.author for label in catalog.labels(key)] == ["ada"]


def test_a_task_is_kept_with_its_context(catalog: Catalog, add: Callable[..., str]) -> None:
    add(TASKS[5])
    assert catalog.task(TASKS[5].task_id) == TASKS[5]
    assert isinstance(catalog.task(TASKS[5].task_id), Task)


def test_two_tasks_of_one_name_are_not_taken_for_one_another(catalog: Catalog, add: Callable[..., str]) -> None:
    """A family whose draw has changed since gives other contexts to the same indices."""
    other = replace(TASKS[0], context=(0.7, 0.05))
    assert other.task_id == TASKS[0].task_id
    assert other.context != TASKS[0].context
    for task in (TASKS[0], other):
        catalog.label(add(task), "accepted", 1, "ada")
    assert [catalog.task(row.task).context for row in catalog.episodes()].count(other.context) == 1
    assert catalog.quota("push").tasks[0].accepted == 1
