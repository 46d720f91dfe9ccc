"""ROS 1 message and service classes: the standard ones of the system, Intera's made from definition files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import genmsg
import genmsg.gentools
import genmsg.msg_loader
import genmsg.srvs
import genpy
import genpy.dynamic
import genpy.message

PACKAGE = "intera_core_msgs"
_SEPARATOR = "\n" + "=" * 80 + "\n"


class Messages:
    """Classes that rospy takes: `messages["intera_core_msgs/JointCommand"]`, `messages.service(name)`."""

    def __init__(self, definitions: Path, types: Iterable[str], services: Iterable[str]) -> None:
        """Make the classes of message `types` and of `services` from the folder `definitions`, in one go.

        Raises:
            OSError: a definition file is missing.
            genmsg.MsgGenerationException, genmsg.InvalidMsgSpec: a definition is wrong.
        """
        texts: dict[str, str] = {}
        for name in types:
            _add(texts, name, definitions)
        for name in services:
            request, _, response = _read(definitions, name, "srv").partition("\n---\n")
            for half, text in ((f"{name}Request", request), (f"{name}Response", response)):
                texts[half] = text
                for part in _parts(text):
                    _add(texts, part, definitions)
        first, *rest = texts
        joined = texts[first] + "".join(f"{_SEPARATOR}MSG: {name}\n{texts[name]}" for name in rest)
        self._classes: dict[str, Any] = genpy.dynamic.generate_dynamic(first, joined)

    def __getitem__(self, name: str) -> Any:
        """Return the class of message type `name`.

        Raises:
            KeyError: it is neither one of the types asked for nor installed for ROS 1.
        """
        found = self._classes.get(name) if name.startswith(PACKAGE) else genpy.message.get_message_class(name)
        if found is None:
            raise KeyError(f"message type {name!r} is not installed for ROS 1")
        return found

    def time(self, seconds: int, nanoseconds: int) -> Any:
        """Return a ROS 1 time."""
        return genpy.Time(seconds, nanoseconds)

    def service(self, name: str) -> Any:
        """Return the class of service type `name`."""
        request, response = (self._classes[f"{name}{half}"] for half in ("Request", "Response"))
        spec = genmsg.srvs.SrvSpec(request._spec, response._spec, "", name, PACKAGE, name.rpartition("/")[2])
        context = genmsg.msg_loader.MsgContext.create_default()
        for message in self._classes.values():
            context.register(message._spec.full_name, message._spec)
        members = {
            "_type": name, "_md5sum": genmsg.gentools.compute_md5(context, spec), "_request_class": request,
            "_response_class": response,
        }  # fmt: skip
        return type(name.rpartition("/")[2], (), members)


def _add(texts: dict[str, str], name: str, definitions: Path) -> None:
    """Add the definition of `name` and of all that it is made of to `texts`."""
    if name in texts:
        return
    if name.startswith(PACKAGE):
        texts[name] = _read(definitions, name, "msg")
        for part in _parts(texts[name]):
            _add(texts, part, definitions)
    else:
        full = f"MSG: {name}\n{genpy.message.get_message_class(name)._full_text}"
        for part in full.split(_SEPARATOR):
            head, _, body = part.partition("\n")
            texts[head.removeprefix("MSG: ").strip()] = body


def _read(definitions: Path, name: str, ending: str) -> str:
    return (definitions / f"{name.rpartition('/')[2]}.{ending}").read_text()


def _parts(text: str) -> list[str]:
    """Message types that a definition is made of."""
    context = genmsg.msg_loader.MsgContext.create_default()
    spec = genmsg.msg_loader.load_msg_from_string(context, text, f"{PACKAGE}/Any")
    names = (genmsg.msgs.bare_msg_type(name) for name in spec.types)
    return sorted({name for name in names if not genmsg.msgs.is_builtin(name)})
