"""What an episode file holds: which topics, and how their messages are defined. No ROS 2 is needed to read or write.

The definitions travel in every file (MCAP profile `ros2`, schema encoding `ros2msg`), so that a file is read by what is
in it and not by what is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from gmps_robot.errors import SetupError

IMAGE = "camera/image_raw/compressed"  # what the policy sees
VIEW = "camera/view/compressed"  # the same scene for people, the goal drawn in
POSE, JOINTS = "arm/ee_pose", "joint_states"
POLICY, TELEOP, APPLIED = "policy/command", "teleop/command", "arm/applied"
GUARD, SCENE, SESSION = "arm/guard_status", "scene/state", "adapt/status"

TOPICS: Mapping[str, str] = {
    IMAGE: "sensor_msgs/msg/CompressedImage",
    VIEW: "sensor_msgs/msg/CompressedImage",
    "camera/camera_info": "sensor_msgs/msg/CameraInfo",
    JOINTS: "sensor_msgs/msg/JointState",
    POSE: "geometry_msgs/msg/PoseStamped",
    "arm/ee_twist": "geometry_msgs/msg/TwistStamped",
    "arm/wrench": "geometry_msgs/msg/WrenchStamped",
    POLICY: "gmps_msgs/msg/ArmCommand",
    TELEOP: "gmps_msgs/msg/ArmCommand",
    APPLIED: "gmps_msgs/msg/AppliedCommand",
    GUARD: "gmps_msgs/msg/GuardStatus",
    SCENE: "gmps_msgs/msg/SceneState",
    SESSION: "gmps_msgs/msg/AdaptStatus",
}
"""Topic -> type of its messages."""


@cache
def typestore() -> Typestore:
    """Return the definitions of every message of `TOPICS`.

    Raises:
        SetupError: our own messages are not built.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    folder = Path(sys.prefix) / "share" / "gmps_msgs" / "msg"
    ours = {}
    for path in folder.glob("*.msg"):
        ours.update(get_types_from_msg(path.read_text(encoding="utf-8"), f"gmps_msgs/msg/{path.stem}"))
    missing = sorted(kind for kind in set(TOPICS.values()) if kind.startswith("gmps_msgs/") and kind not in ours)
    if missing:
        raise SetupError(f"no definition of {missing[0]} in {folder}: build the messages with `make setup`")
    store.register(ours)
    return store


def schema(kind: str) -> str:
    """Return the definition of message type `kind` with all it is made of."""
    return str(typestore().generate_msgdef(kind, ros_version=2)[0])


@lru_cache(maxsize=64)
def described(kind: str, text: str) -> Typestore:
    """Return the definitions that `schema` wrote for `kind`."""
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(text, kind))
    return store
