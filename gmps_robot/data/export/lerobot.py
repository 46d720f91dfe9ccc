"""LeRobotDataset v3.0: Parquet tables and one video per camera. Layout read in lerobot 0.4 (datasets/utils.py).

The video is H.264 in RGB without loss, every second frame a key frame: what lerobot decodes is what the policy was
taught from, to the bit. Its clock is the control period; the true stamps are a column of their own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gmps_robot.data.export import statistics
from gmps_robot.data.export.chosen import Exported
from gmps_robot.errors import ConfigError
from gmps_robot.types import ImageArray

VERSION = "v3.0"
CAMERA = "observation.images.policy"
PLACE = "chunk-000/file-000"
CODEC, PIXELS = "libx264rgb", "rgb24"
OPTIONS = {"qp": "0", "g": "2", "bf": "0", "preset": "fast"}
STATE = {
    "tips": ["tip.x", "tip.y", "tip.z"],
    "joints": [f"joint.{k}" for k in range(7)],
    "objects": ["object.x", "object.y", "object.z", "object.qx", "object.qy", "object.qz", "object.qw"],
}
ACTION = ["velocity.x", "velocity.y", "velocity.z", "gripper"]
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
INTEGERS = ("frame_index", "episode_index", "index", "task_index", "time.stamp_ns")


@dataclass
class Tables:
    """What is known after the last episode: columns by name, one entry per episode."""

    fps: int
    state: list[str] = field(default_factory=list)  # names of its components
    columns: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)  # sentence -> index
    episodes: list[dict[str, Any]] = field(default_factory=list)
    histograms: list[NDArray[np.int64]] = field(default_factory=list)
    size: tuple[int, int] | None = None  # height, width
    frames: int = 0


def write(folder: Path, episodes: Iterable[Exported], fps: float) -> int:
    """Write `episodes` to the new folder; returns how many.

    Raises:
        ConfigError: the folder is there already, the rate is not whole, or some episodes lack what others have.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already: choose another place, or delete it")
    if fps != int(fps):
        raise ConfigError(f"LeRobot data sets have a whole number of frames per second, not {fps}")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    tables = Tables(int(fps))
    with Video(part / "videos" / CAMERA / f"{PLACE}.mp4", tables.fps) as video:
        for episode in episodes:
            _take(tables, episode, video)
    _finish(tables, part)
    part.rename(folder)
    return len(tables.episodes)


class Video:
    """One film, opened with its first frame."""

    def __init__(self, path: Path, fps: int) -> None:
        self._path, self._fps, self._count = path, fps, 0
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *error: object) -> None:
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def add(self, frames: ImageArray) -> None:
        """Append frames (N, height, width, 3)."""
        if self._container is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._path), "w")
            self._stream = self._container.add_stream(CODEC, rate=self._fps, options=OPTIONS)
            self._stream.height, self._stream.width = frames.shape[1:3]
            self._stream.pix_fmt, self._stream.time_base = PIXELS, Fraction(1, self._fps)
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = self._count, Fraction(1, self._fps)
            self._container.mux(self._stream.encode(picture))
            self._count += 1


def _take(tables: Tables, episode: Exported, video: Video) -> None:
    derived, number, steps = episode.derived, len(tables.episodes), len(episode.derived)
    task = tables.tasks.setdefault(episode.sentence, len(tables.tasks))
    state, names = _state(episode)
    size = derived.frames.shape[1:3] if len(derived.frames) else None
    if number and (names, size) != (tables.state, tables.size):
        raise ConfigError(
            f"episode {episode.row.id} has other sensors than those before it; export them apart: --rig, --source"
        )
    tables.state, tables.size = names, size
    step = np.arange(steps)
    last = step == steps - 1
    rows = {
        "observation.state": state, "action": derived.commanded, "action.applied": derived.applied,
        "timestamp": (step / tables.fps).astype(np.float32), "time.stamp_ns": derived.stamps_ns,
        "frame_index": step, "episode_index": np.full(steps, number), "index": tables.frames + step,
        "task_index": np.full(steps, task), "next.reward": episode.rewards, "next.done": last,
        "next.success": last & episode.success,
    }  # fmt: skip
    for key, values in rows.items():
        tables.columns.setdefault(key, []).append(values)
    said = {key: statistics.of_numbers(values) for key, values in rows.items()}
    tables.episodes.append(_episode(tables, episode, number, steps, size))
    if size is not None:
        video.add(derived.frames)
        tables.histograms.append(statistics.histogram(derived.frames))
        said[CAMERA] = statistics.of_pixels(tables.histograms[-1:], steps)
    for key, of_it in said.items():
        tables.episodes[-1].update({f"stats/{key}/{name}": value for name, value in of_it.items()})
    tables.frames += steps


def _state(episode: Exported) -> tuple[NDArray[np.float32], list[str]]:
    parts, names = [], []
    for key, of_it in STATE.items():
        values = getattr(episode.derived, key)
        if values.shape == (len(episode.derived), len(of_it)):
            parts.append(values)
            names += of_it
    return np.concatenate(parts, axis=1).astype(np.float32), names


def _episode(
    tables: Tables, episode: Exported, number: int, steps: int, size: tuple[int, int] | None
) -> dict[str, Any]:
    row = {
        "episode_index": number, "tasks": [episode.sentence], "length": steps, "uuid": episode.row.id,
        "data/chunk_index": 0, "data/file_index": 0, "dataset_from_index": tables.frames,
        "dataset_to_index": tables.frames + steps, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
    }  # fmt: skip
    if size is not None:
        place = f"videos/{CAMERA}"
        row |= {
            f"{place}/chunk_index": 0, f"{place}/file_index": 0, f"{place}/from_timestamp": tables.frames / tables.fps,
            f"{place}/to_timestamp": (tables.frames + steps) / tables.fps,
        }  # fmt: skip
    return row


def _finish(tables: Tables, folder: Path) -> None:
    columns = {key: np.concatenate(parts) for key, parts in tables.columns.items()}
    _table(folder / "data" / f"{PLACE}.parquet", pa.table({key: _column(key, v) for key, v in columns.items()}))
    _table(folder / "meta" / "episodes" / f"{PLACE}.parquet", pa.Table.from_pylist(tables.episodes))
    _table(folder / "meta" / "tasks.parquet", _tasks(tables.tasks))
    said = {key: statistics.of_numbers(values) for key, values in columns.items()}
    if tables.size is not None:
        said[CAMERA] = statistics.of_pixels(tables.histograms, tables.frames)
    for name, content in (("stats", said), ("info", _info(tables, columns))):
        (folder / "meta" / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _column(key: str, values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values.astype(np.int64) if key in INTEGERS else values)
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _tasks(tasks: dict[str, int]) -> pa.Table:
    """The sentence is the index of a pandas table; written without pandas, its description is written by hand."""
    index = "__index_level_0__"
    described = {
        "index_columns": [index], "column_indexes": [], "pandas_version": "2.0.0",
        "columns": [
            {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
             "metadata": None},
            {"name": None, "field_name": index, "pandas_type": "unicode", "numpy_type": "object", "metadata": None},
        ],
    }  # fmt: skip
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), index: pa.array(list(tasks))})
    return table.replace_schema_metadata({"pandas": json.dumps(described)})


def _info(tables: Tables, columns: dict[str, NDArray[Any]]) -> dict[str, Any]:
    names: dict[str, list[str] | None] = {
        "observation.state": tables.state, "action": ACTION, "action.applied": ACTION
    }  # fmt: skip
    features: dict[str, Any] = {}
    for key, values in columns.items():
        kind = "int64" if key in INTEGERS else "bool" if values.dtype == np.bool_ else "float32"
        shape = list(values.shape[1:]) or [1]
        features[key] = {"dtype": kind, "shape": shape, "names": names.get(key)}
    if tables.size is not None:
        height, width = tables.size
        features[CAMERA] = {
            "dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"],
            "info": {
                "video.height": height, "video.width": width, "video.codec": "h264", "video.pix_fmt": "gbrp",
                "video.is_depth_map": False, "video.fps": tables.fps, "video.channels": 3, "has_audio": False,
            },
        }  # fmt: skip
    return {
        "codebase_version": VERSION, "robot_type": "sawyer", "total_episodes": len(tables.episodes),
        "total_frames": tables.frames, "total_tasks": len(tables.tasks), "chunks_size": 1000,
        "data_files_size_in_mb": 100, "video_files_size_in_mb": 200, "fps": tables.fps,
        "splits": {"train": f"0:{len(tables.episodes)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": VIDEO_PATH if tables.size is not None else None,
        "features": features,
    }  # fmt: skip
