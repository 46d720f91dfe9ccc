"""ROS 1 messages: the types of the arm, their md5 sums, and the way between objects and bytes.

The definitions of Intera (`definitions/*.msg`, `*.srv`) join the standard ones of ROS 1 in one store. A type is named
as ROS 1 names it, `intera_core_msgs/JointCommand`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from gmps_robot.errors import LinkError, nearest

INTERA = "intera_core_msgs"
PRIMITIVE_TIMES = {"builtin_interfaces/msg/Time": "time", "builtin_interfaces/msg/Duration": "duration"}
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Codec:
    """One message type on the wire. `definition` is the full text, with all types it is made of."""

    type: str
    md5: str
    definition: str

    def encode(self, message: Any) -> bytes:
        """Return the bytes of `message`.

        Raises:
            LinkError: the message is not of this type, or a field holds what the field cannot carry.
        """
        try:
            return bytes(typestore().serialize_ros1(message, inner_name(self.type)))
        except (SerdeError, struct.error, AttributeError, TypeError, ValueError, AssertionError) as error:
            kind = type(message).__name__
            raise LinkError(f"a {kind} cannot be sent as {self.type}: {error}; build it with messages.make") from error

    def decode(self, data: bytes | memoryview) -> Any:
        """Return the message in `data`; its arrays are views of it.

        Raises:
            LinkError: the bytes are not a message of this type.
        """
        try:
            return typestore().deserialize_ros1(data, inner_name(self.type))
        except (SerdeError, struct.error, IndexError) as error:
            raise LinkError(f"{len(data)} bytes are not a {self.type}: {error}") from error


@dataclass(frozen=True)
class ServiceCodec:
    """One service type on the wire."""

    type: str
    md5: str
    request: Codec
    response: Codec


@cache
def typestore() -> Typestore:
    """Return the store of all known types: ROS 1 Noetic and Intera."""
    store = get_typestore(Stores.ROS1_NOETIC)
    for name, text in definitions().items():
        parts = {name: text}
        if name in services():
            request, response = text.split("\n---\n")
            parts = {f"{name}Request": request, f"{name}Response": response}
        for part, body in parts.items():
            store.register(get_types_from_msg(body, inner_name(part)))
    return store


@cache
def definitions() -> dict[str, str]:
    """Return the text of each Intera definition by its type."""
    files = sorted(resources.files(__package__).joinpath("definitions").iterdir(), key=lambda file: file.name)
    return {f"{INTERA}/{file.name.partition('.')[0]}": file.read_text(encoding="utf-8") for file in files}


@cache
def services() -> frozenset[str]:
    """Return the types that are services."""
    return frozenset(name for name, text in definitions().items() if "\n---\n" in text)


@cache
def codec(kind: str) -> Codec:
    """Return how messages of the type `kind` travel.

    Raises:
        LinkError: no such type.
    """
    inner = inner_name(kind)
    store = typestore()
    if inner not in store.fielddefs:
        known = [name.replace("/msg/", "/") for name in store.fielddefs]
        close = [name for name in known if name.rpartition("/")[2] == kind.rpartition("/")[2]] or ["std_msgs/Bool"]
        raise LinkError(f"message type {kind!r} is not known{nearest(kind, close)} and {len(known)} others")
    store.get_msgdef(inner)  # generates its code now rather than in a control thread
    return Codec(kind, hashlib.md5(md5_text(inner).encode()).hexdigest(), store.generate_msgdef(inner)[0])


@cache
def service(kind: str) -> ServiceCodec:
    """Return how the service type `kind` travels.

    Raises:
        LinkError: no such type.
    """
    if kind not in services():
        raise LinkError(f"service type {kind!r} is not known{nearest(kind, services())}")
    parts = codec(f"{kind}Request"), codec(f"{kind}Response")
    text = "".join(md5_text(inner_name(part.type)) for part in parts)
    return ServiceCodec(kind, hashlib.md5(text.encode()).hexdigest(), *parts)


def make(kind: str, **fields: Any) -> Any:
    """Return a message of type `kind`: the given fields, and zeros, empty strings and empty lists elsewhere.

    Numbers in lists become arrays of the field's type. Constants are attributes of the message and of its class.

    Raises:
        LinkError: no such type, or it has no such field.
    """
    made, kinds = _shape(kind)
    for field in fields:
        if field not in kinds:
            raise LinkError(f"{kind} has no field {field!r}{nearest(field, kinds)}")
    return made(**{field: _value(described, fields.get(field)) for field, described in kinds.items()})


@cache
def _shape(kind: str) -> tuple[Any, dict[str, Any]]:
    """Return the class of messages of type `kind`, and its fields."""
    name = inner_name(codec(kind).type)
    return typestore().types[name], dict(typestore().fielddefs[name][1])


def stamp(nanoseconds: int) -> Any:
    """Return a ROS 1 time."""
    return make("builtin_interfaces/Time", sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def nanoseconds(time: Any) -> int:
    """Return a ROS 1 time in ns since 1970."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def inner_name(kind: str) -> str:
    """Return the store's name of a type: `std_msgs/msg/Bool` for `std_msgs/Bool`."""
    package, _, name = kind.rpartition("/")
    return f"{package}/msg/{name}"


def md5_text(inner: str) -> str:
    """Return the text whose md5 names a type: constants, then fields, each sub-type replaced by its md5.

    Source: http://wiki.ros.org/ROS/Technical%20Overview#Message_serialization_and_msg_MD5_sums
    """
    constants, fields = cast("tuple[Any, Any]", typestore().fielddefs[inner])
    lines = [f"{kind} {name}={value}" for name, kind, value in constants]
    for name, described in fields:
        if name == "structure_needs_at_least_one_member":
            continue
        many = described[0] in {Nodetype.ARRAY, Nodetype.SEQUENCE}
        (what, detail), size = described[1] if many else (described, None)
        suffix = f"[{size or ''}]" if many else ""
        if what == Nodetype.BASE:
            lines.append(f"{detail[0]}{suffix} {name}")
        elif detail in PRIMITIVE_TIMES:
            lines.append(f"{PRIMITIVE_TIMES[detail]}{suffix} {name}")
        else:
            lines.append(f"{hashlib.md5(md5_text(detail).encode()).hexdigest()} {name}")
    return "\n".join(lines)


def _value(described: Any, given: Any) -> Any:
    """Return `given` as a field carries it, or the field's zero when it is None."""
    what, detail = described
    if what == Nodetype.NAME:
        return make(detail.replace("/msg/", "/")) if given is None else given
    if what == Nodetype.BASE:
        return _zero(detail[0]) if given is None else given
    (inner, name), size = detail
    if inner == Nodetype.NAME or name[0] == "string":
        return list(given) if given is not None else [_value((inner, name), None) for _ in range(size)]
    kind = np.dtype({"byte": "int8", "char": "uint8"}.get(name[0], name[0]))
    return np.zeros(size if what == Nodetype.ARRAY else 0, kind) if given is None else np.asarray(given, kind)


def _zero(primitive: str) -> str | bool | int | float:
    """Return the value of an unset primitive field."""
    if primitive == "string":
        return ""
    return False if primitive == "bool" else 0.0 if primitive.startswith("float") else 0
