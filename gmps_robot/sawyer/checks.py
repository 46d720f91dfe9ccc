"""Is this robot the arm that the model describes? Asked before the arm is armed; every answer says what differs."""

from __future__ import annotations

import re

import numpy as np

from gmps_robot.control.kinematics import forward, rotation_from_quaternion
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.sawyer.heard import GRIPPER_TIP, HAND, NAMES, Limits, Robot, Tip
from gmps_robot.types import FloatArray

TIP_DISTANCE, TIP_ANGLE = 0.005, np.deg2rad(1.0)  # how far our kinematics and the robot's may differ [m, rad]
LIMIT_TOLERANCE = 0.01  # [rad], [rad/s]
SUPPORTED = ("5.2", "5.3")  # releases of the robot's software whose messages and modes this driver knows


def version_problem(version: str) -> str:
    """Return why the robot's software (its HLR_VERSION_STRING) is not supported; empty when it is."""
    found = re.match(r"(\d+\.\d+)\.", version)
    if found and found.group(1) in SUPPORTED:
        return ""
    releases = " and ".join(SUPPORTED)
    return f"the robot runs Intera {version or 'of unknown version'}; supported are {releases}: update its software"


def names_problem(names: list[str]) -> str:
    """Return how the robot's arm joints differ from the model's; empty when they are the same."""
    if sorted(names) == sorted(NAMES):
        return ""
    return f"the robot's joints are {', '.join(names) or 'none'}; the model has {', '.join(NAMES)}"


def limits_problem(limits: Limits | None) -> str:
    """Return how the robot's joint limits differ from the model's; empty when they are the same."""
    if limits is None:
        return "the robot has not told its joint limits (/robot/joint_limits)"
    problems = []
    for link in sawyer_model().links:
        theirs, ours = limits.by_joint.get(link.joint), (*link.joint_range, link.velocity)
        if theirs is None:
            problems.append(f"{link.joint} is missing")
        elif not np.abs(np.subtract(theirs, ours)).max() <= LIMIT_TOLERANCE:
            told, known = (f"{low:.3f} to {high:.3f} rad, {speed:.2f} rad/s" for low, high, speed in (theirs, ours))
            problems.append(f"{link.joint}: {told}, the model has {known}")
    return f"joint limits differ: {'; '.join(problems)}" if problems else ""


def kinematics_problem(robot: Robot) -> str:
    """Return how far the robot's own tip is from where our kinematics put it; empty when they agree."""
    if not robot.tips_valid:
        return "the robot calls its own tip state not valid (tip_states): clear its faults, check its gripper"
    tip = robot.tip(GRIPPER_TIP) or robot.tip(HAND)
    if tip is None or not np.isfinite(robot.joints).all():
        return "the robot has not told its joints and tips yet"
    pose = forward(robot.joints[None])
    rotation = pose.rotation[0]
    place = pose.position[0]
    if tip.name == HAND:
        place = place - rotation @ np.array(sawyer_model().gripper.tip)
    away, turned = float(np.linalg.norm(place - tip.position)), _angle(rotation, tip)
    if away <= TIP_DISTANCE and turned <= TIP_ANGLE:
        return ""
    return (
        f"{tip.name} is {1e3 * away:.1f} mm and {np.rad2deg(turned):.2f} deg from where the model has it "
        f"(limits {1e3 * TIP_DISTANCE:.0f} mm, {np.rad2deg(TIP_ANGLE):.0f} deg): check the gripper and its mount"
    )


def _angle(rotation: FloatArray, tip: Tip) -> float:
    """Angle between `rotation` (3, 3) and the tip's attitude [rad]."""
    x, y, z, w = tip.quaternion
    theirs = rotation_from_quaternion((w, x, y, z))
    return float(np.arccos(np.clip((np.trace(rotation.T @ theirs) - 1.0) / 2.0, -1.0, 1.0)))
