"""What the robot said last, collected from the threads of the link under one lock.

A value counts as new when its header stamp is new: a robot that repeats an old state is as stale as one that is silent.
A message with a number that is not finite is dropped as a whole, and so is one that was overtaken on its way, or a tip
state that the robot itself calls not valid.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gmps_robot.control.sawyer_model import JOINTS, sawyer_model
from gmps_robot.sawyer.messages import nanoseconds
from gmps_robot.types import FloatArray

NAMES = tuple(link.joint for link in sawyer_model().links)
GRIPPER_TIP, HAND = "right_gripper_tip", "right_hand"
OVERTAKEN_NS = 200_000_000  # a stamp further back than this is a clock that jumped, not a message that was overtaken
# What the robot itself explains of `actual_effort`, besides gravity. The torque of its interaction controller is not
# among them: that is a torque it wants, and this driver never asks for one.
DRIVE_TRAIN = ("hysteresis_model_effort", "crosstalk_model_effort")
PRESSED = 1  # RobotAssemblyState.estop_button
NEVER = float("-inf")


@dataclass(frozen=True)
class Tip:
    """One entry of tip_states. Arrays: position (3,) [m], quaternion (4,) x y z w, velocity (3,) [m/s], wrench (6,)."""

    name: str
    position: FloatArray
    quaternion: FloatArray
    velocity: FloatArray
    wrench: FloatArray


@dataclass(frozen=True)
class Assembly:
    """`/robot/state`, the part that matters."""

    enabled: bool = False
    stopped: bool = False
    error: bool = False
    pressed: bool = False  # the e-stop button is in


@dataclass(frozen=True)
class Limits:
    """`/robot/joint_limits` by joint name: lowest and highest position [rad] and speed [rad/s]."""

    by_joint: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Robot:
    """A snapshot. Times `*_s` are those of receipt [s], of the newest value."""

    joints: FloatArray  # (7,) [rad]; NaN before the first
    velocities: FloatArray  # (7,) [rad/s]
    joints_s: float = NEVER  # of the joint that was silent longest
    tips: tuple[Tip, ...] = ()
    tips_s: float = NEVER
    assembly: Assembly = Assembly()
    assembly_s: float = NEVER
    limits: Limits | None = None
    collision_s: float = NEVER  # when the robot last felt one
    residual_torque: FloatArray = field(default_factory=lambda: np.zeros(0))  # (7,) [N m]; (0,) before the first
    residual_s: float = NEVER
    tips_valid: bool = True  # what the robot says of its newest tip state; of those not valid none is kept
    rejected: int = 0  # messages dropped: not finite, not valid, or overtaken

    def tip(self, name: str) -> Tip | None:
        """The tip called `name`."""
        return next((tip for tip in self.tips if tip.name == name), None)


class Heard:
    """Callbacks `on_*` take (message, receipt_s) as the link hands them over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._robot = Robot(np.full(JOINTS, np.nan), np.full(JOINTS, np.nan))
        self._joint_s = np.full(JOINTS, NEVER)
        self._joint_stamps = np.zeros(JOINTS, dtype=np.int64)
        self._tip_stamp = self._torque_stamp = 0

    def robot(self) -> Robot:
        """Return everything heard so far."""
        with self._lock:
            return self._robot

    def on_joints(self, message: Any, receipt_s: float) -> None:
        """JointState, possibly of some joints only; others than the arm's are left out."""
        rows = [(NAMES.index(name), k) for k, name in enumerate(message.name) if name in NAMES]
        if not rows:
            return
        ours, theirs = (list(each) for each in zip(*rows, strict=True))
        values = np.stack([message.position, message.velocity]).astype(np.float64)[:, theirs]
        stamp = nanoseconds(message.header.stamp)
        with self._lock:
            late = ((self._joint_stamps[ours] - OVERTAKEN_NS < stamp) & (stamp < self._joint_stamps[ours])).any()
            if late or not np.isfinite(values).all():
                self._reject()
                return
            joints, velocities = self._robot.joints.copy(), self._robot.velocities.copy()
            joints[ours], velocities[ours] = values
            self._joint_s[ours] = np.where(self._joint_stamps[ours] == stamp, self._joint_s[ours], receipt_s)
            self._joint_stamps[ours] = stamp
            self._robot = replace(
                self._robot, joints=joints, velocities=velocities, joints_s=float(self._joint_s.min())
            )

    def on_tips(self, message: Any, receipt_s: float) -> None:
        """EndpointStates."""
        stamp = nanoseconds(message.header.stamp)
        tips = tuple(_tip(name, state) for name, state in zip(message.names, message.states, strict=True))
        finite = all(np.isfinite(a).all() for t in tips for a in (t.position, t.quaternion, t.velocity, t.wrench))
        ours = zip(message.names, message.states, strict=True)
        valid = all(bool(state.valid) for name, state in ours if name in (GRIPPER_TIP, HAND))
        with self._lock:
            self._robot = replace(self._robot, tips_valid=valid)
            if not (finite and valid) or self._tip_stamp - OVERTAKEN_NS < stamp < self._tip_stamp:
                self._reject()
                return
            tips_s = self._robot.tips_s if stamp == self._tip_stamp else receipt_s
            self._tip_stamp = stamp
            self._robot = replace(self._robot, tips=tips, tips_s=tips_s)

    def on_torques(self, message: Any, receipt_s: float) -> None:
        """SEAJointState of all joints at once. What is left of a joint's effort opposes what presses on the arm."""
        stamp, residual = nanoseconds(message.header.stamp), _residual(message)
        with self._lock:
            late = self._torque_stamp - OVERTAKEN_NS < stamp < self._torque_stamp
            if late or residual is None or not np.isfinite(residual).all():
                self._reject()
                return
            residual_s = self._robot.residual_s if stamp == self._torque_stamp else receipt_s
            self._torque_stamp = stamp
            self._robot = replace(self._robot, residual_torque=residual, residual_s=residual_s)

    def on_assembly(self, message: Any, receipt_s: float) -> None:
        """RobotAssemblyState."""
        pressed = int(message.estop_button) == PRESSED
        state = Assembly(bool(message.enabled), bool(message.stopped) or pressed, bool(message.error), pressed)
        with self._lock:
            self._robot = replace(self._robot, assembly=state, assembly_s=receipt_s)

    def on_limits(self, message: Any, _receipt_s: float) -> None:
        """JointLimits."""
        columns = (message.joint_names, message.position_lower, message.position_upper, message.velocity)
        limits = Limits({name: (float(a), float(b), float(v)) for name, a, b, v in zip(*columns, strict=True)})
        with self._lock:
            self._robot = replace(self._robot, limits=limits)

    def on_collision(self, message: Any, receipt_s: float) -> None:
        """CollisionDetectionState."""
        if message.collision_state:
            with self._lock:
                self._robot = replace(self._robot, collision_s=receipt_s)

    def _reject(self) -> None:
        self._robot = replace(self._robot, rejected=self._robot.rejected + 1)


def _tip(name: str, state: Any) -> Tip:
    place, turn, speed, wrench = state.pose.position, state.pose.orientation, state.twist.linear, state.wrench
    force, torque = wrench.force, wrench.torque
    return Tip(
        str(name), np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w]),
        np.array([speed.x, speed.y, speed.z]), np.array([force.x, force.y, force.z, torque.x, torque.y, torque.z]),
    )


def _residual(message: Any) -> FloatArray | None:
    """Effort (7,) [N m] that the robot's own models leave unexplained; None where a joint of the arm is missing."""
    names, drive_train = list(message.name), [getattr(message, term) for term in DRIVE_TRAIN]
    models = [message.gravity_model_effort, *(each for each in drive_train if len(each))]  # a model may be left out
    if not set(NAMES) <= set(names) or any(len(each) != len(names) for each in (message.actual_effort, *models)):
        return None
    return np.asarray(message.actual_effort - np.sum(models, axis=0))[[names.index(name) for name in NAMES]]
