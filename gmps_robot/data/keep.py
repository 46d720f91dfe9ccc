"""From a file to its row in the catalogue; the recorder, `recover` and `reindex` make the same one."""

from __future__ import annotations

from pathlib import Path

from gmps_robot.data import said
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.check import check
from gmps_robot.data.episode import read_episode
from gmps_robot.data.folder import DISCARDED
from gmps_robot.data.info import EpisodeOutcome
from gmps_robot.data.models import Episode, EpisodeStatus
from gmps_robot.data.quality import quality
from gmps_robot.data.writer import Saved

RECORDER = "recorder"  # author of what the file itself says


def keep(catalog: Catalog, path: Path, saved: Saved | None = None) -> Episode:
    """Put the episode of `path` into the catalogue, with what was said of it until then. Doing it twice is the same.

    Args:
        catalog: of the data directory that holds `path`.
        path: a saved, recovered or discarded episode.
        saved: what its writer knows of it; else all of it is read and checked.

    Raises:
        EpisodeError: the file is damaged.
        CatalogError: it is not below the data directory, or the catalogue cannot be reached.
    """
    summary = check(path) if saved is None else saved.summary
    episode = read_episode(path, pictures=False) if saved is None else saved.episode()
    info, outcome = summary.info, summary.outcome
    status: EpisodeStatus = "recovered" if outcome is None else "complete"
    row = catalog.add(info, path, summary.sha256, len(episode), status, quality(episode))
    said.take(catalog, row)
    if outcome is not None:
        _label(catalog, info.episode, outcome.judge or info.operator or RECORDER, outcome)
    if path.parent.name == DISCARDED:
        reason = "" if outcome is None else outcome.reason
        row = catalog.discard(info.episode, reason or "put aside", info.operator or RECORDER, path)
    return row


def _label(catalog: Catalog, episode: str, author: str, outcome: EpisodeOutcome) -> None:
    verdicts = {
        "accepted": 1.0 if outcome.accepted else None,
        "success": None if outcome.success is None else float(outcome.success),
        "reward": outcome.reward,
    }
    for kind, value in verdicts.items():
        if value is not None:
            catalog.label(episode, kind, value, author, key=f"saved:{kind}")
