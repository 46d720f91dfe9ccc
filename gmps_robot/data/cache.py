"""What training reads: the control periods of an episode as arrays, its frames decoded and resized once.

A cache, below `<data>/cache`: an entry is named by the content of its episode file and by the transform that made it,
so it is never stale; deleting the folder costs time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gmps_robot.camera.view import crop_and_resize
from gmps_robot.data.episode import RecordedEpisode, read_episode
from gmps_robot.errors import EpisodeError
from gmps_robot.types import Float32Array, ImageArray

TRANSFORM = 1  # rises with every change of what an entry holds
POLICY_SIZE = (64, 48)  # width, height
ARRAYS = ("tips", "joints", "objects", "commanded", "applied", "stamps_ns")
DAMAGE = (OSError, ValueError, KeyError, EOFError)  # what numpy says of a file cut short


@dataclass(frozen=True)
class Derived:
    """One episode of T control periods."""

    tips: Float32Array  # (T, 3) [m]
    joints: Float32Array  # (T, 7) [rad]; (T, 0) where the arm did not say
    objects: Float32Array  # (T, 7) block pose, quaternion x y z w; (0, 7) where nobody saw it
    commanded: Float32Array  # (T, 4) in [-1, 1]
    applied: Float32Array  # (T, 4) in [-1, 1]
    stamps_ns: NDArray[np.int64]  # (T,)
    frames: ImageArray  # (T, height, width, 3), read from the disk when it is asked for; (0, ...) without a camera

    def __len__(self) -> int:
        return len(self.tips)


class Cache:
    """Derived episodes below one data directory, with frames of one size."""

    def __init__(self, data: Path, size: tuple[int, int] = POLICY_SIZE) -> None:
        """`size` is width, height of the frames [pixel]."""
        self.size = size
        self.folder = data / "cache" / f"v{TRANSFORM}-{size[0]}x{size[1]}"

    def get(self, path: Path, sha256: str) -> Derived:
        """Return the episode in the file `path`, which has the content `sha256`; derive it first where that is new.

        Raises:
            EpisodeError: the file does not read, or has frames that are no JPEG.
        """
        arrays, frames = (self.folder / f"{sha256}.{ending}" for ending in ("npz", "npy"))
        if not (arrays.is_file() and frames.is_file()):
            self._derive(path, arrays, frames)
        try:
            return _open(arrays, frames)
        except DAMAGE:  # by a crash of the machine, or by hand
            self._derive(path, arrays, frames)
            return _open(arrays, frames)

    def _derive(self, path: Path, arrays: Path, frames: Path) -> None:
        episode = read_episode(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        objects = np.zeros((0, 7)) if episode.scene is None else episode.scene.object_pose
        part = _part(frames)
        with part.open("wb") as file:
            np.save(file, self._frames(episode, path))
        part.replace(frames)
        part = _part(arrays)
        with part.open("wb") as file:
            np.savez(
                file, tips=episode.tips.astype(np.float32), joints=episode.joints.astype(np.float32),
                objects=objects.astype(np.float32), commanded=episode.commanded.astype(np.float32),
                applied=episode.applied.astype(np.float32), stamps_ns=episode.stamps_ns,
            )  # fmt: skip
        part.replace(arrays)

    def _frames(self, episode: RecordedEpisode, path: Path) -> ImageArray:
        width, height = self.size
        frames = np.empty((len(episode.jpegs), height, width, 3), dtype=np.uint8)
        for k, jpeg in enumerate(episode.jpegs):
            try:
                image = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
            except ValueError as error:
                raise EpisodeError(f"{path}: frame {k} is no JPEG: {error}") from error
            frames[k] = crop_and_resize(image, (0, 0, image.shape[1], image.shape[0]), width, height)
        return frames


class Frames:
    """The frames of many episodes as one: for random batches without holding them in memory."""

    def __init__(self, episodes: Sequence[Derived]) -> None:
        """Number the frames of all episodes through."""
        self._parts = [episode.frames for episode in episodes]
        self._ends = np.cumsum([len(part) for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def batch(self, rows: NDArray[np.int64]) -> ImageArray:
        """Return frames `rows` (N,) as (N, height, width, 3)."""
        episodes = np.searchsorted(self._ends, rows, side="right")
        starts = np.concatenate([[0], self._ends])[episodes]
        out = np.empty((len(rows), *self._parts[0].shape[1:]), dtype=np.uint8)
        for k, (episode, step) in enumerate(zip(episodes.tolist(), (rows - starts).tolist(), strict=True)):
            out[k] = self._parts[episode][step]
        return out


def _open(arrays: Path, frames: Path) -> Derived:
    with np.load(arrays) as stored:
        return Derived(**{name: stored[name] for name in ARRAYS}, frames=np.load(frames, mmap_mode="r"))


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")
