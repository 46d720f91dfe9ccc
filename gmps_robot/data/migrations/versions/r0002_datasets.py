"""Data sets: the frozen choice of episodes that a run was trained on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table and what points at it."""
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("episodes", sa.JSON, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("dataset", sa.String(32)))
        run.create_foreign_key("run_dataset", "dataset", ["dataset"], ["id"])
