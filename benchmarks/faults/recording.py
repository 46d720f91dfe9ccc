"""Rows of the fault table about the recorder: what goes wrong with it costs the recording, never the motion."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import time
import uuid
from pathlib import Path
from unittest import mock

from gmps_msgs.msg import RecorderStatus
from gmps_msgs.srv import RecorderStart
from gmps_robot_nodes import qos

from benchmarks.faults.rig import Rig
from benchmarks.faults.stop import Figures, MissedError
from gmps_robot.data import definitions as names
from gmps_robot.data import encode, folder
from gmps_robot.data.check import check
from gmps_robot.data.info import EpisodeInfo, EpisodeOutcome
from gmps_robot.data.recover import recover
from gmps_robot.data.writer import EpisodeWriter
from gmps_robot.errors import EpisodeError
from gmps_robot.families import family

ALREADY = "is being recorded"  # by a fresh recorder: it was asked twice, and its first answer was lost
RECORDED = 1.0  # before the fault [s]
MORE = 20_000  # that still fit on the disk when it fills up [byte]


class Recording:
    """A recorder beside the rig, with an episode open while the arm sweeps."""

    def __init__(self, rig: Rig) -> None:
        self.statuses: list[RecorderStatus] = []
        self._subscription = rig.node.create_subscription(
            RecorderStatus, "recorder/status", self.statuses.append, qos.STATUS
        )
        self.pid = rig.start_recorder()
        rig.sweep()
        task = family("push").sample("train", 1, 0)[0].to_json()
        request = RecorderStart.Request(task=task, source="demo", operator_name="faults")
        answer = rig.call(RecorderStart, "recorder/start", request)
        if not answer.success and ALREADY not in answer.message:
            raise MissedError(f"recorder/start: {answer.message}")
        rig.until(lambda: self.statuses and self.statuses[-1].seconds > RECORDED, "nothing is recorded", 20.0)
        rig.sweep()


def disk_full(rig: Rig) -> Figures:
    """No byte more can be written to the episode's file."""
    recording = Recording(rig)
    (part,) = folder.parts(rig.data)
    since = time.monotonic()
    size = part.stat().st_size + MORE
    resource.prlimit(recording.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    rig.until(lambda: recording.statuses[-1].state == "failed", "the recorder does not notice", 5.0)
    told = time.monotonic() - since
    time.sleep(0.5)
    rig.went_on(since)
    if recover(part).summary.messages.get(names.APPLIED, 0) == 0:
        raise MissedError("nothing of the episode was kept")
    return {"stops": 0.0, "told": told}


def recorder_killed(rig: Rig) -> Figures:
    """SIGKILL in the middle of an episode."""
    Recording(rig)
    (part,) = folder.parts(rig.data)
    since, killed_ns = rig.kill("recorder"), time.time_ns()
    time.sleep(0.5)
    rig.went_on(since)
    return {"stops": 0.0, "lost": (killed_ns - recover(part).summary.last_ns) * 1e-9}


def recorder_ends(rig: Rig) -> None:
    """Let the next row have a rig without one."""
    rig.kill("recorder", signal.SIGKILL)


def power_loss(seed: int) -> Figures:
    """Power goes after any step of a save. Of a disk, only what was synced is certain: contents and names."""
    found: list[dict[str, bytes]] = []  # files by name, as they may be found
    contents: dict[int, bytes] = {}  # that are certain, by inode
    certain: dict[str, int] = {}  # names that are certain
    sync, rename = os.fsync, Path.rename

    def power_goes() -> None:
        found.extend(
            {name: contents.get(inode, b"") for name, inode in present.items()}
            for present in (dict(certain), _names(writer.part.parent))
        )

    def synced(handle: int) -> None:
        sync(handle)
        path = Path(f"/proc/self/fd/{handle}").resolve()
        if path.is_dir():
            certain.clear()
            certain.update(_names(path))
        else:
            contents[path.stat().st_ino] = path.read_bytes()
        power_goes()

    def renamed(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        power_goes()
        return moved

    with tempfile.TemporaryDirectory(prefix="gmps-power-") as home:
        writer = _episode(Path(home), messages=50 * (seed + 1))
        with mock.patch("os.fsync", synced), mock.patch.object(Path, "rename", renamed):
            name = writer.close(EpisodeOutcome(0, 0)).path.name
        whole = [_whole(state, Path(home) / "look") for state in found]
    halves = sum(
        name.endswith(folder.SUFFIX) and name not in sound
        for state, sound in zip(found, whole, strict=True) for name in state
    )  # fmt: skip
    return {"half files": float(halves), "saved and lost": float(name not in certain or name not in whole[-1])}


def _names(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in place.iterdir()}


def _episode(home: Path, messages: int) -> EpisodeWriter:
    task = family("push").sample("train", 1, 0)[0].to_json()
    info = EpisodeInfo(uuid.uuid4().hex, "push", task, "demo", "twin", "", "", "", "", "", 20.0, 0, 0.2)
    writer = EpisodeWriter(folder.part_path(home, "push", info.episode), info)
    for k in range(messages):
        writer.write(names.POSE, encode.encode(names.POSE, header=encode.header(k)), k, k, k)
    return writer


def _whole(state: dict[str, bytes], place: Path) -> set[str]:
    """The names of whole episodes among the files of `state`."""
    place.mkdir()
    whole = set()
    for name, content in state.items():
        (place / name).write_bytes(content)
        try:
            check(place / name)
        except EpisodeError:
            continue
        whole.add(name)
    shutil.rmtree(place)
    return whole
