"""From recorded messages to control periods: what was seen, what was asked, what was applied.

A period is one message of `arm/applied`. It belongs to the observation that it answers; where the command answered none
(an operator looks at a screen), to the instant at which the command was made.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmps_robot.data.definitions import APPLIED, POLICY, TELEOP
from gmps_robot.data.info import EpisodeInfo
from gmps_robot.types import FloatArray

AFTER = 0.5  # of rest after the last motion of a person: it teaches to stop at the goal [s]

Message = Any  # of the generated classes; they have no type of their own


@dataclass(frozen=True)
class Period:
    """One control period. Actions (4,) in [-1, 1]."""

    stamp_ns: int  # of the observation
    commanded: FloatArray
    applied: FloatArray
    reasons: tuple[str, ...]  # which limits changed the request


class Track:
    """Values in the order of their stamps [ns]."""

    def __init__(self, pairs: Iterable[tuple[int, Any]]) -> None:
        ordered = sorted(pairs, key=lambda pair: pair[0])
        self.stamps = [stamp for stamp, _ in ordered]
        self.values = [value for _, value in ordered]

    def __len__(self) -> int:
        return len(self.stamps)

    def at(self, stamp_ns: int) -> Any:
        """The newest value that is not younger; the oldest of all where there is none."""
        return self.values[max(0, bisect.bisect_right(self.stamps, stamp_ns) - 1)]

    def after(self, stamp_ns: int) -> Any:
        """The first value that is younger; the last of all where there is none."""
        return self.values[min(len(self.values) - 1, bisect.bisect_right(self.stamps, stamp_ns))]

    def has(self, stamp_ns: int) -> bool:
        """Whether there is a value of just that stamp."""
        k = bisect.bisect_left(self.stamps, stamp_ns)
        return k < len(self.stamps) and self.stamps[k] == stamp_ns


def nanoseconds(time: Message) -> int:
    """builtin_interfaces/Time -> ns."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def stamp_of(message: Message) -> int:
    """Stamp of a message with a header [ns]."""
    return nanoseconds(message.header.stamp)


def vector(value: Message) -> FloatArray:
    """Point or Vector3 -> (3,)."""
    return np.array([value.x, value.y, value.z], dtype=np.float64)


def periods(info: EpisodeInfo, decoded: dict[str, list[Message]], images: Track) -> tuple[list[Period], int]:
    """Return the control periods of an episode, and how many were recorded before the first of them.

    Args:
        info: whose they are; `action_speed` scales velocities.
        decoded: messages by topic.
        images: what the policy saw, by stamp.

    Of a policy's episode: the periods in which it acted on a picture that is in the file. Of any other: from the first
    motion that was asked for to the last, with what lies between, and `AFTER` beyond.
    """
    asked = {topic: {int(m.seq): m for m in decoded.get(topic, [])} for topic in (POLICY, TELEOP)}
    made, moving, numbers = [], [], []
    for number, applied in enumerate(decoded.get(APPLIED, [])):
        command = _command(asked, applied, info.source)
        answers = nanoseconds(applied.answers)
        acts = command is not None and not command.hold
        if info.source == "policy" and not (acts and images.has(answers)):
            continue
        stamp = answers or (stamp_of(applied) if command is None else stamp_of(command))
        done = _action(applied.velocity, applied.gripper, info)
        wish = np.array([0.0, 0.0, 0.0, done[3]])
        if command is not None and not command.hold:
            wish = _action(command.twist.linear, command.gripper, info)
        made.append(Period(stamp, wish, done, tuple(str(reason) for reason in applied.reasons)))
        moving.append(bool(acts and (info.source == "policy" or np.any(wish[:3] != 0.0))))
        numbers.append(number)
    kept = _from_first_to_last(moving, 0 if info.source == "policy" else round(AFTER * info.control_hz))
    return made[kept], numbers[kept.start] if any(moving) else 0


def _command(asked: dict[str, dict[int, Message]], applied: Message, source: str) -> Message | None:
    """The command that was applied. Sequence numbers are those of a topic; the other topic is not this episode's."""
    if int(applied.seq) == 0:
        return None
    return asked[POLICY if source == "policy" else TELEOP].get(int(applied.seq))


def _action(velocity: Message, gripper: float, info: EpisodeInfo) -> FloatArray:
    action: FloatArray = np.clip(np.append(vector(velocity) / info.action_speed, float(gripper)), -1.0, 1.0)
    return action


def _from_first_to_last(moving: Sequence[bool], beyond: int) -> slice:
    if not any(moving):
        return slice(0, 0)
    return slice(moving.index(True), min(len(moving), len(moving) - moving[::-1].index(True) + beyond))
