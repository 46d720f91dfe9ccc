"""Episodes made by hand: messages as the twin sends them, serialised without ROS."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from gmps_robot.data import definitions as names
from gmps_robot.data.encode import encode as cdr
from gmps_robot.data.encode import header, moment
from gmps_robot.data.episode import EpisodeInfo, EpisodeOutcome
from gmps_robot.data.folder import part_path
from gmps_robot.data.writer import EpisodeWriter, Saved
from gmps_robot.families import family

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 50_000_000
SPEED = 0.2

Sent = tuple[str, bytes, int]  # topic, CDR, stamp [ns]


def info(**changes: Any) -> EpisodeInfo:
    """A demonstration of the push family."""
    task = family("push").sample("train", 1, 0)[0]
    plain = EpisodeInfo(
        uuid.uuid4().hex, "push", task.to_json(), "demo", "twin", "ada", "", "rig", "envelope", "revision", 20.0,
        START_NS, SPEED,
    )  # fmt: skip
    return replace(plain, **changes)


def picture(k: int) -> np.ndarray:
    """An image that is another one at each step."""
    rows, columns = np.mgrid[:48, :64]
    return np.stack([rows * 4 + k, columns * 3, rows + columns + 2 * k], axis=-1).astype(np.uint8)


def period(k: int, source: str = "demo", velocity: tuple[float, float, float] = (0.1, 0.0, 0.0)) -> Iterator[Sent]:
    """What one control period of the twin sends; the guard halves the request."""
    stamp = START_NS + k * PERIOD_NS
    tip = {"x": 0.5 + 0.005 * k, "y": 0.0, "z": 0.03}
    jpeg = simplejpeg.encode_jpeg(picture(k), quality=90, colorspace="RGB", colorsubsampling="444")
    yield names.JOINTS, cdr(names.JOINTS, header=header(stamp), position=np.full(7, 0.1 * k)), stamp
    yield names.POSE, cdr(names.POSE, header=header(stamp), pose={"position": tip}), stamp
    scene = {"tip": tip, "time": 0.05 * k, "object_pose": {"position": tip}}
    yield names.SCENE, cdr(names.SCENE, header=header(stamp), **scene), stamp
    yield names.IMAGE, cdr(names.IMAGE, header=header(stamp), format="jpeg", data=np.frombuffer(jpeg, np.uint8)), stamp
    yield names.GUARD, cdr(names.GUARD, header=header(stamp), state="MOVING"), stamp
    topic, by = (names.POLICY, "policy") if source == "policy" else (names.TELEOP, "teleop")
    x, y, z = velocity
    asked = {"header": header(stamp + 1), "seq": k + 1, "source": by, "twist": {"linear": {"x": x, "y": y, "z": z}}}
    if source == "policy":
        asked["answers"] = moment(stamp)
    yield topic, cdr(topic, gripper=-0.5, **asked), stamp + 1
    got = {"x": x / 2, "y": y / 2, "z": z / 2}
    yield names.APPLIED, cdr(
        names.APPLIED, header=header(stamp), answers=moment(stamp), seq=k + 1, velocity=got, gripper=-0.5,
        reasons=["speed: halved"],
    ), stamp + 2  # fmt: skip


def write(data: Path, what: EpisodeInfo, steps: int = 20) -> Saved:
    """A saved episode of `steps` periods."""
    writer = begin(data, what)
    for k in range(steps):
        put(writer, period(k, what.source))
    put(writer, list(period(steps, what.source))[:5])  # what is seen after the last action
    return writer.close(EpisodeOutcome(START_NS + steps * PERIOD_NS, 0, accepted=what.source == "demo"))


def begin(data: Path, what: EpisodeInfo) -> EpisodeWriter:
    """An open episode."""
    return EpisodeWriter(part_path(data, what.family, what.episode), what)


def put(writer: EpisodeWriter, messages: Any) -> None:
    for topic, message, stamp in messages:
        writer.write(topic, message, stamp + 1000, stamp)


def recording(data: Path, still: int = 4, steps: int = 20) -> EpisodeWriter:
    """An open episode of `steps` periods, each flushed; in the first `still` ones nothing was asked for."""
    writer = begin(data, info())
    for k in range(steps):
        put(writer, period(k, velocity=(0.0, 0.0, 0.0) if k < still else (0.1, 0.0, 0.0)))
        writer.flush()
    return writer
