"""What an episode is, and how it ended: two records in its own file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gmps_robot.config import from_dict
from gmps_robot.errors import ConfigError, EpisodeError

Source = Literal["demo", "policy", "expert", "intervention"]
Mode = Literal["twin", "robot", "emulator"]

INFO, OUTCOME = "gmps_episode", "gmps_outcome"  # names of the metadata records


@dataclass(frozen=True)
class EpisodeInfo:
    """What an episode is. Known when it begins, and written first."""

    episode: str  # uuid, 32 hex digits
    family: str
    task: str  # JSON as written by Task.to_json
    source: Source
    mode: Mode
    operator: str  # who taught; empty for a policy
    checkpoint: str  # id of the policy that acted; empty for a demonstration
    rig: str  # content id of the rig's calibration
    envelope: str  # content id of the safety envelope in force
    revision: str  # of the program that recorded, as git names it
    control_hz: float
    started_ns: int  # wall clock
    action_speed: float  # tip velocity of an action of 1 [m/s]


@dataclass(frozen=True)
class EpisodeOutcome:
    """How an episode ended. Written last; missing in a file that was recovered."""

    ended_ns: int  # wall clock
    dropped: int  # messages known to be missing
    accepted: bool = False  # the operator took it as a demonstration
    reward: float | None = None  # of the whole episode, where somebody judged it
    success: bool | None = None
    reason: str = ""  # why it was discarded
    judge: str = ""  # who gave reward and success; empty: the operator, or no person


def read_info(records: Mapping[str, Mapping[str, str]], where: str) -> EpisodeInfo:
    """Read the first record of an episode file. `records` are its metadata records by name.

    Raises:
        EpisodeError: it is not there, or not whole.
    """
    if INFO not in records:
        raise EpisodeError(f"{where} is no episode of this project: it has no record {INFO!r}")
    try:
        return from_dict(EpisodeInfo, json.loads(records[INFO]["json"]), where)
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise EpisodeError(f"{where}: the record {INFO!r} is damaged: {error}") from error


def read_outcome(records: Mapping[str, Mapping[str, str]], where: str) -> EpisodeOutcome | None:
    """Read the last record; None where there is none.

    Raises:
        EpisodeError: it is not whole.
    """
    if OUTCOME not in records:
        return None
    try:
        return from_dict(EpisodeOutcome, json.loads(records[OUTCOME]["json"]), where)
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise EpisodeError(f"{where}: the record {OUTCOME!r} is damaged: {error}") from error
