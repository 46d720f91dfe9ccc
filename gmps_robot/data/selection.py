"""Which episodes of the catalogue are meant: a filter, and the question it asks the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.orm import aliased

from gmps_robot.data.models import Episode, Label

Columns = TypeVarTuple("Columns")


@dataclass(frozen=True)
class EpisodeFilter:
    """Which episodes; None asks for nothing. `accepted`, `success` and `flag` speak of the labels that stand."""

    family: str | None = None
    split: str | None = None
    task: str | None = None  # Task.task_id
    source: str | None = None
    mode: str | None = None
    operator: str | None = None
    checkpoint: str | None = None
    status: str | None = None
    accepted: bool | None = None
    success: bool | None = None
    labelled: bool | None = None  # whether anybody said success or failure
    flag: str | None = None


def passing(query: Select[*Columns], wanted: EpisodeFilter) -> Select[*Columns]:
    """Narrow a query of episodes down to those that pass `wanted`."""
    for name in ("family", "split", "task", "source", "mode", "operator", "checkpoint", "status"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(Episode, name) == value)
    for kind in ("accepted", "success"):
        if (value := getattr(wanted, kind)) is not None:
            query = query.where(said(kind, Label.value == float(value)))
    if wanted.labelled is not None:
        judged = said("success")
        query = query.where(judged if wanted.labelled else ~judged)
    return query if wanted.flag is None else query.where(said("flag", Label.value == 1.0, Label.text == wanted.flag))


def said(kind: str, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a whole-episode label of `kind` stands that meets `conditions`."""
    whole = (Label.episode == Episode.id, Label.kind == kind, Label.step_from.is_(None))
    return select(Label.id).where(*whole, *conditions, stands()).exists()


def stands() -> ColumnElement[bool]:
    """Whether a label stands, as `labels.standing` has it: not superseded, and the newest such of its subject."""
    newer = aliased(Label)
    same = (
        newer.episode == Label.episode, newer.kind == Label.kind, or_(newer.kind != "flag", newer.text == Label.text),
        newer.step_from.is_not_distinct_from(Label.step_from), newer.step_to.is_not_distinct_from(Label.step_to),
    )  # fmt: skip
    after = tuple_(newer.created_ns, newer.id) > tuple_(Label.created_ns, Label.id)
    return ~_superseded(Label) & ~select(newer.id).where(*same, after, ~_superseded(newer)).exists()


def _superseded(label: type[Label]) -> ColumnElement[bool]:
    later = aliased(Label)
    return select(later.id).where(later.supersedes == label.id).exists()
