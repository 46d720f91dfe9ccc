"""What can be said of an episode without judging its outcome: figures, and flags for a person to look at.

A flag is a hint. Nothing is left out of training because of one alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gmps_robot.data.episode import RecordedEpisode
from gmps_robot.types import FloatArray

SHORT = 0.5  # an episode below this is `short` [s]
LOW_MOTION = 0.02  # a path of the tip below this is `low_motion` [m]
REVERSALS = 0.15  # `jerky` above this share of moving periods in which the motion turned back
CHANGED = 0.25  # by more than this share of full speed the guard has changed a request
CLIPPED = 0.30  # `clipped` above this share of periods with a changed request
SLOW = 0.02  # of full speed; slower is no motion


def quality(episode: RecordedEpisode) -> dict[str, Any]:
    """Return figures by name (SI units) and `flags`, a list out of short, low_motion, jerky, clipped."""
    seconds = len(episode) / episode.info.control_hz
    figures = motion(episode.tips, episode.info.control_hz)
    turned, clipped = _reversals(episode), _changed(episode)
    gaps = np.diff(episode.stamps_ns) * 1e-9
    flags = {
        "short": seconds < SHORT, "low_motion": figures["path"] < LOW_MOTION, "jerky": turned > REVERSALS,
        "clipped": clipped > CLIPPED,
    }  # fmt: skip
    return {
        "seconds": round(seconds, 3),
        **figures,
        "reversals": round(turned, 3),
        "clipped": round(clipped, 3),
        "longest_gap": round(float(gaps.max()) if len(gaps) else 0.0, 3),
        "dropped": 0 if episode.outcome is None else episode.outcome.dropped,
        "skipped": episode.skipped,
        "flags": [name for name, raised in flags.items() if raised],
    }


def motion(tips: FloatArray, control_hz: float) -> dict[str, float]:
    """Return path [m], mean speed [m/s] and root mean square jerk [m/s^3] of the tips (T, 3) [m] of the periods."""
    path = float(np.linalg.norm(np.diff(tips, axis=0), axis=1).sum())
    third = np.diff(tips, n=3, axis=0) * control_hz**3
    jerk = float(np.sqrt(np.mean(np.sum(third**2, axis=1)))) if len(third) else 0.0
    return {
        "path": round(path, 4), "speed": round(path * control_hz / len(tips), 4) if len(tips) else 0.0,
        "jerk": round(jerk, 3),
    }  # fmt: skip


def _reversals(episode: RecordedEpisode) -> float:
    velocity = episode.applied[:, :3]
    speed = np.linalg.norm(velocity, axis=1)
    moving = velocity[speed > SLOW]
    if len(moving) < 2:
        return 0.0
    return float(np.mean(np.sum(moving[1:] * moving[:-1], axis=1) < 0.0))


def _changed(episode: RecordedEpisode) -> float:
    if not len(episode):
        return 0.0
    change = np.linalg.norm(episode.commanded[:, :3] - episode.applied[:, :3], axis=1)
    return float(np.mean(change > CHANGED))
