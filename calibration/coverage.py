"""What a set of views shows: where in the image, how far, how tilted, how turned; and what to show next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.board import BoardSpec
from calibration.detect import Corners
from calibration.faults import SPREAD, rotation_spread
from calibration.poses import Pose
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray

COLUMNS, ROWS = 6, 4  # of the grid over the image
ENOUGH_CORNERS = 5  # in a cell
ENOUGH_CELLS = 0.8  # share of the grid
ENOUGH_TILT = np.deg2rad(20.0)
FAR_TO_NEAR = 1.4  # ratio of distances that is wanted
ENOUGH_VIEWS = 20
TILTS = ("left edge nearer", "right edge nearer", "top edge nearer", "bottom edge nearer")
PLACES = (("top left", "top", "top right"), ("left", "middle", "right"), ("bottom left", "bottom", "bottom right"))


@dataclass(frozen=True)
class Coverage:
    """What the views so far have shown."""

    views: int
    cells: FloatArray  # (ROWS, COLUMNS) corners seen in each cell
    tilts: tuple[int, int, int, int]  # views with each edge of the board clearly nearer: see `TILTS`
    distances: tuple[float, float]  # nearest and farthest [m]
    spread: FloatArray  # (3,) rms rotation of the hand about its principal axes [rad]

    @property
    def cell_shares(self) -> FloatArray:
        """(ROWS, COLUMNS) how much of what each cell needs is there, 0 to 1."""
        return np.minimum(1.0, self.cells / ENOUGH_CORNERS)

    @property
    def shares(self) -> tuple[float, float, float, float, float]:
        """How much of what is wanted is there, 0 to 1: image, tilts, distances, rotations of the hand, views."""
        near, far = self.distances
        return (
            min(1.0, float((self.cells >= ENOUGH_CORNERS).mean()) / ENOUGH_CELLS),
            sum(count > 0 for count in self.tilts) / 4.0,
            float(np.clip((far / max(near, 1e-9) - 1.0) / (FAR_TO_NEAR - 1.0), 0.0, 1.0)),
            float(np.clip(self.spread[1] / (2.0 * SPREAD), 0.0, 1.0)),
            min(1.0, self.views / ENOUGH_VIEWS),
        )

    @property
    def complete(self) -> bool:
        """Whether solving is worth while."""
        return all(share == 1.0 for share in self.shares)


def coverage(
    seen: list[Corners], poses: list[Pose], arm: list[Pose], board: BoardSpec, camera: SensorCalibration
) -> Coverage:
    """Return what these views show.

    Args:
        seen: corners of each view.
        poses: (4, 4) of the board in the optical frame in each.
        arm: (4, 4) of the hand in `base` in each.
        board: what was shown.
        camera: roughly what its intrinsics are.
    """
    cells = np.zeros((ROWS, COLUMNS))
    for corners in seen:
        column = np.clip(corners.pixels[:, 0] / camera.width * COLUMNS, 0, COLUMNS - 1).astype(int)
        row = np.clip(corners.pixels[:, 1] / camera.height * ROWS, 0, ROWS - 1).astype(int)
        np.add.at(cells, (row, column), 1.0)
    tilts, far = np.zeros(4, dtype=int), []
    for there in poses:
        far.append(float((there[:3, :3] @ board.center + there[:3, 3])[2]))
        lean = there[:3, 2]  # the board's normal, away from the camera
        along = np.array([-lean[0], lean[0], -lean[1], lean[1]])
        tilts += along > np.sin(ENOUGH_TILT)
    spread = rotation_spread(np.stack(arm)) if len(arm) > 1 else np.zeros(3)
    nearest = (min(far), max(far)) if far else (0.0, 0.0)
    a, b, c, d = (int(n) for n in tilts)
    return Coverage(len(seen), cells, (a, b, c, d), nearest, spread)


def hint(state: Coverage) -> str:
    """Return what to show next, in words for a person at the board."""
    if state.views == 0:
        return "show the whole board in the middle of the image"
    if state.shares[0] < 1.0:
        return f"move the board to the {_emptiest(state.cells)} of the image"
    for name, count in zip(TILTS, state.tilts, strict=True):
        if count == 0:
            return f"tilt the board by 30 degrees, {name}"
    near, far = state.distances
    if far < FAR_TO_NEAR * near:
        return f"change the distance: so far {near:.2f} to {far:.2f} m, wanted is {FAR_TO_NEAR:g} times as far as near"
    if state.spread[1] < 2.0 * SPREAD:
        return "turn the hand about another axis: so far it turns about one only"
    if state.views < ENOUGH_VIEWS:
        return f"go on, anywhere different: {state.views} of {ENOUGH_VIEWS} views"
    return "enough: solve"


def _emptiest(cells: FloatArray) -> str:
    row, column = np.unravel_index(int(cells.argmin()), cells.shape)
    return PLACES[int(3 * row / ROWS)][int(3 * column / COLUMNS)]
