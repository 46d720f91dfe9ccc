"""Where the board was seen, and where the arm was: what every solver works on. Also made without images, by tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.board import BoardSpec
from calibration.capture import Capture, Setup, View, read_image
from calibration.detect import Corners, detect, why_not
from calibration.poses import Pose, matrix
from gmps_robot.errors import CalibrationError

FEWEST_VIEWS = 8
SAID = 3  # views whose failure is quoted


@dataclass(frozen=True)
class Sighting:
    """The board in one view."""

    name: str  # of the view
    corners: Corners
    hand: Pose  # (4, 4) of the hand in `base`, as the arm told
    joints: tuple[float, ...] | None = None
    lag: float = 0.0  # how much older the arm's state is than the image [s]


@dataclass(frozen=True)
class Sightings:
    """All views of one capture in which the board was seen."""

    setup: Setup
    board: BoardSpec
    width: int
    height: int
    views: tuple[Sighting, ...]
    unseen: Mapping[str, str]  # views without the board, and why

    def only(self, chosen: Sequence[int]) -> Sightings:
        """Return the views of these indices."""
        views = tuple(self.views[k] for k in chosen)
        return Sightings(self.setup, self.board, self.width, self.height, views, self.unseen)


def sight(directory: Path, capture: Capture) -> Sightings:
    """Find the board in every view of a capture.

    Raises:
        CalibrationError: an image is missing, unreadable or of another size; a view has no arm pose; the board is in
            none of them, or in fewer than `FEWEST_VIEWS`.
    """
    without = [view.image for view in capture.views if view.hand is None]
    if without:
        raise CalibrationError(
            f"{directory}: no arm pose for {', '.join(without[:SAID])}{' ...' if len(without) > SAID else ''} "
            f"({len(without)} of {len(capture.views)} views): hand-eye needs joints and hand of every view"
        )
    seen, unseen = [], {}
    for view in capture.views:
        image = read_image(directory, capture, view)
        corners = detect(image, capture.board)
        if corners is None:
            unseen[view.image] = why_not(image, capture.board)
        else:
            seen.append(_sighting(view, corners))
    found = Sightings(capture.setup, capture.board, capture.width, capture.height, tuple(seen), unseen)
    check_enough(found, str(directory))
    return found


def check_enough(found: Sightings, where: str) -> None:
    """Refuse what no calibration can come from.

    Raises:
        CalibrationError: the board was never seen, or in too few views; the reasons are quoted.
    """
    reasons = "; ".join(f"{name}: {why}" for name, why in list(found.unseen.items())[:SAID])
    if not found.views and found.unseen:
        raise CalibrationError(
            f"{where}: the board is in none of {len(found.unseen)} images ({reasons}); nothing was deleted"
        )
    if len(found.views) < FEWEST_VIEWS:
        told = f" ({reasons})" if reasons else ""
        raise CalibrationError(
            f"{where}: too few views: the board is in {len(found.views)}, at least {FEWEST_VIEWS} are needed, 20 are "
            f"good{told}; go on with gmps calibrate capture into the same directory"
        )


def _sighting(view: View, corners: Corners) -> Sighting:
    if view.hand is None:
        raise CalibrationError(f"{view.image}: no arm pose")
    lag = (view.image_stamp_ns - view.state_stamp_ns) * 1e-9
    return Sighting(view.image, corners, matrix(view.hand), view.joints, lag)
