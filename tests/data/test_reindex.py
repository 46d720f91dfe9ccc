"""Files are the truth: a lost, damaged, old, newer or foreign database, and what becomes of it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text

from gmps_robot.data import database
from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.keep import keep
from gmps_robot.data.models import TABLES, Base, Checkpoint, Run
from gmps_robot.data.reindex import reindex
from gmps_robot.errors import CatalogError
from tests.data import made_episodes
from tests.data.episodes import TASKS, add_episode

LOST = ("catalog.db", "catalog.db-wal", "catalog.db-shm")


def everything(catalog: Catalog) -> dict[str, list[dict[str, object]]]:
    with catalog.engine.connect() as connection:
        return {
            name: sorted(
                [dict(row) for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()], key=repr
            )
            for name in TABLES
        }


def fill(catalog: Catalog) -> tuple[str, str]:
    """Two real episodes, one of them discarded, and a bit of everything else."""
    first, second = (made_episodes.write(catalog.data, made_episodes.info(started_ns=k), steps=6) for k in (1, 2))
    for saved in (first, second):
        keep(catalog, saved.path)
    catalog.label(first.info.episode, "success", 0, "ada")
    catalog.label(first.info.episode, "success", 1, "bob", text="it did arrive")
    aside = catalog.data / "discarded" / second.path.name
    aside.parent.mkdir()
    second.path.rename(aside)
    catalog.discard(second.info.episode, "the lamp fell over", "ada", aside)
    catalog.plan("push", "train", 5, 2, 0, "ada")
    catalog.audit("login", "ada", "operator")
    return first.info.episode, second.info.episode


def test_a_lost_database_comes_back_whole(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        first, second = fill(catalog)
        before = everything(catalog)
    for name in LOST:
        (tmp_path / name).unlink(missing_ok=True)
    with Catalog(tmp_path) as catalog:
        assert catalog.count() == 0
        found = reindex(catalog)
        assert (found.episodes, found.missing, found.damaged) == (2, [], [])
        assert everything(catalog) == before
        assert [(label.value, label.author) for label in catalog.labels(first) if label.kind == "success"] == [
            (0.0, "ada"), (1.0, "bob")
        ]  # fmt: skip
        assert catalog.episode(second).reason == "the lamp fell over"
        reindex(catalog)
        assert everything(catalog) == before


def test_copied_files_are_taken_in_and_missing_ones_said(url: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    saved = made_episodes.write(elsewhere, made_episodes.info(), steps=4)
    with Catalog(tmp_path / "data", url) as catalog:
        gone = add_episode(catalog, TASKS[0])
        catalog.file(catalog.episode(gone)).unlink()
        target = catalog.data / "episodes" / "push" / saved.path.name
        saved.path.rename(target)
        found = reindex(catalog)
        assert (found.episodes, found.added) == (1, 1)
        assert found.missing == [f"episodes/push/{gone}.mcap"]
        assert catalog.episode(gone).status == "missing"
        assert catalog.episode(saved.info.episode).steps == 4
        assert catalog.count(EpisodeFilter(accepted=True)) == 1  # the file says so


def test_a_torn_journal_and_a_torn_episode_are_said_and_the_rest_is_kept(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        key = add_episode(catalog, TASKS[0])
        lines = catalog.journal.read_text().splitlines(keepends=True)
        catalog.journal.write_text(lines[0] + "{broken\n" + "".join(lines[1:]) + '{"table": "lab')
        catalog.label(key, "success", 1, "ada")  # after the torn line, on a line of its own
    for name in LOST:
        (tmp_path / name).unlink(missing_ok=True)
    with Catalog(tmp_path) as catalog:
        found = reindex(catalog)
        assert len(found.damaged) == 3  # two lines; and the file, which is no MCAP but is known, stays as it is
        assert ", line 2: not a row" in found.damaged[0]
        assert [label.kind for label in catalog.labels(key)] == ["success"]


def old_database(url: str, run_of_checkpoint: str = "r") -> None:
    """A catalogue as the first version made it, with a run and its checkpoint in it."""
    engine = create_engine(database._parse(url))
    with engine.connect() as connection:
        config = database._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO run (id, kind, name, path, config, seed, revision, state, started_ns) "
                "VALUES ('r', 'meta', 'push', '/x', '{}', 0, 'v', 'done', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO checkpoint (id, run, parent, path, sha256, created_ns) "
                "VALUES ('c', :run, '', '/x', '', 1)"
            ),
            {"run": run_of_checkpoint},
        )
        connection.commit()
    engine.dispose()


def test_an_old_database_is_brought_up_to_date_and_keeps_its_rows(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    old_database(url)
    with Catalog(tmp_path / "data", url) as catalog:
        assert [(run.id, run.dataset) for run in catalog.runs()] == [("r", None)]
        catalog.put(Run(**{**asdict(catalog.runs()[0]), "state": "failed"}))
        assert catalog.runs()[0].state == "failed"
        assert [(checkpoint.id, checkpoint.run) for checkpoint in catalog.rows(Checkpoint)] == [("c", "r")]
        with pytest.raises(CatalogError, match=r"(?i)foreign key"):  # references are checked again
            catalog.put(Checkpoint(id="d", run="nobody", parent="", path="/x", sha256="", created_ns=1))
    copies = list((tmp_path / "data").glob("catalog.db.0001.*.bak"))
    if url.startswith("sqlite"):
        (copy,) = copies
        with sqlite3.connect(copy) as connection:
            assert connection.execute("SELECT state FROM run").fetchall() == [("done",)]
        connection.close()


def test_an_old_database_that_cannot_be_brought_up_to_date_stays_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    old_database(url, run_of_checkpoint="lost")
    for _ in range(2):
        with pytest.raises(CatalogError, match=r"row 1 of 'checkpoint' refers to a row of 'run' that is missing"):
            Catalog(tmp_path, url)
    assert list(tmp_path.glob("*.bak")) == []  # nothing was changed, and no attempt leaves a copy
    connection = sqlite3.connect(tmp_path / "catalog.db")
    assert connection.execute(f"SELECT version_num FROM {database.VERSION_TABLE}").fetchall() == [("0001",)]
    assert "dataset" not in {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()


def test_a_database_of_a_newer_version_is_left_alone(url: str, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", url) as catalog, catalog.engine.begin() as connection:
        connection.execute(text(f"UPDATE {database.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(CatalogError, match=r"made by a newer version .schema 9999; this one knows up to"):
        Catalog(tmp_path / "data", url)


def test_a_database_of_something_else_is_left_alone(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    engine = create_engine(database._parse(url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    engine.dispose()
    with pytest.raises(CatalogError, match=r"holds tables of something else .invoices"):
        Catalog(tmp_path / "data", url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://x/y", "'mysql' is not supported; valid: sqlite:///FILE, postgresql://"),
        ("nonsense", "is no address"),
        ("postgresql://gmps:secret@127.0.0.1:1/none", r"cannot open the catalogue .*gmps:\*\*\*@127.0.0.1"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=says) as raised:
        Catalog(tmp_path, url)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("hello " * 300)
    with pytest.raises(CatalogError, match=r"cannot open the catalogue .*not a database"):
        Catalog(tmp_path)


def test_the_address_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GMPS_DATA", str(tmp_path / "here"))
    monkeypatch.setenv("GMPS_DB_URL", f"sqlite:///{tmp_path / 'there.db'}")
    with Catalog() as catalog:
        assert catalog.data == tmp_path / "here"
    assert (tmp_path / "there.db").is_file()


def test_the_migrations_make_the_tables_that_the_code_reads(url: str, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", url) as catalog:
        seen = inspect(catalog.engine)
        assert set(seen.get_table_names()) == {*Base.metadata.tables, database.VERSION_TABLE}
        for name, table in Base.metadata.tables.items():
            made = {column["name"]: column for column in seen.get_columns(name)}
            assert set(made) == set(table.columns.keys()), name
            for column in table.columns:
                assert made[column.name]["nullable"] == column.nullable, f"{name}.{column.name}"
                assert str(made[column.name]["type"]).split("(")[0] == _kind(column.type, url), f"{name}.{column.name}"
            assert {index["name"] for index in seen.get_indexes(name)} == {index.name for index in table.indexes}


def _kind(kind: object, url: str) -> str:
    name = str(kind).split("(")[0]
    return {"DOUBLE": "DOUBLE PRECISION"}.get(name, name) if url.startswith("postgresql") else name


def test_every_journal_line_is_a_row(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        fill(catalog)
        entries = [json.loads(line) for line in catalog.journal.read_text().splitlines()]
        assert {"plan", "label", "event"} <= {entry["table"] for entry in entries}
        for entry in entries:
            assert set(entry["row"]) <= set(TABLES[entry["table"]].__table__.columns.keys())
