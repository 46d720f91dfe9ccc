"""Where the moving parts of the arm are: the end spheres of link capsules, the corners of hand and fingers.

A capsule, or a box, lies on one side of a plane when these points do, each by its radius: nothing else is needed for a
table and for walls. The first link only turns about the base's upright axis and is left out: it can never come nearer.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmps_robot.control.kinematics import Pose, rotation_from_quaternion
from gmps_robot.control.sawyer_model import JOINTS, SawyerModel, sawyer_model
from gmps_robot.types import FloatArray

_FIRST_MOVING_LINK = 1


class Body(NamedTuple):
    """Points of the moving parts, K of them."""

    link: NDArray[np.int64]  # (K,) index of the link each is fixed to
    local: FloatArray  # (K, 3) place in that link's frame [m]
    radius: FloatArray  # (K,) [m]
    finger: NDArray[np.bool_]  # (K,) whether it belongs to a finger
    names: tuple[str, ...]  # (K,) part each belongs to


def body_points(pose: Pose) -> FloatArray:
    """Return where the points of `body` are in the base frame, (K, 3) [m]; `pose` is that of one arm."""
    points = body()
    rotations = np.concatenate(pose.link_rotations)[points.link]
    turned = (rotations @ points.local[:, :, None])[:, :, 0]
    return np.asarray(pose.link_positions[points.link, 0] + turned)


@cache
def body() -> Body:
    """Return the points of every part that moves."""
    model = sawyer_model()
    rows: list[tuple[int, FloatArray, float, bool, str]] = []
    for index, link in enumerate(model.links[_FIRST_MOVING_LINK:], _FIRST_MOVING_LINK):
        for capsule in link.capsules:
            ends = (capsule.start, capsule.end)
            rows.extend((index, np.array(end), capsule.radius, False, link.name) for end in ends)
    hand = rotation_from_quaternion(model.hand_quaternion)
    for corner, finger in _tool_corners(model):
        place = np.array(model.hand_position) + hand @ corner
        rows.append((JOINTS - 1, place, 0.0, finger, "fingers" if finger else "hand"))
    links, places, radii, fingers, names = zip(*rows, strict=True)
    found = Body(np.array(links), np.stack(places), np.array(radii), np.array(fingers), names)
    for array in found[:-1]:
        array.setflags(write=False)
    return found


def _tool_corners(model: SawyerModel) -> list[tuple[FloatArray, bool]]:
    """Corners in the hand frame [m], and whether they are of a finger; fingers fully open, their far end only."""
    half, gripper = np.array(model.hand_half_size), model.gripper
    middle = np.array([0.0, 0.0, half[2]])
    corners = [(middle + half * np.array(signs), False) for signs in product((-1, 1), repeat=3)]
    pad, center = np.array(gripper.pad_half_size), gripper.pad_center
    wide = gripper.finger_offset + gripper.finger_range[1] + center[1] + pad[1]
    low = gripper.tip[2] + center[2] + pad[2]
    fingers = [(np.array([x * pad[0], y * wide, low]), True) for x, y in product((-1, 1), repeat=2)]
    return [*corners, *fingers]
