"""What the robot says about itself on the ROS 1 parameter server and in `/robot/joint_limits`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from gmps_robot.control.kinematics import rotation_from_quaternion
from gmps_robot.control.sawyer_model import sawyer_model

DEFINITIONS = Path(__file__).parents[2] / "gmps_robot" / "sawyer" / "definitions"
VERSION = "5.3.0.0"
HEAD_LIMITS = (-5.0952, 0.9064)  # [rad]
HEAD_SPEED, HEAD_ACCELERATION, HEAD_TORQUE = 1.8, 10.0, 8.0


def joint_names() -> list[str]:
    """Return the arm's joints, shoulder first."""
    return [link.joint for link in sawyer_model().links]


def joint_limits(scale: float = 1.0) -> dict[str, list[Any]]:
    """Return the fields of JointLimits; positions of the arm are multiplied by `scale`."""
    links = sawyer_model().links
    return {
        "joint_names": ["head_pan", *joint_names()],
        "position_lower": [HEAD_LIMITS[0], *(scale * link.joint_range[0] for link in links)],
        "position_upper": [HEAD_LIMITS[1], *(scale * link.joint_range[1] for link in links)],
        "velocity": [HEAD_SPEED, *(link.velocity for link in links)],
        "accel": [HEAD_ACCELERATION, *(link.acceleration for link in links)],
        "effort": [HEAD_TORQUE, *(link.torque for link in links)],
    }


def parameters() -> dict[str, Any]:
    """Return the parameters of the robot, by name."""
    names = joint_names()
    return {
        "/robot_description": _description(),
        "/manifest/robot_software/version/HLR_VERSION_STRING": VERSION,
        "/manifest/robot_class": "sawyer",
        "/robot_config/assembly_names": ["right", "torso", "head"],
        "/robot_config/right_config/joint_names": names,
        "/robot_config/head_config/joint_names": ["head_pan"],
        "/named_poses/right/poses/neutral": list(sawyer_model().neutral_joints),
    }


def _description() -> str:
    """A minimal URDF: links and joints with their limits, no shapes."""
    lines = ['<?xml version="1.0"?>', '<robot name="sawyer">', '  <link name="base"/>']
    parent = "base"
    for link in sawyer_model().links:
        low, high = link.joint_range
        lines += [
            f'  <link name="{link.name}"/>',
            f'  <joint name="{link.joint}" type="revolute">',
            f'    <parent link="{parent}"/><child link="{link.name}"/><axis xyz="0 0 1"/>',
            f'    <origin xyz="{" ".join(f"{x:g}" for x in link.position)}" rpy="{_angles(link.quaternion)}"/>',
            f'    <limit lower="{low}" upper="{high}" effort="{link.torque}" velocity="{link.velocity}"/>',
            "  </joint>",
        ]
        parent = link.name
    return "\n".join([*lines, "</robot>"])


def _angles(quaternion: tuple[float, ...]) -> str:
    """Roll, pitch and yaw [rad] of a quaternion w x y z, as URDF wants them."""
    r = rotation_from_quaternion(quaternion)
    pitch = math.atan2(-r[2, 0], math.hypot(r[0, 0], r[1, 0]))
    if math.hypot(r[0, 0], r[1, 0]) > 1e-6:
        roll, yaw = math.atan2(r[2, 1], r[2, 2]), math.atan2(r[1, 0], r[0, 0])
    else:  # the first and the last axis coincide: yaw takes it all
        roll, yaw = 0.0, math.atan2(-r[0, 1], r[1, 1])
    return f"{roll:.6f} {pitch:.6f} {yaw:.6f}"
