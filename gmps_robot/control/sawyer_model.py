"""The Sawyer arm as numbers, read once from `sawyer_model.json`. The twin and the kinematics share this table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

JOINTS = 7
Vector3 = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]  # w x y z, as the file and MuJoCo have it


@dataclass(frozen=True)
class Capsule:
    """A capsule of a link's shape, in the link frame [m]."""

    start: Vector3
    end: Vector3
    radius: float


@dataclass(frozen=True)
class Link:
    """One link and the joint that carries it; the joint turns about the link's z axis."""

    name: str
    joint: str
    position: Vector3  # of the link frame in its parent [m]
    quaternion: Quaternion
    mass: float  # [kg]
    com: Vector3  # [m]
    inertia: Vector3  # diagonal, at the centre of mass [kg m^2]
    joint_range: tuple[float, float]  # [rad]
    torque: float  # [N m]
    velocity: float  # [rad/s]
    acceleration: float  # [rad/s^2]
    stiffness: float  # of the position servo [N m/rad]
    capsules: tuple[Capsule, ...]


@dataclass(frozen=True)
class Servo:
    """What the joint servos have in common."""

    damping_ratio: float  # velocity gain over position gain [s]
    armature: float  # [kg m^2]
    damping: float  # [N m s/rad]
    friction_loss: tuple[float, ...]  # per joint [N m]


@dataclass(frozen=True)
class Gripper:
    """The nominal parallel-jaw gripper (not a calibrated Rethink one)."""

    tip: Vector3  # grip point in the hand frame [m]
    finger_offset: float  # of each finger from the middle [m]
    finger_range: tuple[float, float]  # slide of each finger, closed to open [m]
    force: float  # [N]
    pad_half_size: Vector3  # box of each pad [m]
    pad_center: Vector3  # of the left one from its finger's frame [m]; the right one mirrors y


@dataclass(frozen=True)
class SawyerModel:
    """Seven links, a hand and a gripper. `tip` is the grip point between the pads."""

    neutral_joints: tuple[float, ...]  # (7,) [rad]
    links: tuple[Link, ...]
    servo: Servo
    hand_position: Vector3  # in the last link [m]
    hand_quaternion: Quaternion
    hand_half_size: Vector3  # box on the hand frame's z axis, standing on its origin [m]
    gripper: Gripper


@cache
def sawyer_model() -> SawyerModel:
    """Return the arm's numbers (figures of the Sawyer URDF and MuJoCo Menagerie, Apache-2.0, see NOTICE)."""
    raw = json.loads(Path(__file__).with_name("sawyer_model.json").read_text(encoding="utf-8"))
    servo, hand, gripper = raw["servo"], raw["hand"], raw["gripper"]
    return SawyerModel(
        neutral_joints=tuple(raw["neutral_joints"]),
        links=tuple(_link(link) for link in raw["links"]),
        servo=Servo(
            damping_ratio=servo["kv_over_kp"],
            armature=servo["armature"],
            damping=servo["damping"],
            friction_loss=(servo["frictionloss_j0_j3"],) * 4 + (servo["frictionloss_j4_j6"],) * 3,
        ),
        hand_position=tuple(hand["pos"]),
        hand_quaternion=tuple(hand["quat"]),
        hand_half_size=tuple(hand["half_size"]),
        gripper=Gripper(
            tip=tuple(gripper["grip_site_from_hand"]),
            finger_offset=gripper["finger_offset_y"],
            finger_range=tuple(gripper["finger_range"]),
            force=gripper["max_force_n"],
            pad_half_size=tuple(gripper["pad_half_size"]),
            pad_center=tuple(gripper["pad_center"]),
        ),
    )


def _link(raw: dict[str, Any]) -> Link:
    return Link(
        name=raw["name"],
        joint=raw["joint"],
        position=tuple(raw["pos"]),
        quaternion=tuple(raw["quat"]),
        mass=raw["mass"],
        com=tuple(raw["com"]),
        inertia=tuple(raw["inertia"]),
        joint_range=tuple(raw["range"]),
        torque=raw["torque"],
        velocity=raw["velocity"],
        acceleration=raw["acceleration"],
        stiffness=raw["kp"],
        capsules=tuple(Capsule(tuple(c["from"]), tuple(c["to"]), c["radius"]) for c in raw["capsules"]),
    )
