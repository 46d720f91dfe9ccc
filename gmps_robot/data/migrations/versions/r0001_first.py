"""The first schema: episodes, labels, plans, runs, adaptations, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UUID = sa.String(32)
NAME = sa.String(200)


def upgrade() -> None:
    """Create the tables."""
    _acts()
    _episodes()
    _learning()


def _acts() -> None:
    op.create_table(
        "event",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("who", NAME, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(200), nullable=False),
    )
    op.create_index("event_by_time", "event", ["at_ns"])


def _episodes() -> None:
    op.create_table(
        "task",
        sa.Column("id", NAME, primary_key=True),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("json", sa.Text, nullable=False),
    )
    op.create_table(
        "plan",
        sa.Column("family", sa.String(64), primary_key=True),
        sa.Column("split", sa.String(16), primary_key=True),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("tasks", sa.BigInteger, nullable=False),
        sa.Column("per_task", sa.BigInteger, nullable=False),
        sa.Column("author", NAME, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "episode",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("task", NAME, sa.ForeignKey("task.id"), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("operator", NAME, nullable=False),
        sa.Column("checkpoint", NAME, nullable=False),
        sa.Column("rig", sa.String(64), nullable=False),
        sa.Column("envelope", sa.String(64), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("control_hz", sa.Double, nullable=False),
        sa.Column("started_ns", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("quality", sa.JSON, nullable=False),
    )
    op.create_index("episode_by_task", "episode", ["family", "split", "task"])
    op.create_index("episode_by_time", "episode", ["started_ns"])
    op.create_table(
        "label",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("episode", UUID, sa.ForeignKey("episode.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", NAME, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("step_from", sa.BigInteger),
        sa.Column("step_to", sa.BigInteger),
        sa.Column("supersedes", UUID),
    )
    op.create_index("label_by_episode", "label", ["episode", "kind"])
    op.create_index("label_by_superseded", "label", ["supersedes"])


def _learning() -> None:
    op.create_table(
        "run",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_ns", sa.BigInteger, nullable=False),
        sa.Column("ended_ns", sa.BigInteger),
    )
    op.create_table(
        "checkpoint",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("run", UUID, sa.ForeignKey("run.id")),
        sa.Column("parent", NAME, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "adaptation_run",
        sa.Column("id", UUID, primary_key=True),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("task", NAME, nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_ns", sa.BigInteger, nullable=False),
        sa.Column("ended_ns", sa.BigInteger),
    )
    op.create_table(
        "adaptation_step",
        sa.Column("run", UUID, sa.ForeignKey("adaptation_run.id"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("episodes", sa.JSON, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
    )
