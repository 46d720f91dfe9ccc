"""Minimum, maximum, mean, deviation and quantiles of every column of a data set, as LeRobot keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def of_numbers(values: NDArray[Any]) -> dict[str, Any]:
    """Statistics of values (N, D) per component, as lists of D."""
    numbers = values.reshape(len(values), -1).astype(np.float64)
    said = {
        "min": numbers.min(0), "max": numbers.max(0), "mean": numbers.mean(0), "std": numbers.std(0),
        **{name: np.quantile(numbers, share, axis=0) for name, share in QUANTILES.items()},
    }  # fmt: skip
    return {**{name: value.tolist() for name, value in said.items()}, "count": [len(numbers)]}


def histogram(frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value occurs per channel: frames (N, height, width, 3) -> (3, 256)."""
    return np.stack([np.bincount(frames[..., c].ravel(), minlength=256) for c in range(3)])


def of_pixels(histograms: Sequence[NDArray[np.int64]], frames: int) -> dict[str, Any]:
    """Statistics per channel of pixels in [0, 1], each shaped (3, 1, 1), from histograms (3, 256)."""
    counts = np.sum(histograms, axis=0)
    level = np.arange(256) / 255.0
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ level
    rising = np.cumsum(share, axis=1)
    said = {
        "min": level[(counts > 0).argmax(1)], "max": level[255 - (counts[:, ::-1] > 0).argmax(1)], "mean": mean,
        "std": np.sqrt(np.maximum(0.0, share @ level**2 - mean**2)),
        **{name: level[(rising >= at).argmax(1)] for name, at in QUANTILES.items()},
    }  # fmt: skip
    return {**{name: value.reshape(3, 1, 1).tolist() for name, value in said.items()}, "count": [frames]}
