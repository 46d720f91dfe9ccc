"""Rules of labels: what one may say, what it speaks of, and which of many stand."""

from __future__ import annotations

from collections.abc import Iterable

from gmps_robot.data.models import LABEL_KINDS, Label
from gmps_robot.errors import CatalogError, LabelError, nearest

Words = tuple[str, float, str]  # kind, value and text of a label
BINARY = ("accepted", "success", "flag")
LONGEST_TEXT = 2000


def subject(label: Label) -> tuple[str, int | None, int | None, str]:
    """What a label speaks of: two labels of one subject cannot both stand."""
    return label.kind, label.step_from, label.step_to, label.text if label.kind == "flag" else ""


def standing(labels: Iterable[Label]) -> list[Label]:
    """Of labels, oldest first, those that stand. Where two writers were equally fast, the later one does."""
    kept = list(labels)
    gone = {label.supersedes for label in kept}
    newest = {subject(label): label.id for label in kept if label.id not in gone}
    return [label for label in kept if newest.get(subject(label)) == label.id]


def check_key(key: str, known: Words | None, words: Words) -> None:
    """Refuse `words` that come with the key of other ones. `known`: what was said under `key`; None: nothing was.

    Raises:
        LabelError: they differ.
    """
    if known is not None and known != words:
        raise LabelError(
            f"key {key!r} is of a label {known[0]!r} of value {known[1]:g}, not of {words[0]!r} of value {words[1]:g}; "
            "what is said anew needs a key of its own"
        )


def check(steps: int, kind: str, value: float, first: int | None, last: int | None, text: str) -> None:
    """Refuse what cannot be said of an episode of so many steps.

    Raises:
        CatalogError: an unknown kind, or a value, remark or range of steps that cannot be.
    """
    if kind not in LABEL_KINDS:
        raise CatalogError(f"unknown label kind {kind!r}{nearest(kind, LABEL_KINDS)}")
    if kind in BINARY and value not in (0, 1):
        raise CatalogError(f"a label {kind!r} is 0 or 1, not {value!r}")
    if not abs(value) < 1e6:
        raise CatalogError(f"the value {value!r} of a label {kind!r} is not a number below a million")
    if kind == "flag" and not text:
        raise CatalogError("a flag needs a name, such as jerky or clipped")
    if len(text) > LONGEST_TEXT:
        raise CatalogError(f"a remark of {len(text)} characters; the longest has {LONGEST_TEXT}")
    if (first is None) != (last is None):
        raise CatalogError("a label of some steps needs both step_from and step_to")
    if first is not None and last is not None and not 0 <= first < last <= steps:
        raise CatalogError(f"steps [{first}, {last}) are not in an episode of {steps} steps")
