"""From a file to its row in the catalogue; the recorder, `recover` and `reindex` make the same one."""

from __future__ import annotations

from pathlib import Path

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.check import Summary, check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.folder import DISCARDED
from gmps_robot.data.info import EpisodeOutcome
from gmps_robot.data.models import Episode, EpisodeStatus
from gmps_robot.data.quality import quality

RECORDER = "recorder"  # author of what the file itself says


def keep(catalog: Catalog, path: Path, summary: Summary | None = None) -> Episode:
    """Put the episode of `path` into the catalogue, with the labels that it was saved with. Doing it twice is the same.

    Args:
        catalog: of the data directory that holds `path`.
        path: a saved, recovered or discarded episode.
        summary: what `check` says of it, where that is known already.

    Raises:
        EpisodeError: the file is damaged.
        CatalogError: it is not below the data directory, or the catalogue cannot be reached.
    """
    summary = summary or check(path)
    info, outcome, episode = summary.info, summary.outcome, read_episode(path, pictures=False)
    status: EpisodeStatus = "recovered" if outcome is None else "complete"
    row = catalog.add(info, path, summary.sha256, len(episode), status, quality(episode))
    if outcome is not None:
        _label(catalog, info.episode, info.operator or RECORDER, outcome)
    if path.parent.name == DISCARDED:
        reason = "" if outcome is None else outcome.reason
        row = catalog.discard(info.episode, reason or "put aside", info.operator or RECORDER, path)
    return row


def _label(catalog: Catalog, episode: str, author: str, outcome: EpisodeOutcome) -> None:
    said = {
        "accepted": 1.0 if outcome.accepted else None,
        "success": None if outcome.success is None else float(outcome.success),
        "reward": outcome.reward,
    }
    for kind, value in said.items():
        if value is not None:
            catalog.label(episode, kind, value, author, key=f"saved:{kind}")
