"""The command table of `gmps`. It imports a command only when that command is chosen, so that help answers at once.

A command has one word, or two: `gmps data` is the group of those that begin with `data`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from gmps_robot.errors import ConfigError, GmpsError, nearest

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """One line of the table: where the command lives, what it does, and a call that works as it stands."""

    module: str
    summary: str
    example: str


COMMANDS: Mapping[str, Command] = {
    "train-expert": Command(
        "gmps_robot.cli.train_expert", "Train the SAC expert of a task family in the twin.", "gmps train-expert push"
    ),
    "collect-demos": Command(
        "gmps_robot.cli.collect_demos", "Collect demonstrations of an expert in the twin.", "gmps collect-demos push"
    ),
    "meta-train": Command(
        "gmps_robot.cli.meta_train", "Meta-train a policy from demonstrations.", "gmps meta-train push-vision"
    ),
    "evaluate": Command(
        "gmps_robot.cli.evaluate",
        "Measure success on held-out tasks, before and after adaptation.",
        "gmps evaluate push-vision --split test --goals 100 --episodes 20 --updates 3",
    ),
    "adapt": Command(
        "gmps_robot.cli.adapt", "Adapt a checkpoint to one task in the twin, without ROS.", "gmps adapt push-vision"
    ),
    "calibrate board": Command(
        "gmps_robot.cli.calibrate.board", "A board to print, at true scale with a ruler.",
        "gmps calibrate board boards/a4",
    ),
    "calibrate capture": Command(
        "gmps_robot.cli.calibrate.capture", "Take views of the board; on the twin without hardware.",
        "gmps calibrate capture captures/monday",
    ),
    "calibrate solve": Command(
        "gmps_robot.cli.calibrate.solve", "Camera and hand-eye from a capture, with a verdict on left-out views.",
        "gmps calibrate solve captures/monday",
    ),
    "calibrate report": Command(
        "gmps_robot.cli.calibrate.report", "Show a calibration in one HTML file.",
        "gmps calibrate report captures/monday",
    ),
    "calibrate apply": Command(
        "gmps_robot.cli.calibrate.apply", "Make a rig of a solved capture, and ROS, URDF and MuJoCo files of it.",
        "gmps calibrate apply captures/monday --out rigs/lab",
    ),
    "calibrate latency": Command(
        "gmps_robot.cli.calibrate.latency", "Measure how late pictures are, and how late the arm obeys.",
        "gmps calibrate latency rigs/lab/rig.yaml",
    ),
    "calibrate identify": Command(
        "gmps_robot.cli.calibrate.identify", "Fit the twin's servos to what the arm does.",
        "gmps calibrate identify rigs/lab/rig.yaml",
    ),
    "calibrate marker": Command(
        "gmps_robot.cli.calibrate.marker", "A marker to print, for the block or the hand.",
        "gmps calibrate marker markers/block",
    ),
    "calibrate check": Command(
        "gmps_robot.cli.calibrate.check", "Say in ten seconds whether a calibration still holds.",
        "gmps calibrate check captures/monday",
    ),
    "calibrate selftest": Command(
        "gmps_robot.cli.calibrate.selftest", "Calibrate against known truth; a table with bars.",
        "gmps calibrate selftest --full --json selftest.json",
    ),
    "data stats": Command("gmps_robot.cli.data.stats", "Say what was recorded, and what is odd.", "gmps data stats"),
    "data validate": Command(
        "gmps_robot.cli.data.validate", "Read episode files from end to end.", "gmps data validate"
    ),
    "data recover": Command(
        "gmps_robot.cli.data.recover", "Make whole episodes of what a killed recorder left.", "gmps data recover"
    ),
    "data reindex": Command(
        "gmps_robot.cli.data.reindex", "Make the catalogue anew from the files.", "gmps data reindex"
    ),
    "data export": Command(
        "gmps_robot.cli.data.export", "Write a data set for robomimic or LeRobot.",
        "gmps data export push.hdf5 --format robomimic",
    ),
    "data prune": Command(
        "gmps_robot.cli.data.prune", "Delete what was put aside.", "gmps data prune --older-than 30"
    ),
    "doctor": Command(
        "gmps_robot.cli.doctor", "Say what works on this machine, and how to get what does not.", "gmps doctor"
    ),
}


def groups() -> list[str]:
    """Return the first words of the commands of two."""
    return sorted({name.split()[0] for name in COMMANDS if " " in name})


def overview(group: str = "") -> str:
    """Return the help of `gmps` itself, or of the commands of one group."""
    lines = [
        f"usage: gmps {group or 'COMMAND'} {'COMMAND ' if group else ''}[OPTIONS]",
        "",
        "Guided Meta-Policy Search on a Sawyer arm: train in the twin, teach through the panel, adapt on the robot.",
        "",
        "commands:",
    ]
    for name, command in COMMANDS.items():
        if not group or name.split()[0] == group:
            lines += [f"  {name:14} {command.summary}", f"  {'':14}   {command.example}"]
    return "\n".join([*lines, "", "gmps COMMAND --help tells the options of a command."])


def load(name: str) -> ModuleType:
    """Import the module of the command `name`.

    Raises:
        ConfigError: there is no such command.
    """
    if name not in COMMANDS:
        raise ConfigError(f"unknown command {name!r}{nearest(name, COMMANDS)}")
    return importlib.import_module(COMMANDS[name].module)


def options_type(run: Callable[..., int]) -> type[object]:
    """Return the options dataclass of a command: the type of the only argument of its `run`."""
    hints = typing.get_type_hints(run)
    hints.pop("return", None)
    (options,) = hints.values()
    if not isinstance(options, type):
        raise TypeError(f"{run.__module__}.run takes {options!r}, which is not a dataclass")
    return options


def execute(name: str, arguments: Sequence[str]) -> int:
    """Parse `arguments` for the command `name` and run it; returns its exit code."""
    module = load(name)
    import tyro

    kind = options_type(module.run)
    description = inspect.getdoc(kind) or ""
    if COMMANDS[name].example not in description:
        description += f"\n\nExample:\n    {COMMANDS[name].example}"
    options: object = tyro.cli(kind, prog=f"gmps {name}", description=description, args=list(arguments))
    return int(module.run(options))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `gmps`. A wrong input is one message and exit code 2; a stop by Ctrl-C is exit code 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if words else EXIT_USER_ERROR
    if words[0] in ("-V", "--version"):
        from gmps_robot import __version__

        print(f"gmps {__version__}")
        return 0
    of = 1 + (words[0] in groups())
    if of == 2 and (len(words) == 1 or words[1] in ("-h", "--help")):
        print(overview(words[0]))
        return 0 if len(words) > 1 else EXIT_USER_ERROR
    try:
        return execute(" ".join(words[:of]), words[of:])
    except GmpsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted; what was finished is on disk", file=sys.stderr)
        return EXIT_INTERRUPTED
