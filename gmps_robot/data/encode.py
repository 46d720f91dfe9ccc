"""Messages of an episode from plain values, serialised as ROS 2 would: for programs that write episodes without ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmps_robot.data.definitions import TOPICS, typestore
from gmps_robot.types import FloatArray

MESSAGE, ARRAY, SEQUENCE = 2, 3, 4  # forms of a field, as rosbags numbers them


def encode(topic: str, **fields: Any) -> bytes:
    """Return a message of `topic` as CDR: the fields that are given, zero elsewhere. Mappings are nested messages."""
    kind = TOPICS[topic]
    return bytes(typestore().serialize_cdr(_filled(kind, fields), kind))


def header(stamp_ns: int, frame: str = "base") -> dict[str, Any]:
    """std_msgs/Header."""
    return {"stamp": moment(stamp_ns), "frame_id": frame}


def moment(stamp_ns: int) -> dict[str, int]:
    """builtin_interfaces/Time."""
    return {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}


def xyz(values: FloatArray | Sequence[float]) -> dict[str, float]:
    """Point or Vector3 of (3,)."""
    return dict(zip("xyz", (float(v) for v in values), strict=True))


def xyzw(values: FloatArray | Sequence[float]) -> dict[str, float]:
    """Quaternion of (4,)."""
    return dict(zip("xyzw", (float(v) for v in values), strict=True))


def _filled(kind: str, given: Mapping[str, Any]) -> Any:
    store = typestore()
    fields = store.fielddefs[kind][1]
    return store.types[kind](**{name: _value(int(form), what, given.get(name)) for name, (form, what) in fields})


def _value(form: int, what: Any, given: Any) -> Any:
    if form == MESSAGE:
        return _filled(what, given or {})
    if form in (ARRAY, SEQUENCE):
        return _many(what, given)
    if given is not None:
        return given
    return {"string": "", "bool": False}.get(what[0], 0.0 if "float" in what[0] else 0)


def _many(what: Any, given: Any) -> Any:
    (form, kind), length = what
    if int(form) == MESSAGE:
        return [_filled(kind, one) for one in given or []]
    if kind[0] == "string":
        return list(given or [])
    if kind[0] == "bool":
        return np.array([] if given is None else given, dtype=bool)
    return np.zeros(length, dtype=kind[0]) if given is None else np.asarray(given, dtype=kind[0])
