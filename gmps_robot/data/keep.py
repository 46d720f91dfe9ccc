"""From a file to its row in the catalogue; the recorder, `recover` and `reindex` make the same one."""

from __future__ import annotations

from pathlib import Path

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.info import EpisodeOutcome
from gmps_robot.data.models import Episode, EpisodeStatus
from gmps_robot.data.quality import quality

RECORDER = "recorder"  # author of what the file itself says


def keep(catalog: Catalog, path: Path) -> Episode:
    """Put the episode of `path` into the catalogue, with the labels that it was saved with. Doing it twice is the same.

    Raises:
        EpisodeError: the file is damaged.
        CatalogError: it is not below the data directory, or the catalogue cannot be reached.
    """
    summary, episode = check(path), read_episode(path)
    status: EpisodeStatus = "recovered" if summary.outcome is None else "complete"
    row = catalog.add(summary.info, path, summary.sha256, len(episode), status, quality(episode))
    if summary.outcome is not None:
        _label(catalog, summary.info.episode, summary.info.operator or RECORDER, summary.outcome)
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
