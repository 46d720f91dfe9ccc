"""Digests of episodes: a peer reads in its own environment and hands back no more than these."""

from __future__ import annotations

import hashlib

import numpy as np


def digests(episodes: list[dict[str, np.ndarray]]) -> list[dict[str, str]]:
    """SHA-256 of every array of every episode: frames as uint8, the rest as float32."""
    return [
        {key: hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest() for key, value in episode.items()}
        for episode in episodes
    ]
