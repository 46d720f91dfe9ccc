"""What can be made to go wrong on the emulator, by name, with the options of each and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.errors import ConfigError, nearest

REQUIRED = object()
VECTORS = {"push": "force", "tip_shift": "offset"}
BODIES = ("hand", *(link.name for link in sawyer_model().links))
ACTIONS = ("none", "drop", "delay", "duplicate", "reorder")
TOPICS = (
    "/robot/joint_states", "/robot/state", "/robot/joint_limits", "/robot/homing_states", "/robot/head/head_state",
    *(f"/robot/limb/right/{name}" for name in (
        "endpoint_state", "tip_states", "collision_detection_state", "collision_avoidance_state",
        "gravity_compensation_torques",
    )),
    "/io/end_effector/config", "/io/end_effector/right_gripper/config", "/io/end_effector/right_gripper/state",
)  # fmt: skip
CHOICES = {"topic": {"topic": TOPICS, "action": ACTIONS}, "push": {"body": BODIES}}


@dataclass(frozen=True)
class Fault:
    """One fault: what it does, and its options with defaults; `REQUIRED` marks those without."""

    does: str
    options: Mapping[str, Any]


FAULTS: dict[str, Fault] = {
    "estop_press": Fault("press the e-stop", {}),
    "estop_release": Fault("let the e-stop go; the robot stays stopped until it is reset", {}),
    "robot_error": Fault("the robot finds a joint fault and stops", {}),
    "collision": Fault("collision_detection_state, whatever touches", {"active": True}),
    "nan_state": Fault("NaN in the joint states", {"active": True}),
    "push": Fault(
        "press on the hand, or on a link, which the tip does not feel, with a force [N] for some time [s]",
        {"force": REQUIRED, "seconds": 0.5, "body": "hand"},
    ),
    "table": Fault("put the table's top at a height [m]", {"height": 0.03}),
    "tip_shift": Fault("report the tip shifted [m], as another gripper would", {"offset": (0.012, 0.0, 0.0)}),
    "tip_invalid": Fault("call the tip states not valid; their numbers stay as they are", {"active": True}),
    "gripper_acks": Fault("take no gripper command and acknowledge none", {"swallowed": True}),
    "stamps": Fault("all stamps stand still", {"frozen": True}),
    "clock": Fault("all stamps jump by seconds", {"offset": REQUIRED}),
    "topic": Fault(
        "drop, delay, duplicate or reorder a share of what the robot publishes on a topic; none ends it",
        {"topic": REQUIRED, "action": REQUIRED, "seconds": 0.1, "share": 1.0},
    ),
    "joint_limits": Fault("publish joint limits scaled by a factor", {"scale": REQUIRED}),
    "parameter": Fault("set a parameter of the robot", {"name": REQUIRED, "value": REQUIRED}),
    "master_killed": Fault("the ROS 1 master dies", {}),
    "network_silent": Fault("nothing comes or goes, all connections stay open (half-open)", {"active": True}),
    "network_reset": Fault("all connections are reset, new ones refused, until network_back", {}),
    "network_back": Fault("the robot's node is back on the network, as after network_reset", {}),
    "camera": Fault("the camera shows the same picture for ever", {"frozen": True}),
}


def checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of fault `name`, defaults filled in.

    Raises:
        ConfigError: no such fault, no such option, a missing one, or a vector that is none.
    """
    if name not in FAULTS:
        raise ConfigError(f"unknown fault {name!r}{nearest(name, FAULTS)}")
    known = FAULTS[name].options
    for option in options:
        if option not in known:
            raise ConfigError(f"fault {name!r} has no option {option!r}{nearest(option, known)}")
    full = {**known, **options}
    absent = [option for option, value in full.items() if value is REQUIRED]
    if absent:
        raise ConfigError(f"fault {name!r} needs {', '.join(absent)}: {FAULTS[name].does}")
    if name in VECTORS:
        full[VECTORS[name]] = _vector(name, VECTORS[name], full[VECTORS[name]])
    for option, valid in CHOICES.get(name, {}).items():
        if full[option] not in valid:
            raise ConfigError(f"fault {name!r}: {option} = {full[option]!r}{nearest(str(full[option]), valid)}")
    return full


def _vector(name: str, option: str, value: Any) -> list[float]:
    vector = np.asarray(value, dtype=np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ConfigError(f"fault {name!r}: {option} = {value!r}: expected three numbers x, y, z")
    return [float(x) for x in vector]
