"""The catalogue's database: SQLite in WAL by default, PostgreSQL by URL; brought to the present schema when opened."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from gmps_robot.errors import CatalogError

MIGRATIONS = Path(__file__).with_name("migrations")
VERSION_TABLE = "catalog_version"
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
BUSY_MS = 10_000  # another process may hold the write lock of SQLite for one commit
MIGRATION_LOCK = 7_305_221_914  # of PostgreSQL's advisory locks


def default_url(data: Path) -> str:
    """The catalogue's address: `GMPS_DB_URL`, else an SQLite file in `data`."""
    return os.environ.get("GMPS_DB_URL") or f"sqlite:///{data / 'catalog.db'}"


def open_engine(url: str) -> Engine:
    """Connect to `url` and migrate it to the present schema; an old SQLite file is copied beside itself first.

    Raises:
        CatalogError: the address is not one, nobody answers there, the database is not a catalogue, or it was made by
            a newer version.
    """
    parsed = _parse(url)
    if parsed.database and _is_sqlite(parsed):
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_pre_ping=not _is_sqlite(parsed))
    if _is_sqlite(parsed):
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with _alone(parsed), engine.connect() as connection:
            _migrate(connection, parsed)
    except DBAPIError as error:
        engine.dispose()
        cause = " ".join(str(error.orig).split())
        raise CatalogError(
            f"cannot open the catalogue {shown(parsed)}: {cause}; let GMPS_DB_URL name a catalogue, or unset it"
        ) from error
    except CatalogError:
        engine.dispose()
        raise
    return engine


def shown(url: str | URL) -> str:
    """The address as it may be shown: without the password."""
    return make_url(url).render_as_string(hide_password=True)


def current_revision() -> str:
    """The revision that this version of the code reads and writes."""
    return str(_scripts().get_current_head())


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.drivername.partition("+")[0]
        if backend not in DRIVERS:
            raise CatalogError(f"GMPS_DB_URL={url!r}: {backend!r} is not supported; valid: sqlite:///FILE, postgresql://…")
        parsed = parsed.set(drivername=DRIVERS[backend])
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError) as error:
        raise CatalogError(f"GMPS_DB_URL={url!r} is no address; valid: sqlite:///FILE, postgresql://…") from error
    except ImportError as error:
        raise CatalogError(f"{shown(url)} needs psycopg: pip install 'gmps_robot[postgres]'") from error
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says so
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers queue at the beginning: a reader that becomes a writer would fail at once when another one was faster."""
    write = connection.get_execution_options().get("catalog_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextlib.contextmanager
def _alone(url: URL) -> Iterator[None]:
    """Keep other processes from migrating the same SQLite file; PostgreSQL has a lock of its own."""
    if not _is_sqlite(url) or not url.database:
        yield
        return
    with Path(f"{url.database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(connection: Connection, url: URL) -> None:
    if not _is_sqlite(url):
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    try:
        found = _revision(connection, url)
        if found == current_revision():
            return
        connection.rollback()
        with _references_unchecked(connection, url), _backed_up(url, found), connection.begin():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _check_references(connection, url)
    finally:
        if not _is_sqlite(url):
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()


def _revision(connection: Connection, url: URL) -> str | None:
    """The database's revision, None for an empty one."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if VERSION_TABLE not in tables:
        raise CatalogError(
            f"{shown(url)} holds tables of something else ({', '.join(sorted(tables)[:4])}): "
            "give the catalogue a database of its own"
        )
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise CatalogError(
            f"{shown(url)} was made by a newer version (schema {found}; this one knows up to {current_revision()}): "
            "update gmps_robot, or use another GMPS_DATA"
        )
    return None if found is None else str(found)


@contextlib.contextmanager
def _references_unchecked(connection: Connection, url: URL) -> Iterator[None]:
    """SQLite changes a table by dropping its old copy, which it refuses while rows refer to it and it checks that.

    It does not hear the pragma inside a transaction, so this comes around one.
    """
    if not _is_sqlite(url):
        yield
        return
    with contextlib.closing(connection.connection.cursor()) as raw:
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            yield
        finally:
            raw.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection, url: URL) -> None:
    """See that the rows of SQLite still refer to rows that there are, since nobody watched."""
    lost = connection.execute(text("PRAGMA foreign_key_check")).first() if _is_sqlite(url) else None
    if lost is not None:
        raise CatalogError(
            f"{shown(url)} cannot be brought to schema {current_revision()}: row {lost[1]} of {lost[0]!r} refers to a "
            f"row of {lost[2]!r} that is missing. It is as it was; set it aside, and `gmps data reindex` makes it anew"
        )


@contextlib.contextmanager
def _backed_up(url: URL, revision: str | None) -> Iterator[None]:
    """Copy an SQLite file of `revision` beside itself. What fails is rolled back, and needs no copy."""
    if revision is None or not _is_sqlite(url) or not url.database:
        yield
        return
    path = Path(url.database)
    target = path.with_name(f"{path.name}.{revision}.{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.bak")
    try:
        with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        yield
    except Exception:
        target.unlink(missing_ok=True)
        raise


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
