"""The driver of the arm and the emulated robot in one process, in virtual time: no network and no jitter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from gmps_robot.families.push import PushFamily
from gmps_robot.sawyer import heard
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.types import FloatArray
from sim.emulator import assembly, wire
from sim.emulator.parameters import joint_limits, joint_names
from sim.emulator.robot import Robot

REPORT = 0.01  # between two states of the robot [s]


class VirtualTime:
    """`sleep` lets the emulated robot live."""

    def __init__(self, robot: Robot) -> None:
        self._robot, self._steps, self.heard = robot, 0, SimpleNamespace(robot=self._snapshot)
        self._last: heard.Robot | None = None
        self._report()

    @property
    def now(self) -> float:
        return self._steps * self._robot.body.dt

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        for _ in range(round(seconds / self._robot.body.dt)):
            self._steps += 1
            self._robot.step(self.now)
            if self._steps % round(REPORT / self._robot.body.dt) == 0:
                self._report()

    def _snapshot(self) -> heard.Robot:
        assert self._last is not None
        return self._last

    def _report(self) -> None:
        frame = self._robot.report(wire.DUE_STATE, self.now, self.now)
        state = wire.read_state(frame[5:])
        pose, twist, wrench = (np.array(state[name]) for name in ("tip_pose", "tip_twist", "wrench"))
        names, limits = joint_names(), joint_limits()
        rows = {name: k for k, name in enumerate(limits["joint_names"])}
        by_joint = {
            name: tuple(limits[key][rows[name]] for key in ("position_lower", "position_upper", "velocity"))
            for name in names
        }
        self._last = heard.Robot(
            np.array(state["position"]), np.array(state["velocity"]), self.now,
            (heard.Tip(heard.GRIPPER_TIP, pose[:3], pose[3:], twist[:3], wrench),), self.now,
            heard.Assembly(bool(state["enabled"]), bool(state["stopped"])), self.now, heard.Limits(by_joint),
            residual_torque=np.subtract(state["effort"], np.add(state["gravity"], state["hysteresis"])),
            residual_s=self.now,
        )  # fmt: skip


class VirtualWire:
    """What the driver says goes straight to the robot."""

    def __init__(self, robot: Robot, time: VirtualTime) -> None:
        self._robot, self._time, self.heard = robot, time, time.heard
        self.gripper = SimpleNamespace(opening=robot.body.opening, drive=lambda *_: "", forget=lambda: None)

    def require_alone(self) -> None:
        pass

    def move(self, velocity: FloatArray) -> None:
        message = {"op": "joint_command", "mode": 2, "names": joint_names(), "position": [], "velocity": velocity}
        self._robot.handle({**message, "caller": "test"}, self._time.now)

    def enable(self, enabled: bool) -> None:
        self._robot.change(assembly.request_enable(self._robot.assembly, enabled, self._time.now), self._time.now)


def driven_robot(noise: float = 0.0, seed: int = 0) -> tuple[SawyerArm, Robot, VirtualTime]:
    """An armed driver in front of an emulated robot at the start of the push scene."""
    family = PushFamily()
    robot = Robot(family, seed, noise, 0.0)
    robot.limb.set_timeout(0.1)
    time = VirtualTime(robot)
    link: Any = VirtualWire(robot, time)
    arm = SawyerArm(family, link, time.clock, time.sleep)
    arm.enable(True)
    return arm, robot, time
