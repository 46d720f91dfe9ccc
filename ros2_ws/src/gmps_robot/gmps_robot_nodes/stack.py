"""What the stack is made of: the launch arguments and the nodes, as data.

`launch/adapt.launch.py` and `bringup.py` are both made from this one list, so they cannot drift apart. Standard library
only: a sourced ROS 2 imports this file with its own Python, which need not have anything else of the project.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Value = str | int | bool

ROBOTS = ("twin", "sawyer", "emulator")
SPEEDS = ("realtime", "max")
SESSIONS = ("adapt", "teach", "calibrate")
POLICY_SESSIONS = ("adapt", "teach")  # which need the policy's picture of the scene
SETUPS = ("eye_to_hand", "eye_in_hand")
MISMATCHES = ("refuse", "allow")
EMULATOR_PORT = 11411  # plus the ROS domain: stacks that do not meet in ROS 2 do not meet in ROS 1 either

class ArgumentError(ValueError):
    """A launch argument is unknown or wrong; the message names it, its value and the valid choices."""


@dataclass(frozen=True)
class Argument:
    """One launch argument, `name:=value`. `low` and `high` bound whole numbers, both included."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    def read(self, text: str) -> Value:
        """Return `text` as the argument's type: bool for true|false, int where there are bounds, else str.

        Raises:
            ArgumentError: not one of the choices, not a number, or out of bounds.
        """
        if self.choices and text not in self.choices:
            raise ArgumentError(f"{self.name}:={text}{_nearest(text, self.choices)}")
        if self.choices == BOOLEAN:
            return text == "true"
        if self.low is None or self.high is None:
            return text
        try:
            number = int(text)
        except ValueError as error:
            raise ArgumentError(f"{self.name}:={text}: expected a whole number, {self.low} to {self.high}") from error
        if not self.low <= number <= self.high:
            raise ArgumentError(f"{self.name}:={text}: valid: {self.low} to {self.high}")
        return number


@dataclass(frozen=True)
class NodeDescription:
    """One node. Its executable in the ROS package, its node name and its Python module `<name>_node` share `name`."""

    name: str
    parameters: tuple[str, ...]  # arguments that are handed on as parameters of the same name
    remappings: tuple[tuple[str, str], ...] = ()
    robots: tuple[str, ...] = ROBOTS  # with which robots it runs
    sessions: tuple[str, ...] = SESSIONS  # in which sessions
    rewards: tuple[str, ...] = ()  # with which rewards it runs; empty: with all
    conditions: tuple[str, ...] = ()  # true|false arguments, one of which must be true for it to run; empty: always
    spare: bool = False  # the stack goes on without it
    ends_stack: bool = False  # its end is the end of the work; the end of any other node is a failure

    @property
    def module(self) -> str:
        """The module to run with `python -m`."""
        return f"gmps_robot_nodes.{self.name}_node"


@dataclass(frozen=True)
class NodeStart:
    """A node with its parameters resolved, ready to be started."""

    node: NodeDescription
    parameters: Mapping[str, Value]


BOOLEAN = ("true", "false")

ARGUMENTS = (
    Argument("session", "adapt", "What begins by itself: adaptation to `goals` tasks; nothing, so that a person "
             "teaches at the panel; or the capture of a camera's calibration.", SESSIONS),
    Argument("robot", "twin", "Which arm: the simulated twin, the real one, or a twin behind the real one's wire.",
             ROBOTS),
    Argument("master_uri", "", "ROS 1 master of the arm, http://HOST:PORT; empty: that of ROS_MASTER_URI for the real "
             f"arm; for the emulator port {EMULATOR_PORT} plus ROS_DOMAIN_ID of this machine."),
    Argument("camera", "0", "Camera of the real arm: device number, video file, rtsp:// address, recorded folder, or "
             "`topic`: what another node publishes on camera/sensor."),
    Argument("rig", "nominal", "Calibration of the rig, for which the twin then stands: a shipped name, or a file."),
    Argument("rig_mismatch", "refuse", "A checkpoint that was trained for another rig.", MISMATCHES),
    Argument("capture", "captures/latest", "Folder of the views of session:=calibrate; it goes on with those there."),
    Argument("board", "", "What session:=calibrate shows to the camera: a YAML file; empty: the default board."),
    Argument("setup", "eye_to_hand", "The arm holds the board and the camera stands, or the reverse.", SETUPS),
    Argument("marker", "", "What is printed on the object, for reward:=marker: a YAML file; empty: number 0 of "
             "DICT_4X4_50, 3 cm, on a block of 4 cm."),
    Argument("task", "0", "Which task of the split, by number; the first of several goals.", (), 0, 999),
    Argument("split", "test", "Where tasks come from; the policy was trained on none but `train`.",
             ("train", "val", "test", "ood")),
    Argument("goals", "1", "How many tasks to adapt to, one after the other.", (), 1, 1000),
    Argument("episodes", "20", "Episodes before each update.", (), 2, 200),
    Argument("updates", "1", "Policy-gradient updates.", (), 1, 20),
    Argument("evaluations", "5", "Episodes before and after that show what adaptation brought.", (), 0, 100),
    Argument("reward", "auto", "Who judges an episode: the twin, a person at the panel, or a marker tracker; auto: the "
             "twin where the scene is simulated, else a person.", ("auto", "twin", "human", "marker")),
    Argument("speed", "realtime", "Pace of the twin; `max` runs it in lock-step and publishes /clock.", SPEEDS),
    Argument("checkpoint", "push-vision", "Name of a shipped checkpoint, or a directory."),
    Argument("seed", "0", "Seed of the task list, the exploration and the start of the block.", (), 0, 2**31 - 1),
    Argument("out", "runs/adapt", "Where results go, in a directory per run."),
    Argument("json", "", "File for the numbers of every goal; empty: goals.json beside the other results."),
    Argument("film", "true", "Film one episode before and one after, on the twin.", BOOLEAN),
    Argument("panel", "true", "Whether to serve the web panel.", BOOLEAN),
    Argument("panel_port", "8080", "Port of the web panel on this machine; 0 takes any free one.", (), 0, 65535),
    Argument("stay", "false", "Keep everything running after the last goal.", BOOLEAN),
    Argument("record", "false", "Record every episode of the session below GMPS_DATA (default ./data).", BOOLEAN),
)

NODES = (
    NodeDescription("twin", ("speed", "seed", "rig", "reward", "marker"), robots=("twin",)),
    NodeDescription("emulator", ("master_uri", "seed"), robots=("emulator",)),
    NodeDescription("sawyer_driver", ("master_uri",), robots=("sawyer", "emulator")),
    NodeDescription("camera", ("camera", "rig"), robots=("sawyer",), sessions=POLICY_SESSIONS),
    NodeDescription(
        "tracker", ("robot", "rig", "marker", "use_sim_time"), rewards=("marker",), sessions=POLICY_SESSIONS
    ),
    NodeDescription(  # it has the camera to itself: it needs the picture as the lens bends it
        "calibrator", ("robot", "camera", "rig", "capture", "board", "setup"), sessions=("calibrate",)
    ),
    NodeDescription(
        "adapt", ("robot", "checkpoint", "rig", "rig_mismatch", "out", "evaluations", "film", "use_sim_time"),
        sessions=POLICY_SESSIONS,
    ),
    NodeDescription(
        "panel", ("session", "robot", "rig", "panel_port", "reward", "seed", "episodes", "checkpoint"),
        conditions=("panel",),
    ),
    NodeDescription(  # a page can teach, so it has a recorder
        "recorder", ("robot", "rig", "checkpoint", "record"), conditions=("record", "panel"), spare=True,
        sessions=POLICY_SESSIONS,
    ),
    NodeDescription(
        "conductor",
        ("session", "robot", "task", "split", "goals", "episodes", "updates", "reward", "seed", "out", "json", "stay",
         "record", "beside"),
        ends_stack=True,
    ),
)


def defaults() -> dict[str, str]:
    """Return every argument with its default, as text."""
    return {argument.name: argument.default for argument in ARGUMENTS}


def parse(words: Sequence[str]) -> dict[str, str]:
    """Read `name:=value` words; what is not named takes its default.

    Raises:
        ArgumentError: a word has no `:=`, or no argument has that name.
    """
    values = defaults()
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator:
            raise ArgumentError(f"{word!r} is not of the form name:=value; names: {', '.join(values)}")
        if name not in values:
            raise ArgumentError(f"unknown launch argument {name!r}{_nearest(name, values)}")
        values[name] = value
    return values


def check_names(words: Iterable[str]) -> None:
    """Refuse a misspelt argument among the `name:=value` words given to `ros2 launch`, which would ignore it silently.

    A name that resembles none of ours is left alone: it may belong to a launch file that includes this one.

    Raises:
        ArgumentError: a name is nearly, but not quite, one of ours.
    """
    known = tuple(defaults())
    for word in words:
        name, separator, _ = word.partition(":=")
        if separator and name not in known and difflib.get_close_matches(name, known, n=1):
            raise ArgumentError(f"unknown launch argument {name!r}{_nearest(name, known)}")


def resolve(values: Mapping[str, str], environment: Mapping[str, str]) -> tuple[NodeStart, ...]:
    """Return the nodes that run for `values` (as from `parse`), each with its parameters.

    `environment` is asked for ROS_MASTER_URI and ROS_DOMAIN_ID.

    Raises:
        ArgumentError: a value is not valid, or asks for what this version does not have.
    """
    settings: dict[str, Value] = {argument.name: argument.read(values[argument.name]) for argument in ARGUMENTS}
    robot = str(settings["robot"])
    _check_parts(settings, robot)
    settings["use_sim_time"] = settings["speed"] == "max"
    settings["master_uri"] = _master_uri(str(settings["master_uri"]), robot, environment)
    if settings["reward"] == "auto":
        settings["reward"] = "human" if robot == "sawyer" else "twin"
    nodes = [
        node for node in NODES
        if robot in node.robots and settings["session"] in node.sessions
        and (not node.rewards or settings["reward"] in node.rewards)
        and (not node.conditions or any(settings[name] for name in node.conditions))
    ]  # fmt: skip
    settings["beside"] = ",".join(node.name for node in nodes if not (node.spare or node.ends_stack))
    return tuple(NodeStart(node, {name: settings[name] for name in node.parameters}) for node in nodes)


def _check_parts(settings: Mapping[str, Value], robot: str) -> None:
    if settings["reward"] == "marker" and robot == "emulator":
        raise ArgumentError("reward:=marker: the emulator's block carries no marker; valid: twin, human")
    if settings["reward"] == "twin" and robot == "sawyer":
        raise ArgumentError("reward:=twin: robot:=sawyer has no simulated scene that could judge; valid: human, marker")
    if settings["rig"] != "nominal" and robot == "emulator":
        raise ArgumentError(f"rig:={settings['rig']}: the emulator has the camera of rig nominal; valid: nominal")
    if settings["session"] == "teach" and not settings["panel"]:
        raise ArgumentError("session:=teach needs the panel, at which a person teaches; valid: panel:=true")
    if settings["session"] != "adapt" and settings["speed"] == "max":
        raise ArgumentError(f"session:={settings['session']}: a person moves the arm in real time; valid: realtime")
    if settings["speed"] == "max" and robot != "twin":
        raise ArgumentError(f"speed:=max: robot:={robot} runs in real time, the twin alone does not; valid: realtime")


def _master_uri(given: str, robot: str, environment: Mapping[str, str]) -> str:
    """The address of the ROS 1 master; empty for the twin, which has none."""
    if robot == "twin":
        return ""
    emulated = f"http://127.0.0.1:{EMULATOR_PORT + int(environment.get('ROS_DOMAIN_ID') or 0)}"
    uri = given or (emulated if robot == "emulator" else environment.get("ROS_MASTER_URI", ""))
    name = "master_uri" if given or robot == "emulator" else "ROS_MASTER_URI"
    form = "expected http://HOST:PORT, as in http://021607CP00067.local:11311"
    if not uri:
        raise ArgumentError(f"robot:=sawyer needs the address of the robot: give master_uri:=, {form}")
    try:
        parts = urlsplit(uri)
        sound = parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        sound = False
    if not sound:
        raise ArgumentError(f"{name}={uri}: {form}")
    return uri


def _nearest(name: str, choices: Iterable[str]) -> str:
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} valid: {', '.join(known)}"
