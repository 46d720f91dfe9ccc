"""A robot whose joints follow speeds and remember no place, as those of an arm that people lead by its cuff."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from gmps_robot import families
from gmps_robot.control.kinematics import forward, joints_at
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.sawyer.driver import PERIOD, SawyerArm
from gmps_robot.sawyer.heard import GRIPPER_TIP, Assembly, Limits, Robot, Tip
from gmps_robot.sawyer.wire import COMMAND_TIMEOUT
from gmps_robot.types import AppliedCommand, ArmCommand

FAMILY = families.family("push")
LAG = 0.03  # of the joints' speeds [s]
STEP = 0.005  # of the robot [s]


class VelocityRobot:
    """Robot and `Wire` in one, in virtual time `now` [s]. `speeds` are those of the true tip, one per step [m/s]."""

    def __init__(self, joints: np.ndarray) -> None:
        self.joints, self.now = joints.copy(), 100.0
        self.wrench, self.speeds = np.zeros(6), [0.0]
        self.heard = SimpleNamespace(robot=self._robot)
        self.gripper = SimpleNamespace(opening=0.02, drive=lambda *_: "", forget=lambda: None)
        self._velocities, self._asked, self._asked_s, self._enabled = np.zeros(7), np.zeros(7), -np.inf, True

    @property
    def tip(self) -> np.ndarray:
        """(3,) where it truly is [m]."""
        return forward(self.joints[None]).position[0]

    def move(self, velocity: np.ndarray) -> None:
        """Take joint speeds (7,) [rad/s]."""
        self._asked, self._asked_s = np.array(velocity), self.now

    def begin(self) -> None:
        """It holds soon after the last command anyway."""

    def enable(self, enabled: bool) -> None:
        """Switch the motors."""
        self._enabled = enabled

    def require_alone(self) -> None:
        """Nobody else is here."""

    def advance(self) -> None:
        """Let a step pass."""
        asked = self._asked if self.now - self._asked_s <= COMMAND_TIMEOUT else np.zeros(7)
        self._velocities = self._velocities + (asked - self._velocities) * STEP / LAG
        self.joints = self.joints + self._velocities * STEP
        self.now += STEP
        self.speeds.append(float(np.linalg.norm(forward(self.joints[None]).jacobian[0, :3] @ self._velocities)))

    def _robot(self) -> Robot:
        pose = forward(self.joints[None])
        tip = Tip(GRIPPER_TIP, pose.position[0], _quaternion(pose.rotation[0]),
                  pose.jacobian[0, :3] @ self._velocities, self.wrench)  # fmt: skip
        limits = Limits({link.joint: (*link.joint_range, link.velocity) for link in sawyer_model().links})
        return Robot(self.joints.copy(), self._velocities.copy(), self.now, (tip,), self.now,
                     Assembly(enabled=self._enabled), self.now, limits)  # fmt: skip


class Led:
    """The driver of such a robot, armed, 100 times a second; `ask` is what a person or program asks of it."""

    def __init__(self, tip: tuple[float, float, float]) -> None:
        self.robot = VelocityRobot(joints_at(tip))
        self.arm = SawyerArm(FAMILY, self.robot, lambda: self.robot.now, self.run)  # type: ignore[arg-type]
        self.velocity: np.ndarray | None = None
        self.homing, self._seq = False, 0
        self.reasons: set[str] = set()
        self.arm.enable(True)
        self.run(0.1)

    def run(self, seconds: float) -> None:
        """Let control periods pass."""
        for _ in range(round(seconds / PERIOD)):
            self._tick(self.robot.now)
            for _ in range(round(PERIOD / STEP)):
                self.robot.advance()

    def lead(self, joints: np.ndarray) -> None:
        """Move it by hand to `joints` (7,) [rad], and wait half a second."""
        self.robot.joints = joints.copy()
        self.run(0.5)
        self.robot.speeds.clear()

    def _tick(self, now: float) -> None:
        command = None
        if self.homing:
            command = self.arm.next_home(now)
            self.homing = command is not None
        elif self.velocity is not None:
            self._seq += 1
            command = ArmCommand(round(now * 1e9), self._seq, "teleop", self.velocity, 0.0)
        applied: AppliedCommand = self.arm.apply(command, now)
        self.reasons |= {reason.split(":")[0] for reason in applied.reasons}


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """(x, y, z, w) of a rotation, by its largest component."""
    r = rotation
    squares = np.array([
        1 + r[0, 0] - r[1, 1] - r[2, 2], 1 - r[0, 0] + r[1, 1] - r[2, 2],
        1 - r[0, 0] - r[1, 1] + r[2, 2], 1 + r[0, 0] + r[1, 1] + r[2, 2],
    ])  # fmt: skip
    products = np.array([
        [0, r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
        [r[0, 1] + r[1, 0], 0, r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
        [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 0, r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 0],
    ])  # fmt: skip
    k = int(np.argmax(squares))
    found = products[k] / (2.0 * np.sqrt(squares[k]))
    found[k] = np.sqrt(squares[k]) / 2.0
    return found
