"""Frozen dataclasses in, YAML out: every program resolves one configuration and saves it beside what it makes."""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from gmps_robot.errors import ConfigError, nearest

T = TypeVar("T")


def to_dict(config: object) -> dict[str, Any]:
    """Return a dataclass as plain YAML types (tuples become lists, paths become strings)."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}  # type: ignore[arg-type]


def from_dict(cls: type[T], raw: Mapping[str, Any], where: str = "configuration") -> T:
    """Build the dataclass `cls` from plain types; missing keys take their defaults.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a missing key, or a value of the wrong type.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: expected keys and values for {cls.__name__}, got {raw!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in raw:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} for {cls.__name__}{nearest(str(key), known)}")
    values = {key: _read(hints[key], value, f"{where}: {key}") for key, value in raw.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def load(cls: type[T], path: Path) -> T:
    """Read a YAML file into the dataclass `cls`.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not fit `cls`.
    """
    return from_dict(cls, read(path), where=str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a YAML file of keys and values; an empty file has none.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds something else.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: {path}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if raw is not None and not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, got {raw!r}")
    return raw or {}


def save(config: object, path: Path) -> None:
    """Write a dataclass as YAML, keys in their order of definition."""
    write(to_dict(config), path)


def write(raw: Mapping[str, Any], path: Path) -> None:
    """Write plain types as YAML, keys in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(raw), sort_keys=False), encoding="utf-8")


def content_id(config: object) -> str:
    """Return 12 hex digits that change when any value of `config` changes."""
    return hashlib.sha256(yaml.safe_dump(to_dict(config)).encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return str(value) if isinstance(value, Path) else value


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _read(next(a for a in args if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where} = {value!r}{nearest(str(value), [str(a) for a in args])}")
        return value
    if origin is tuple:
        return _read_tuple(args, value, where)
    if origin is dict:
        return {k: _read(args[1], v, f"{where}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    return _read_scalar(hint, value, where)


def _read_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} = {value!r}: expected a list")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_read(args[0], v, where) for v in value)
    if len(value) != len(args):
        raise ConfigError(f"{where} = {value!r}: expected {len(args)} values")
    return tuple(_read(a, v, where) for a, v in zip(args, value, strict=True))


def _read_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is not hint:
        raise ConfigError(f"{where} = {value!r}: expected {hint.__name__}, got {type(value).__name__}")
    if hint is float:
        raise ConfigError(f"{where} = {value!r}: expected a number, got {type(value).__name__}")
    return value
