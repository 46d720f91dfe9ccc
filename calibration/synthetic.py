"""Rigs that never were, with known truth: where the board goes, what is seen of it, and an arm that is a little off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.board import BoardSpec
from calibration.capture import Setup
from calibration.detect import Corners, detect
from calibration.lens import project
from calibration.poses import Pose, from_rotation_vector, inverse, pose, transform
from calibration.sightings import Sighting, Sightings
from gmps_robot.rig import SensorCalibration
from gmps_robot.types import FloatArray, ImageArray

Painter = Callable[[Pose], ImageArray]  # pose of the board in the optical frame -> image
MARGIN = 8.0  # of the board to the image's edge [pixel]


@dataclass(frozen=True)
class Truth:
    """One rig."""

    setup: Setup
    board: BoardSpec
    lens: SensorCalibration
    camera: Pose  # in `base` (eye to hand) or in the hand
    fixed: Pose  # the board in the hand or in `base`

    def hand(self, seen: FloatArray) -> FloatArray:
        """Return the hand's poses (..., 4, 4) in `base` that show the board at `seen` in the optical frame."""
        carried = self.camera @ seen @ inverse(self.fixed)
        return carried if self.setup == "eye_to_hand" else inverse(carried)


def rig(setup: Setup, board: BoardSpec, lens: SensorCalibration, rng: np.random.Generator) -> Truth:
    """Return a rig of plausible size: a camera a metre from the base, or some centimetres from the hand."""
    turn = from_rotation_vector(rng.uniform(-2.0, 2.0, 3))
    if setup == "eye_to_hand":
        camera = pose(turn, np.array([1.05, 0.0, 0.55]) + rng.uniform(-0.1, 0.1, 3))
        fixed = pose(from_rotation_vector(rng.uniform(-1.0, 1.0, 3)), rng.uniform(-0.1, 0.1, 3))
    else:
        camera = pose(turn, rng.uniform(-0.08, 0.08, 3))
        place = np.array([0.6, 0.0, 0.0]) + rng.uniform(-0.1, 0.1, 3)
        fixed = pose(from_rotation_vector(rng.uniform(-1.0, 1.0, 3)), place)
    return Truth(setup, board, lens, camera, fixed)


def board_poses(board: BoardSpec, lens: SensorCalibration, count: int, rng: np.random.Generator) -> FloatArray:
    """Return poses of the board (count, 4, 4) in the optical frame: in view, near and far, tilted to 45 deg, turned."""
    found: list[Pose] = []
    size = max(board.width, board.height)
    while len(found) < count:
        tilt, about, spin = rng.uniform(0.2, 0.8), rng.uniform(0.0, 2.0 * np.pi), rng.uniform(-1.6, 1.6)
        turn = from_rotation_vector(tilt * np.array([np.cos(about), np.sin(about), 0.0]))
        turn = turn @ from_rotation_vector(np.array([0.0, 0.0, spin]))
        distance = rng.uniform(1.2, 2.2) * size
        reach = 0.5 * distance * np.array([lens.width / lens.fx, lens.height / lens.fy])
        center = np.array([*(rng.uniform(-0.7, 0.7, 2) * reach), distance])
        placed = pose(turn, center - turn @ board.center)
        pixels = project(transform(placed, board.corners), lens)
        low, high = pixels.min(0), pixels.max(0)
        if low.min() > MARGIN and high[0] < lens.width - MARGIN and high[1] < lens.height - MARGIN:
            found.append(placed)
    return np.stack(found)


def unsure(motions: FloatArray, position: float, rotation: float, rng: np.random.Generator) -> FloatArray:
    """Return poses (n, 4, 4) with normal errors of deviation `position` [m] and `rotation` [rad] on each axis."""
    turn = from_rotation_vector(rng.normal(0.0, 1.0, (len(motions), 3)) * rotation)
    shift = rng.normal(0.0, 1.0, (len(motions), 3)) * position
    return pose(turn @ motions[:, :3, :3], motions[:, :3, 3] + shift)


def projected(truth: Truth, seen: FloatArray, told: FloatArray, pixel: float, rng: np.random.Generator) -> Sightings:
    """Return what a detector with errors of `pixel` finds of boards at `seen`, with the arm's poses as `told`."""
    ids = np.arange(len(truth.board.corners))
    views = []
    for k, (there, hand) in enumerate(zip(seen, told, strict=True)):
        pixels = project(transform(there, truth.board.corners), truth.lens)
        views.append(Sighting(f"{k:03d}.png", Corners(ids, pixels + rng.normal(0.0, pixel, pixels.shape)), hand))
    return Sightings(truth.setup, truth.board, truth.lens.width, truth.lens.height, tuple(views), {})


def painted(truth: Truth, seen: FloatArray, told: FloatArray, paint: Painter) -> Sightings:
    """Return what is found in pictures of boards at `seen`, with the arm's poses as `told`."""
    views, unseen = [], {}
    for k, (there, hand) in enumerate(zip(seen, told, strict=True)):
        corners = detect(paint(there), truth.board)
        if corners is None:
            unseen[f"{k:03d}.png"] = "not found"
        else:
            views.append(Sighting(f"{k:03d}.png", corners, hand))
    return Sightings(truth.setup, truth.board, truth.lens.width, truth.lens.height, tuple(views), unseen)
