"""`python -m gmps_robot_nodes.bringup [name:=value ...]`: the stack without `ros2 launch`.

The same nodes and arguments as `launch/adapt.launch.py`, since both come from `stack.py`. Ctrl-C ends everything.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import FrameType

import yaml

from gmps_robot.errors import ConfigError
from gmps_robot_nodes import domain, stack
from gmps_robot_nodes.processes import Ended, Processes

LOG = logging.getLogger("gmps.bringup")
PARAMETERS = Path(__file__).resolve().parent.parent / "config" / "stack.yaml"
LINE_FORMAT = "{severity} {message}"  # of the nodes; `_say` drops what is only information
POLL = 0.1  # [s]


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """A person or the system asked the stack to end."""


def command(start: stack.NodeStart) -> list[str]:
    """The command line of one node; the launch arguments override the parameter file."""
    words = [sys.executable, "-m", start.node.module, "--ros-args", "-r", f"__node:={start.node.name}"]
    for source, target in start.node.remappings:
        words += ["-r", f"{source}:={target}"]
    words += ["--params-file", str(PARAMETERS)]
    for name, value in start.parameters.items():
        # As YAML, so that the text "7" stays text.
        text = yaml.safe_dump(value, default_style='"' if isinstance(value, str) else None).splitlines()[0]
        words += ["-p", f"{name}:={text}"]
    return words


def run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start the stack and wait for its end; return the exit status.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    surroundings = domain.environment(environment, domain.is_free, os.getpid())
    try:
        starts = stack.resolve(stack.parse(words), surroundings)
    except stack.ArgumentError as error:
        raise ConfigError(str(error)) from error
    surroundings.setdefault("RCUTILS_CONSOLE_OUTPUT_FORMAT", LINE_FORMAT)
    LOG.info("starting %s; ROS_DOMAIN_ID=%s", ", ".join(s.node.name for s in starts), surroundings["ROS_DOMAIN_ID"])
    processes = Processes(_say)
    try:
        processes.start({s.node.name: command(s) for s in starts}, surroundings)
        ended = _first_end(processes, {s.node.name for s in starts if s.node.spare})
    except Interrupted:
        LOG.info("ending")
        return 130
    finally:
        processes.end()
    return _status(ended, starts)


def _first_end(processes: Processes, spare: Collection[str]) -> Ended:
    """Wait for the first end of a node that the stack needs; the end of a spare one is only said."""
    gone: set[str] = set()
    while (ended := processes.ended(gone)) is None or ended.name in spare:
        if ended is not None:
            gone.add(ended.name)
            LOG.warning("node %s %s; the stack goes on without it", ended.name, _how(ended))
        time.sleep(POLL)
    return ended


def _how(ended: Ended) -> str:
    return f"was ended by signal {-ended.code}" if ended.code < 0 else f"ended with status {ended.code}"


def _status(ended: Ended, starts: Sequence[stack.NodeStart]) -> int:
    """The exit status of a stack whose first process to end was `ended`."""
    node = next(s.node for s in starts if s.node.name == ended.name)
    if node.ends_stack and ended.code >= 0:
        return ended.code
    LOG.error("error: node %s %s, so the stack has ended; its last lines above say why", node.name, _how(ended))
    return 1


def _say(name: str, line: str) -> None:
    LOG.info("%-9s | %s", name, line.removeprefix("INFO "))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise Interrupted


def usage() -> str:
    """One line per argument: name, default, what it means, choices."""
    lines = ["usage: python -m gmps_robot_nodes.bringup [name:=value ...]", ""]
    for argument in stack.ARGUMENTS:
        choices = f" [{'|'.join(argument.choices)}]" if argument.choices else ""
        lines.append(f"  {argument.name}:={argument.default or '<none>'}{choices}  {argument.description}")
    return "\n".join(lines)


def main() -> int:
    """Run with the arguments of this process."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if {"-h", "--help"} & set(sys.argv[1:]):
        LOG.info(usage())
        return 0
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run(sys.argv[1:], os.environ)
    except ConfigError as error:
        LOG.error("error: %s", error)
        return 2
    except Interrupted:
        return 130


if __name__ == "__main__":
    sys.exit(main())
