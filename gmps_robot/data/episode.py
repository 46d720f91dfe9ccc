"""One recorded episode as arrays, one row per control period: what training, statistics, replay and exports read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmps_robot.data import definitions as names
from gmps_robot.data.info import EpisodeInfo as EpisodeInfo
from gmps_robot.data.info import EpisodeOutcome as EpisodeOutcome
from gmps_robot.data.info import Mode as Mode
from gmps_robot.data.info import Source as Source
from gmps_robot.data.info import read_info, read_outcome
from gmps_robot.data.steps import Message, Period, Track, periods, stamp_of, vector
from gmps_robot.data.stream import Heard, Stream, first_stamp, read_whole
from gmps_robot.errors import EpisodeError
from gmps_robot.types import FloatArray, SceneState

PICTURES = (names.IMAGE, names.VIEW)
DECODED = (names.POSE, names.JOINTS, names.POLICY, names.TELEOP, names.APPLIED, names.GUARD, names.SCENE)


@dataclass(frozen=True)
class RecordedEpisode:
    """T control periods. Actions in [-1, 1]: tip velocity x, y, z as a share of `info.action_speed`, then gripper."""

    info: EpisodeInfo
    outcome: EpisodeOutcome | None  # None: the recorder was killed, the file recovered
    stamps_ns: NDArray[np.int64]  # (T,) of the observation
    tips: FloatArray  # (T, 3) measured when it was made [m]
    joints: FloatArray  # (T, 7) [rad]; empty (T, 0) where the arm did not say
    commanded: FloatArray  # (T, 4)
    applied: FloatArray  # (T, 4) what the guard let through
    scene: SceneState | None  # seen with the observation, leading axis T; None on a rig without scene
    after: SceneState | None  # seen after the action; what rewards are judged on
    jpegs: tuple[bytes, ...]  # what the policy saw; empty where there was no camera
    views: tuple[bytes, ...]  # the same for people, the goal drawn in; empty where nobody drew one
    guard: tuple[str, ...]  # its state
    reasons: tuple[tuple[str, ...], ...]  # which limits changed the request
    skipped: int = 0  # periods recorded before the first of these; RecorderStatus counts them as steps

    def __len__(self) -> int:
        return len(self.stamps_ns)


def read_episode(path: Path, *, pictures: bool = True) -> RecordedEpisode:
    """Read a saved, recovered or discarded episode.

    Without `pictures`, `jpegs` and `views` are empty and a long episode takes little memory.

    Raises:
        EpisodeError: missing, damaged, not ended, no episode, or without what every episode has.
    """
    stream = Stream()
    decoded: dict[str, list[Message]] = defaultdict(list)
    taken: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for heard in read_whole(path, stream):
        if heard.topic in PICTURES:
            taken[heard.topic].append(_picture(heard) if pictures else (first_stamp(heard.data), b""))
        elif heard.topic in DECODED:
            decoded[heard.topic].append(heard.decoded())
    info, outcome = read_info(stream.metadata, str(path)), read_outcome(stream.metadata, str(path))
    images, views = Track(taken[names.IMAGE]), Track(taken[names.VIEW])
    rows, skipped = periods(info, decoded, images)
    poses = _track(decoded, names.POSE, lambda m: vector(m.pose.position))
    if rows and not len(poses):
        raise EpisodeError(f"{path}: no message of {names.POSE}: where the arm was is not known")
    stamps = [row.stamp_ns for row in rows]
    joints = _track(decoded, names.JOINTS, lambda m: np.array(m.position, dtype=np.float64))
    guard = _track(decoded, names.GUARD, lambda m: str(m.state))
    scenes = _track(decoded, names.SCENE, _scene)
    half = round(0.5e9 / info.control_hz)
    return RecordedEpisode(
        info, outcome, np.array(stamps, dtype=np.int64),
        _rows([poses.at(s) for s in stamps], 3),
        _rows([joints.at(s) for s in stamps] if len(joints) else [np.zeros(0)] * len(stamps), 7 if len(joints) else 0),
        _rows([row.commanded for row in rows], 4), _rows([row.applied for row in rows], 4),
        _stack([scenes.at(s) for s in stamps]) if len(scenes) else None,
        _stack([scenes.after(s + half) for s in stamps]) if len(scenes) else None,
        tuple(images.at(s) for s in stamps) if pictures and len(images) else (),
        tuple(views.at(s) for s in stamps) if pictures and len(views) else (),
        tuple(guard.at(s) if len(guard) else "" for s in stamps), _reasons(rows), skipped,
    )  # fmt: skip


def _track(decoded: dict[str, list[Message]], topic: str, value: Any) -> Track:
    return Track((stamp_of(message), value(message)) for message in decoded.get(topic, []))


def _picture(heard: Heard) -> tuple[int, bytes]:
    message: Message = heard.decoded()
    return stamp_of(message), bytes(message.data)


def _scene(message: Message) -> SceneState:
    turn = message.object_pose.orientation
    pose = np.concatenate([vector(message.object_pose.position), [turn.x, turn.y, turn.z, turn.w]])
    return SceneState(vector(message.tip), pose, np.array(message.time, dtype=np.float64))


def _rows(values: Sequence[FloatArray], width: int) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(len(values), width)


def _stack(scenes: Sequence[SceneState]) -> SceneState:
    return SceneState(
        _rows([s.tip for s in scenes], 3), _rows([s.object_pose for s in scenes], 7),
        np.array([s.time for s in scenes], dtype=np.float64),
    )  # fmt: skip


def _reasons(rows: Sequence[Period]) -> tuple[tuple[str, ...], ...]:
    return tuple(row.reasons for row in rows)
