"""Where the arm is seen in a picture: the outlines of its parts, from joints and a projection, without any renderer.

The shapes are those of the twin: capsules of the links, boxes of hand and pads (`sawyer_model.json`).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from gmps_robot.control.kinematics import forward, rotation_from_quaternion
from gmps_robot.control.sawyer_model import JOINTS, SawyerModel, sawyer_model
from gmps_robot.types import FloatArray

AROUND = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)  # where the outline of a sphere has its points [rad]
NEAREST = 0.05  # parts of the arm nearer to the camera than this are not drawn [m]


class Part(NamedTuple):
    """One convex piece of the arm: its outline is that of spheres at these points."""

    link: int
    points: FloatArray  # (n, 3) in the link's frame [m]
    radius: float  # [m]; zero: of the points themselves
    tool: bool  # of hand or pads
    opens: FloatArray  # (3,) motion from closed to open gripper, in the link's frame [m]


def arm_outline(joints: FloatArray, gripper: float, projection: FloatArray) -> list[FloatArray]:
    """Return the outline of every part of the arm, (n, 2) [pixel] each, the base's first.

    Args:
        joints: measured (7,) [rad].
        gripper: -1 closed to 1 open.
        projection: (3, 4) homogeneous base coordinates [m] to pixel times depth [m].
    """
    return _outlines(_parts(), joints, gripper, projection, np.zeros(3))


def tool_outline(joints: FloatArray, gripper: float, projection: FloatArray, move: FloatArray) -> list[FloatArray]:
    """Return the outline of hand and pads after the tip has gone on by `move` (3,) [m]; the rest as `arm_outline`."""
    return _outlines([part for part in _parts() if part.tool], joints, gripper, projection, move)


def _outlines(
    parts: list[Part], joints: FloatArray, gripper: float, projection: FloatArray, move: FloatArray
) -> list[FloatArray]:
    pose = forward(np.asarray(joints, dtype=np.float64)[None])
    eye = np.linalg.svd(projection)[2][-1]  # homogeneous; what the projection makes nothing of is where it looks from
    found = []
    for part in parts:
        local = part.points + part.opens * 0.5 * (gripper + 1.0)
        base = local @ pose.link_rotations[part.link][0].T + pose.link_positions[part.link, 0] + move
        if part.radius:
            base = np.concatenate([_rim(middle, part.radius, eye) for middle in base])
        seen = np.column_stack([base, np.ones(len(base))]) @ projection.T
        if np.all(seen[:, 2] > NEAREST):
            found.append(_hull(seen[:, :2] / seen[:, 2:]))
    return found


def _rim(middle: FloatArray, radius: float, eye: FloatArray) -> FloatArray:
    """Points (n, 3) of the circle on a sphere that `eye` (4,), a point or a direction, sees as its edge."""
    towards = eye[:3] - eye[3] * middle
    share = (radius * eye[3]) ** 2 / (towards @ towards)  # squared sine of half the angle under which it is seen
    normal = towards / np.linalg.norm(towards)
    across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    across /= np.linalg.norm(across)
    ring = np.outer(np.cos(AROUND), across) + np.outer(np.sin(AROUND), np.cross(normal, across))
    centre = middle + normal * radius * np.sqrt(share) * np.sign(eye[3])
    return np.asarray(centre + radius * np.sqrt(max(0.0, 1.0 - share)) * ring)


def _hull(points: FloatArray) -> FloatArray:
    """Convex hull of (n, 2), counter-clockwise where y points up (Andrew 1979)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def chain(rows: FloatArray) -> list[FloatArray]:
        kept: list[FloatArray] = []
        for row in rows:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], row) <= 0.0:
                kept.pop()
            kept.append(row)
        return kept[:-1]

    return np.array([*chain(ordered), *chain(ordered[::-1])])


def _turn(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


@cache
def _parts() -> list[Part]:
    model = sawyer_model()
    links = [
        Part(index, np.array([capsule.start, capsule.end]), capsule.radius, False, np.zeros(3))
        for index, link in enumerate(model.links) for capsule in link.capsules
    ]  # fmt: skip
    return [*links, *_tool(model)]


def _tool(model: SawyerModel) -> list[Part]:
    """Hand and pads, in the last link's frame."""
    turn, place = rotation_from_quaternion(model.hand_quaternion), np.array(model.hand_position)
    corners = np.array(list(product((-1.0, 1.0), repeat=3)))
    half, gripper = np.array(model.hand_half_size), model.gripper
    hand = np.array([0.0, 0.0, half[2]]) + corners * half
    closed, opened = gripper.finger_range
    parts = [Part(JOINTS - 1, hand @ turn.T + place, 0.0, True, np.zeros(3))]
    for side in (1.0, -1.0):
        x, y, z = gripper.pad_center
        middle = np.array([x, side * (gripper.finger_offset + closed + y), gripper.tip[2] + z])
        pad = middle + corners * np.array(gripper.pad_half_size)
        opens = turn @ np.array([0.0, side * (opened - closed), 0.0])
        parts.append(Part(JOINTS - 1, pad @ turn.T + place, 0.0, True, opens))
    return parts
