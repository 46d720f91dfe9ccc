"""One recorded episode as arrays, one row per control period: what training, statistics, replay and exports read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmps_robot.data import definitions as names
from gmps_robot.data.info import EpisodeInfo as EpisodeInfo
from gmps_robot.data.info import EpisodeOutcome as EpisodeOutcome
from gmps_robot.data.info import Mode as Mode
from gmps_robot.data.info import Source as Source
from gmps_robot.data.info import read_info, read_outcome
from gmps_robot.data.steps import Message, Period, Track, periods, vector
from gmps_robot.data.stream import Heard, Stream, first_stamp, read_whole
from gmps_robot.errors import EpisodeError
from gmps_robot.types import FloatArray, SceneState

PICTURES = (names.IMAGE, names.VIEW)
PERIODS = (names.POLICY, names.TELEOP, names.APPLIED)  # decoded one and all: they make the periods
SAMPLED = (names.POSE, names.JOINTS, names.GUARD, names.SCENE)  # of these, what is in force at a period
NEEDED = frozenset((*PERIODS, *SAMPLED))

Taken = Mapping[str, list[tuple[int, bytes]]]


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
    heard, taken = [], defaultdict(list)
    for one in read_whole(path, stream):
        if one.topic in PICTURES:
            taken[one.topic].append(_picture(one) if pictures else (first_stamp(one.data), b""))
        elif one.topic in NEEDED:
            heard.append(one)
    info, outcome = read_info(stream.metadata, str(path)), read_outcome(stream.metadata, str(path))
    return assemble(info, outcome, heard, taken, str(path))


def assemble(
    info: EpisodeInfo, outcome: EpisodeOutcome | None, heard: Iterable[Heard], taken: Taken, where: str
) -> RecordedEpisode:
    """Make rows of the messages of an episode.

    Args:
        info: what it is.
        outcome: how it ended.
        heard: its messages of the topics in `NEEDED`, in the order written.
        taken: by topic of `PICTURES`, stamp [ns] and JPEG of each picture; without JPEGs there are none in the result.
        where: named in errors.

    Raises:
        EpisodeError: a message that counts cannot be decoded, or there is none of what every episode has.
    """
    by_topic: dict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        by_topic[one.topic].append(one)
    images, views = (Track(taken.get(topic, [])) for topic in PICTURES)
    rows, skipped = periods(info, {topic: [one.decoded() for one in by_topic[topic]] for topic in PERIODS}, images)
    poses, joints, guard, scenes = (Track((first_stamp(one.data), one) for one in by_topic[topic]) for topic in SAMPLED)
    if rows and not len(poses):
        raise EpisodeError(f"{where}: no message of {names.POSE}: where the arm was is not known")
    stamps = [row.stamp_ns for row in rows]
    half = round(0.5e9 / info.control_hz)
    return RecordedEpisode(
        info, outcome, np.array(stamps, dtype=np.int64),
        _rows([vector(_at(poses, s).pose.position) for s in stamps], 3),
        _rows([_joints(_at(joints, s)) for s in stamps] if len(joints) else [np.zeros(0)] * len(stamps),
              7 if len(joints) else 0),
        _rows([row.commanded for row in rows], 4), _rows([row.applied for row in rows], 4),
        _stack([_scene(_at(scenes, s)) for s in stamps]) if len(scenes) else None,
        _stack([_scene(scenes.after(s + half).decoded()) for s in stamps]) if len(scenes) else None,
        _pictures(images, stamps), _pictures(views, stamps),
        tuple(str(_at(guard, s).state) if len(guard) else "" for s in stamps), _reasons(rows), skipped,
    )  # fmt: skip


def _picture(heard: Heard) -> tuple[int, bytes]:
    message: Message = heard.decoded()
    return first_stamp(heard.data), bytes(message.data)


def _at(track: Track, stamp_ns: int) -> Message:
    """The message that is in force then. Most are never asked for, and are never decoded."""
    return track.at(stamp_ns).decoded()


def _joints(message: Message) -> FloatArray:
    return np.array(message.position, dtype=np.float64)


def _pictures(track: Track, stamps: Sequence[int]) -> tuple[bytes, ...]:
    return tuple(track.at(s) for s in stamps) if any(track.values) else ()


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
