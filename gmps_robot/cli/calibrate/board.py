"""gmps calibrate board: a board to print, and the file that says how large it came out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from calibration.board import BoardSpec

FILE = "board.yaml"


@dataclass(frozen=True)
class BoardOptions:
    """Make a ChArUco board as PDF, SVG and PNG at true scale with a ruler, and its board.yaml.

    Example:
        gmps calibrate board boards/a4

    Print it at 100 % (no fitting to the page), glue it flat, measure several squares together with a calliper, and say
    what one measures: a board that is 1 % larger than its file says puts the camera 1 % too near.
    """

    directory: Annotated[Path, tyro.conf.Positional]
    """Where the files go."""
    squares_x: int = 8
    """Squares across."""
    squares_y: int = 6
    """Squares down."""
    square_mm: float = 30.0
    """Edge of a square [mm]."""
    marker_share: float = 0.75
    """Edge of a marker as a share of the square's."""
    dictionary: str = "DICT_5X5_100"
    """ArUco dictionary of OpenCV."""
    paper: str = "A4"
    """A4, A3, A2 or letter."""
    measured_mm: float | None = None
    """What a square of the print measures [mm]; asked for when this runs in a terminal."""


def run(options: BoardOptions) -> int:
    """Carry out the command; returns the exit code."""
    from calibration.board import BoardSpec, load_board
    from calibration.sheet import sheet, write_sheet
    from gmps_robot import config

    path = options.directory / FILE
    if options.measured_mm is not None and path.is_file():
        config.save(load_board(path).measured(options.measured_mm / 1e3), path)
        print(f"written: {path}: squares of {options.measured_mm:g} mm")
        return 0
    square = options.square_mm / 1e3
    board = BoardSpec(
        options.squares_x, options.squares_y, square, square * options.marker_share, options.dictionary
    )
    for written in write_sheet(sheet(board, options.paper), options.directory / "board"):
        print(f"written: {written}")
    config.save(_measured(board, options), path)
    print(f"written: {path}; next: gmps calibrate capture captures/monday --board {path}")
    return 0


def _measured(board: BoardSpec, options: BoardOptions) -> BoardSpec:
    if options.measured_mm is not None:
        return board.measured(options.measured_mm / 1e3)
    if not sys.stdin.isatty():
        print(f"when it is printed: gmps calibrate board {options.directory} --measured-mm WHAT_A_SQUARE_MEASURES")
        return board
    said = input(f"measured edge of a square on the print [mm], Enter for {board.square * 1e3:g}: ").strip()
    try:
        return board.measured(float(said) / 1e3) if said else board
    except ValueError as error:
        from gmps_robot.errors import ConfigError

        raise ConfigError(f"{said!r} is no number of millimetres") from error
