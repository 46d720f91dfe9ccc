"""Alembic's entry: run the steps on the connection that `database.open_engine` hands over."""

from __future__ import annotations

from alembic import context

from gmps_robot.data.database import VERSION_TABLE
from gmps_robot.data.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
