"""Episodes that a scripted operator teaches on the twin, written as the recorder writes them, without ROS."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from gmps_robot.data import definitions as names
from gmps_robot.data.encode import encode, header, moment, xyz, xyzw
from gmps_robot.data.folder import part_path
from gmps_robot.data.info import EpisodeInfo, EpisodeOutcome
from gmps_robot.data.writer import EpisodeWriter, Saved
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, ArmCommand, FloatArray
from sim.scripted_operator import Hand, ScriptedOperator
from sim.twin import Twin

QUALITY = 90  # of the images, as the recorder has them
LATE_NS = 1_000  # between a message and its record

Sent = tuple[str, bytes, int]


def teach(twin: Twin, task: Task, data: Path, seed: int, operator: str = "scripted", hand: Hand | None = None) -> Saved:
    """Teach `task` once on `twin`; the episode lies below `data`, accepted where it solves the task."""
    if twin.guard_state.mode == "FAULT":
        twin.reset_fault()
    twin.reset_scene(task, seed)
    family = twin.family
    person = ScriptedOperator(family, task, np.random.default_rng(seed), hand)
    info = _info(twin, task, operator)
    writer = EpisodeWriter(part_path(data, family.name, info.episode), info)
    period_ns = round(twin.period * 1e9)
    speed = family.envelope.teleop.speed
    stamp, seq = info.started_ns, 0
    while not person.done and twin.guard_state.mode != "FAULT":
        _write(writer, _seen(twin, stamp))
        action = person.act(twin.scene())
        seq += 1
        now_ns = twin.observe().stamp_ns  # on the twin's own clock
        command = ArmCommand(now_ns, seq, "teleop", action[:3] * speed, float(action[3]))
        _write(writer, _asked(command, stamp))
        _write(writer, _done(twin.apply(command, now_ns * 1e-9), stamp, seq))
        stamp += period_ns
    _write(writer, _seen(twin, stamp))
    solved = bool(family.success(twin.scene(), np.array(task.context)))
    return writer.close(EpisodeOutcome(stamp, 0, accepted=solved, success=solved))


def _info(twin: Twin, task: Task, operator: str) -> EpisodeInfo:
    family = twin.family
    return EpisodeInfo(
        uuid.uuid4().hex, family.name, task.to_json(), "demo", "twin", operator, "", twin.rig.rig_id, "", "",
        family.control_hz, time.time_ns(), family.envelope.teleop.speed,
    )  # fmt: skip


def _seen(twin: Twin, stamp: int) -> Iterator[Sent]:
    arm, scene, head = twin.observe(), twin.scene(), header(stamp)
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(twin.image()), QUALITY, "RGB", "444")
    yield _message(names.JOINTS, stamp, header=head, position=arm.joints)
    pose = {"position": xyz(arm.tip_position), "orientation": xyzw(arm.tip_quaternion)}
    yield _message(names.POSE, stamp, header=head, pose=pose)
    block: FloatArray = scene.object_pose
    where = {"position": xyz(block[:3]), "orientation": xyzw(block[3:])}
    yield _message(names.SCENE, stamp, header=head, tip=xyz(scene.tip), object_pose=where, time=float(scene.time))
    yield _message(names.IMAGE, stamp, header=head, format="rgb8; jpeg compressed bgr8", data=np.frombuffer(jpeg, "u1"))
    yield _message(names.GUARD, stamp, header=head, state=twin.guard_state.mode)


def _asked(command: ArmCommand, stamp: int) -> Iterator[Sent]:
    twist = {"linear": xyz(command.velocity)}
    yield _message(
        names.TELEOP, stamp, header=header(stamp), seq=command.seq, source=command.source, twist=twist,
        gripper=command.gripper,
    )  # fmt: skip


def _done(applied: AppliedCommand, stamp: int, seq: int) -> Iterator[Sent]:
    yield _message(
        names.APPLIED, stamp, header=header(stamp), answers=moment(0), seq=seq, velocity=xyz(applied.velocity),
        gripper=applied.gripper, tip_target=xyz(applied.tip_target), reasons=list(applied.reasons),
    )  # fmt: skip


def _message(topic: str, stamp: int, **fields: Any) -> Sent:
    return topic, encode(topic, **fields), stamp


def _write(writer: EpisodeWriter, messages: Iterator[Sent]) -> None:
    for topic, data, stamp in messages:
        writer.write(topic, data, stamp + LATE_NS, stamp)
