"""Rows of the catalogue: opened, written into journal and database, read back as detached records."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Engine, Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as Transaction

from gmps_robot.data import journal
from gmps_robot.data.database import default_url, open_engine, shown
from gmps_robot.data.folder import default_data
from gmps_robot.data.models import Base
from gmps_robot.errors import StorageError

Row = TypeVar("Row", bound=Base)


class Store:
    """An open database with its journal. Safe to use from several threads and processes."""

    def __init__(
        self, data: Path | None = None, url: str | None = None, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Open, create or migrate the catalogue of the directory `data` (default GMPS_DATA) at `url` (GMPS_DB_URL).

        Raises:
            CatalogError: as `database.open_engine`.
        """
        self.data = default_data() if data is None else data
        self.journal = self.data / journal.NAME
        self.engine = open_engine(url or default_url(self.data))
        self._writing = self.engine.execution_options(catalog_write=True)
        self.now_ns = now_ns

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def put(self, *rows: Base, written: bool = False) -> None:
        """Write rows, all or none; known keys are renewed. First into the journal, unless they come from it.

        Raises:
            StorageError: the journal cannot be written, so nothing was; or the database cannot, and the journal has it.
        """
        if not written:
            try:
                journal.append(self.journal, [(row.__tablename__, asdict(row)) for row in rows])
            except OSError as error:
                raise StorageError(f"nothing was written down: {self.journal}: {error.strerror or error}") from error
        with self.transaction(self._writing) as t, t.begin():
            for row in rows:
                t.merge(row)
                t.flush()

    @contextlib.contextmanager
    def transaction(self, engine: Engine | None = None) -> Iterator[Transaction]:
        """Ask the database; rows stay readable afterwards.

        Raises:
            StorageError: it does not answer, or refuses.
        """
        try:
            with Transaction(engine or self.engine, expire_on_commit=False) as t:
                yield t
        except DBAPIError as error:
            cause = " ".join(str(error.orig).split())
            raise StorageError(
                f"the catalogue {shown(self.engine.url)} fails: {cause}. Nothing is lost: once it answers again, "
                "`gmps data reindex` takes in what the journal has"
            ) from error

    def read(self, query: Select[Row]) -> list[Row]:
        """Return the rows of `query`, detached."""
        with self.transaction() as t:
            return list(t.scalars(query))

    def rows(self, table: type[Row]) -> list[Row]:
        """Return all rows of one table, in the order of their keys."""
        return self.read(select(table).order_by(*table.__table__.primary_key))

    def find(self, table: type[Row], key: Any) -> Row | None:
        """Return one row by its key."""
        with self.transaction() as t:
            return t.get(table, key)
