"""The scripted push expert: get behind the block, push along the line to the goal, slow down, stop."""

from __future__ import annotations

import numpy as np

from gmps_robot.types import FloatArray

PAD_OFFSET = -0.028  # tip x relative to the block just before contact [m]
SETTLE = 0.012  # closer than this to the goal is done [m]
SLOWING = 0.03  # length of the slow-down before the goal [m]
TIP_HEIGHT = 0.025  # [m]


def push_expert(tip: FloatArray, block: FloatArray, goal: FloatArray, step: float) -> FloatArray:
    """Return actions (..., 3) in [-1, 1] for tip (..., 3), block (..., 3), goal (..., 2) [m].

    `step` is the distance of a full action in one control step [m].
    """
    to_goal = goal - block[..., :2]
    distance = np.linalg.norm(to_goal, axis=-1, keepdims=True)
    rel = tip[..., :2] - block[..., :2]
    behind = rel[..., 0] < -0.024
    sideways = np.abs(rel[..., 1])
    contact = behind & (rel[..., 0] > -0.040) & (sideways < 0.018)

    push = to_goal / np.maximum(np.abs(to_goal).max(axis=-1, keepdims=True), 1e-6)
    push = push * np.clip((distance - SETTLE) / SLOWING, 0.0, 1.0)
    approach = np.stack(
        [
            np.clip((PAD_OFFSET - rel[..., 0]) / step, -1, 1) * np.clip(1.5 - sideways / 0.02, 0, 1),
            np.clip(-rel[..., 1] / step, -1, 1),
        ],
        axis=-1,
    )
    outward = np.where(sideways < 0.045, np.where(rel[..., 1] >= 0, 1.0, -1.0), 0.0)
    back_off = np.stack([-np.ones_like(sideways), outward], axis=-1)

    xy = np.where(contact[..., None], push, np.where(behind[..., None], approach, back_off))
    done = (distance[..., 0] < SETTLE) & behind
    xy = np.where(done[..., None], 0.0, xy)
    z = np.clip((TIP_HEIGHT - tip[..., 2]) / step, -1, 1)
    action: FloatArray = np.clip(np.concatenate([xy, z[..., None]], axis=-1), -1.0, 1.0)
    return action
