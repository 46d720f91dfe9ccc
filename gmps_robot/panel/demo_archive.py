"""The demo's catalogue: a real one in a folder of its own, whose episodes are kept in memory."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from gmps_robot.data import said
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.episode import EpisodeInfo, RecordedEpisode
from gmps_robot.data.folder import SUFFIX
from gmps_robot.data.models import Episode
from gmps_robot.data.quality import motion
from gmps_robot.errors import CatalogError
from gmps_robot.panel import schema_archive
from gmps_robot.panel.archive import Archive
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_teach import PERIOD, Take


class DemoArchive(Archive):
    """Takes what one `FakeBridge` after the other records."""

    def __init__(self, folder: Path, bridge: FakeBridge) -> None:
        super().__init__(Catalog(folder, f"sqlite:///{folder / 'catalog.db'}"))
        self._folder = folder
        self._takes: dict[str, Take] = {}
        self.take_from(bridge)

    def take_from(self, bridge: FakeBridge) -> None:
        """Take what `bridge` records too."""
        bridge.kept = self._keep

    def _keep(self, take: Take, accepted: bool | None, reason: str) -> None:
        info = EpisodeInfo(
            episode=take.episode, family="push", task=take.task.to_json(), source="demo", mode="twin",
            operator=take.operator, checkpoint="", rig="nominal", envelope="demo", revision="demo",
            control_hz=1.0 / PERIOD, started_ns=time.time_ns() - round(len(take.times) * PERIOD * 1e9),
            action_speed=0.2,
        )
        path = self._folder / f"{take.episode}.demo"
        path.write_bytes(b"".join(take.jpegs))
        self._takes[take.episode] = take
        figures = motion(np.reshape(take.tips, (-1, 3)), info.control_hz)
        quality = {**figures, "flags": ["short"] if len(take.times) < 20 else []}
        row = self.catalog.add(info, path, "0" * 64, len(take.times), quality=quality)
        said.take(self.catalog, row)
        if accepted is None:
            self.catalog.discard(take.episode, reason, take.operator)
        elif accepted:
            self.catalog.label(take.episode, "accepted", 1.0, take.operator)

    def _pictures(self, row: Episode) -> tuple[bytes, ...]:
        take = self._take(row)
        return super()._pictures(row) if take is None else tuple(take.jpegs)

    def _recorded(self, row: Episode) -> RecordedEpisode | None:
        return super()._recorded(row) if self._take(row) is None else None

    def _signals(self, row: Episode, rewards: list[float | None]) -> schema_archive.SignalsAnswer:
        take = self._take(row)
        if take is None:
            return super()._signals(row, rewards)
        return schema_archive.SignalsAnswer(
            t=take.times, tip=[tip.tolist() for tip in take.tips], commanded=[c.tolist() for c in take.commanded],
            applied=[a.tolist() for a in take.applied], reward=rewards,
            object=[block.tolist() for block in take.blocks], guard=["MOVING"] * len(take.times),
        )

    def _take(self, row: Episode) -> Take | None:
        """What was taken here; None for an episode that has a file."""
        if row.path.endswith(SUFFIX):
            return None
        if row.id not in self._takes:
            raise CatalogError(f"the demo has forgotten the pictures of episode {row.id}: it was started anew")
        return self._takes[row.id]
