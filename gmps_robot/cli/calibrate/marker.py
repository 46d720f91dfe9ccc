"""gmps calibrate marker: a marker to print and stick on the block, or on the hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class MarkerOptions:
    """Write a marker as SVG at true scale, with its white edge, and the YAML that the tracker reads.

    Example:
        gmps calibrate marker markers/block

    Print it at 100 %, cut along the outer line, stick it flat in the middle of the block's top, its first row to the
    left as the robot looks at it.
    """

    out: Annotated[Path, tyro.conf.Positional]
    """File name without its ending."""
    number: int = 0
    """Number of the marker in its dictionary."""
    size_mm: float = 30.0
    """Side of the black square [mm]; the print is a third larger."""
    height_mm: float = 40.0
    """Height of the print above the table [mm]."""
    above_mm: float = 20.0
    """Height of the print over the middle of the block [mm]."""


def run(options: MarkerOptions) -> int:
    """Carry out the command; returns the exit code."""
    from calibration.track import MarkerSpec
    from gmps_robot import config

    spec = MarkerSpec(
        number=options.number, size=options.size_mm / 1e3, height=options.height_mm / 1e3, above=options.above_mm / 1e3
    )
    cells, side = spec.cells, 1e3 * spec.print_size
    step = side / len(cells)
    black = "".join(
        f'<rect x="{column * step:.4f}" y="{row * step:.4f}" width="{step:.4f}" height="{step:.4f}"/>'
        for row, line in enumerate(cells) for column, white in enumerate(line) if not white
    )  # fmt: skip
    sheet = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side:g}mm" height="{side:g}mm" '
        f'viewBox="0 0 {side:g} {side:g}" shape-rendering="crispEdges">'
        f'<rect width="{side:g}" height="{side:g}" fill="white" stroke="grey" stroke-width="0.1"/>{black}</svg>\n'
    )
    drawing, told = (options.out.with_name(options.out.name + ending) for ending in (".svg", ".yaml"))
    config.save(spec, told)
    drawing.write_text(sheet, encoding="utf-8")
    print(f"{drawing}: {side:g} mm wide; the tracker reads marker:={told}")
    return 0
