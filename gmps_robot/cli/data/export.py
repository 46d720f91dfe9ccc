"""gmps data export: episodes as a data set of another program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Export:
    """Write accepted demonstrations as robomimic's HDF5 or as a LeRobotDataset v3.0, frames without loss.

    Example:
        gmps data export push.hdf5 --format robomimic

    The action is what was asked for; what the limits let through is beside it. The files themselves (MCAP) open in
    Foxglove and with `ros2 bag` as they are.
    """

    out: Annotated[Path, tyro.conf.Positional]
    """A file that is not there yet (robomimic), or a folder that is not (lerobot)."""
    format: Literal["robomimic", "lerobot"]
    """For which program."""
    family: str = "push"
    """Episodes of this task family."""
    source: Literal["demo", "policy", "expert", "intervention"] = "demo"
    """Who acted."""
    accepted: bool = True
    """Only episodes that a person accepted; `--no-accepted` for all."""
    operator: str | None = None
    """Only those of one operator."""
    size: tuple[int, int] = (64, 48)
    """Width and height of the frames [pixel]."""
    data: Path | None = None
    """The data directory; by default GMPS_DATA, else ./data."""


def run(options: Export) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.data.catalog import Catalog, EpisodeFilter
    from gmps_robot.data.export import chosen, lerobot, robomimic
    from gmps_robot.families import family as family_by_name

    family = family_by_name(options.family)
    wanted = EpisodeFilter(
        family=family.name, source=options.source, operator=options.operator, accepted=options.accepted or None
    )
    with Catalog(options.data) as catalog:
        episodes = chosen.read(catalog, chosen.select(catalog, wanted), options.size)
        if options.format == "robomimic":
            count = robomimic.write(options.out, episodes, family.name)
        else:
            count = lerobot.write(options.out, episodes, family.control_hz)
    print(f"{count} episodes for {options.format}: {options.out}")
    return 0
