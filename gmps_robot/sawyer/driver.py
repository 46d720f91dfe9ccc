"""SawyerArm: the real arm as an ArmDriver, over its own wire and behind the guard.

Motion is commanded in VELOCITY mode with a time-out of 0.1 s: when this process dies, the robot itself holds its
position. POSITION mode is left behind at the end. No other mode is ever used, and no safety of the robot suppressed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gmps_robot.control.guard_state import GuardState, latch, starting_at
from gmps_robot.control.guarded_arm import GuardedArm
from gmps_robot.control.kinematics import forward
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.errors import ArmError
from gmps_robot.sawyer import checks
from gmps_robot.sawyer.gripper import STROKE
from gmps_robot.sawyer.heard import GRIPPER_TIP, HAND, Robot, Tip
from gmps_robot.sawyer.wire import COMMAND_TIMEOUT, Wire
from gmps_robot.types import ArmState, ArmStatus, FloatArray

if TYPE_CHECKING:
    from gmps_robot.families.family import Family

PERIOD = 0.01  # [s]
LINK_LOST = 0.5  # silence after which there is no link [s]
SILENT = 0.5  # silence after which nothing is commanded any more: the robot's own time-out acts [s]
TORQUE_OLD = 0.5  # joint torques older than this are not told [s]
COLLISION_SHOWN = 0.1  # how long a collision is reported [s]
# From the robot's joints to our ears and from our command back to them, and the most a motion is extrapolated [s]. A
# stop that begins where the arm was swings back: where the link is 10 ms later than this, rest comes 100 ms later.
TRANSPORT, OLDEST = 0.02, 0.03
CATCH_UP = 0.025  # time constant for what late control periods have moved too far [s]
SETTLED = 0.3  # at rest for this long, what is left between measured and commanded joints is drift [s]
DRIFT_SPEED = 0.005  # with which drift is made good: slow enough to pass for rest [rad/s]
DRIFT_SPEED_HOME = 0.04  # at home, where an exact start is worth more than rest [rad/s]
DRIFT_GAIN = 3.0  # [1/s]
LEAN, LEAN_HOME = 0.015, 0.04  # how much drift is made good, since that presses on what may be in the way [rad]
TAKEN_BACK = 0.06  # of what the joints lag behind, at most [rad]
MOMENTUM = 0.3  # share of it that a moving arm needs to come to rest; less, and it swings back
SPEED_SHARE = 0.5  # of what the joints can; the guard stays below by itself
SWITCH_PATIENCE = 5.0  # for the robot to follow a switch [s]
REPEAT = 0.1  # of a switch until the robot follows [s]
STEADY = 0.3  # with motors on before the force is called none: what was felt before is forgotten [s]
SETTLING, STILL = 0.5, 0.01  # at the end: how long to wait for joints slower than this [s], [rad/s]
PARTING = 20  # POSITION commands at the end, one per control period


class SawyerArm(GuardedArm):
    """One arm over one wire. `apply` belongs to one control thread; everything else may come from others."""

    def __init__(
        self, family: Family, wire: Wire, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin not armed, where the arm is.

        Args:
            family: gives envelope and start.
            wire: connected.
            clock: monotonic, the one that the link stamps receipts with [s].
            sleep: lets it pass.
        """
        share = float(np.clip(2.0 * wire.gripper.opening / STROKE - 1.0, -1.0, 1.0))
        super().__init__(family, starting_at(wire.heard.robot().joints, PERIOD, share), clock, sleep)
        self._wire = wire
        self._problem = "the robot has not been compared with the model yet: enable it"
        self._turn = object()  # of the person who asked last for a switch, a stop or its end
        self._commanded = self._guard.joints  # (7,) of the control period before
        self._speed = np.zeros(7)  # last commanded joint speeds [rad/s]
        self._sent, self._sent_s = self._guard.joints, 0.0  # (7,) where those speeds have led [rad], and until when [s]
        self._lean, self._mended = np.zeros(7), np.zeros(7)  # (7,) drift made good on the way, and at home [rad]
        self._rested = 0.0  # time at rest [s]
        self._ticked: float | None = None
        self.begin()
        self._top_speed = SPEED_SHARE * np.array([link.velocity for link in sawyer_model().links])

    def begin(self) -> None:
        """Take the arm over: the robot is to hold by itself as soon as this driver falls silent."""
        self._wire.begin()

    def rest(self, reason: str) -> None:
        """Come to rest, latch, disarm, and leave the arm in POSITION mode. Meanwhile nobody else calls `apply`."""
        self.stop(reason)
        patience = self._clock() + SETTLING
        while self._guard.armed and not (self._guard.at_rest and (self._still() or self._clock() > patience)):
            self.apply(None, self._clock())
            self._sleep(self.period)
        if not self._guard.armed:
            return
        self._wire.part()
        joints = self._wire.heard.robot().joints
        for _ in range(PARTING):
            self._wire.hold(joints)
            self._sleep(self.period)
        with self._lock:
            self._guard = replace(self._guard, armed=False)  # what happens from now on is not watched

    def _still(self) -> bool:
        """Whether the joints rest too, not only their commands, which they follow late."""
        return bool((np.abs(self._wire.heard.robot().velocities) < STILL).all())

    def observe(self) -> ArmState:
        """Return the latest measured state, as the robot told it."""
        return self._state(self._wire.heard.robot(), self._clock())

    def _measured(self, now: float) -> ArmState:
        """The joints as they are now: the robot's last word is a few milliseconds old, and the arm may be fast."""
        robot = self._wire.heard.robot()
        age = min(max(now - robot.joints_s + TRANSPORT, 0.0), OLDEST)
        return self._state(replace(robot, joints=robot.joints + age * robot.velocities), now)

    def _state(self, robot: Robot, now: float) -> ArmState:
        tip = robot.tip(GRIPPER_TIP) or _from_hand(robot)
        heard_s = min(robot.joints_s, robot.tips_s)
        return ArmState(
            stamp_ns=round(heard_s * 1e9) if np.isfinite(heard_s) else 0,
            joints=robot.joints,
            joint_velocities=robot.velocities,
            tip_position=tip.position,
            tip_quaternion=tip.quaternion,
            tip_velocity=tip.velocity,
            wrench=tip.wrench,
            gripper=self._wire.gripper.opening,
            status=self._status(robot, now),
            residual_torque=robot.residual_torque if now - robot.residual_s <= TORQUE_OLD else np.zeros(0),
        )

    def _status(self, robot: Robot, now: float) -> ArmStatus:
        silence = now - min(robot.joints_s, robot.assembly_s)
        connected = silence <= LINK_LOST
        state = robot.assembly
        details = (
            "" if connected else f"nothing heard for {silence:.1f} s",
            "the e-stop button is pressed" if state.pressed else "stopped" if state.stopped else "",
            "" if robot.tips_valid else "the robot calls its tip state not valid",
            self._problem,
        )
        return ArmStatus(
            connected=connected,
            enabled=state.enabled,
            stopped=state.stopped,
            error=state.error and not state.enabled and not state.stopped,  # an enabled robot's error is not fatal
            collision=now - robot.collision_s <= COLLISION_SHOWN,
            verified=not self._problem,
            detail="; ".join(detail for detail in details if detail),
        )

    def _carry_out(self, state: GuardState, now: float) -> None:
        """Command the joint speeds that lead to the guard's joints; an arm that is not armed is left alone."""
        before, self._commanded = self._commanded, state.joints
        robot = self._wire.heard.robot()
        if not state.armed or not now - robot.joints_s <= SILENT:
            self._speed, self._ticked = np.zeros(7), None
            return
        if state.time != self._ticked:  # else this call came early, the guard waited, and the motion goes on
            self._speed = self._joint_speed(state, before, robot.joints)
            self._ticked = state.time
        self._wire.move(self._speed)
        problem = self._wire.gripper.drive(state.gripper, now, time.time_ns()) if state.mode != "FAULT" else ""
        if problem:
            self._wire.gripper.forget()
            self._guard = latch(state, "robot", problem)

    def _joint_speed(self, state: GuardState, before: FloatArray, measured: FloatArray) -> FloatArray:
        """Joint speeds (7,) [rad/s] for one period: to the guard's joints, with late periods and drift made good."""
        now = self._clock()  # not when the period began: the guard takes its time, and not always the same
        passed, self._sent_s = min(now - self._sent_s, COMMAND_TIMEOUT), now
        if self._ticked is None:
            self._sent, self._lean, self._rested = state.joints, np.zeros(7), 0.0
            return np.zeros(7)
        self._sent = self._sent + self._speed * passed
        if state.resynced:  # the guard starts again where the arm is
            before = state.joints
            # What a moving arm has still to make up is taken back. One at rest was moved by hand: nothing is to come.
            owed = np.zeros(7) if self._rested > SETTLED else self._sent - before
            self._sent = before + np.clip(owed, -TAKEN_BACK, TAKEN_BACK)
            self._lean = np.clip(MOMENTUM * (self._sent - before), -LEAN, LEAN)
        if not state.at_rest:
            self._rested, self._mended = 0.0, np.zeros(7)
        self._rested += passed
        if self._rested > SETTLED:  # in motion the joints lag behind their commands, as servos do
            self._mend(before - measured, passed, state.source == "reset")
        catching_up = (before + self._lean - self._sent) / CATCH_UP
        wanted = (state.joints - before) / state.period + catching_up
        return np.asarray(np.clip(wanted, -self._top_speed, self._top_speed))

    def _mend(self, drift: FloatArray, passed: float, home: bool) -> None:
        """Make good a little of `drift` (7,) [rad] within `passed` [s].

        At `home` nothing is in the way: there the estimate of where the robot has been sent to is put right, and the
        next motions begin without a lean.
        """
        if not home:
            step = np.clip(DRIFT_GAIN * drift, -DRIFT_SPEED, DRIFT_SPEED) * passed
            self._lean = np.clip(self._lean + step, -LEAN, LEAN)
            return
        step = np.clip(DRIFT_GAIN * drift, -DRIFT_SPEED_HOME, DRIFT_SPEED_HOME) * passed
        mended = np.clip(self._mended + step, -LEAN_HOME, LEAN_HOME)
        self._sent = self._sent - self._lean - (mended - self._mended)
        self._lean, self._mended = np.zeros(7), mended

    def _armed(self) -> None:
        self._ticked = None

    def _switch(self, enabled: bool) -> None:
        turn = self._take_turn()
        if enabled:
            self._compare(self._wire.heard.robot())

        def ask() -> None:
            if enabled and self._wire.heard.robot().assembly.stopped:
                raise ArmError("the robot was stopped meanwhile: reset it first")
            self._wire.enable(enabled)

        self._until(
            lambda: self._wire.heard.robot().assembly.enabled == enabled, ask,
            f"the motors did not switch {'on' if enabled else 'off'}", turn,
        )  # fmt: skip
        if enabled:
            self._sleep(STEADY)

    def _press_stop(self, reason: str) -> None:
        self._take_turn()
        self._until(
            lambda: self._wire.heard.robot().assembly.stopped, self._wire.stop,
            f"the robot did not confirm its stop ({reason}); press its own button",
        )  # fmt: skip

    def _release_stop(self) -> None:
        state = self._wire.heard.robot().assembly
        if state.pressed:
            raise ArmError("the e-stop button is still pressed: turn it until it comes out, then reset again")
        if state.stopped or (state.error and not state.enabled):
            self._until(
                lambda: not (self._wire.heard.robot().assembly.stopped or self._wire.heard.robot().assembly.error),
                self._wire.reset, "the robot did not clear its stop", self._take_turn(),
            )  # fmt: skip

    def _compare(self, robot: Robot) -> None:
        """Refuse an arm that is silent, stopped, commanded by others, or not the one that the model describes."""
        status = self._status(robot, self._clock())
        if not status.connected:
            raise ArmError(f"no link to the robot: {status.detail}")
        if status.stopped:
            raise ArmError(f"the robot is stopped ({status.detail}): reset it first")
        self._wire.require_alone()
        problems = (checks.limits_problem(robot.limits), checks.kinematics_problem(robot))
        self._problem = "; ".join(problem for problem in problems if problem)
        if self._problem:
            raise ArmError(f"this is not the arm that the model describes: {self._problem}")

    def _take_turn(self) -> object:
        """End the waiting of earlier requests: motors must not come on after somebody has switched or stopped them."""
        self._turn = object()
        return self._turn

    def _until(
        self, done: Callable[[], bool], act: Callable[[], None], otherwise: str, turn: object | None = None
    ) -> None:
        """Repeat `act`, once at least, until the robot follows, or until somebody else takes the `turn`.

        Raises:
            ArmError: the robot does not follow, for which `otherwise` has words, or a later request came in between.
        """
        end, due = self._clock() + SWITCH_PATIENCE, 0.0
        while True:
            if turn not in (None, self._turn):
                raise ArmError(f"{otherwise}: a later request came in between")
            now = self._clock()
            if now >= due:
                act()
                due = now + REPEAT
            if done():
                return
            if now > end:
                raise ArmError(f"{otherwise} within {SWITCH_PATIENCE:.0f} s")
            self._sleep(PERIOD)


def _from_hand(robot: Robot) -> Tip:
    """The tip of a robot that tells its hand only: the model continues from there."""
    pose = forward(robot.joints[None])
    hand = robot.tip(HAND)
    quaternion, wrench = (np.full(4, np.nan), np.full(6, np.nan)) if hand is None else (hand.quaternion, hand.wrench)
    return Tip(GRIPPER_TIP, pose.position[0], quaternion, pose.jacobian[0, :3] @ robot.velocities, wrench)
