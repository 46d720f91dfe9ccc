"""Putting things back on a rig: the arm goes home by itself, the scene where somebody offers `scene/reset`."""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol

import numpy as np
from gmps_msgs.msg import GuardStatus
from gmps_msgs.srv import SceneReset
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from gmps_robot.types import FloatArray
from gmps_robot_nodes import conversions

HOMING_PATIENCE = 45.0  # [s]; the driver gives up after 30 s
SETTLING = 3.0  # [s]
SCENE_PATIENCE = 5.0  # [s]
AT_START = 0.003  # the measured tip is this near to the start before an episode begins [m]
MAY_MOVE = "the arm may still be on its way home: press STOP"


class ResetAnswers(Protocol):
    """Is told what comes of a reset: one of these, once, unless it was ended."""

    def reset_confirmed(self, stamp_ns: int) -> None:
        """All is in place, from `stamp_ns` on."""
        ...

    def reset_failed(self, reason: str) -> None:
        """The arm did not get to its start; it may be sent again."""
        ...

    def reset_refused(self, reason: str) -> None:
        """The scene cannot be put back."""
        ...


class RigReset:
    """One reset at a time: `ask`, then `note_guard` and `note_tip` with everything that is heard."""

    def __init__(self, node: Node, scene: Client, start: FloatArray, answers: ResetAnswers, simulated: bool) -> None:
        """Be ready.

        Args:
            node: asks.
            scene: client of `scene/reset`.
            start: (3,) where the tip belongs [m].
            answers: is told.
            simulated: the scene is, so somebody must offer `scene/reset`; on a table a person may be all there is.
        """
        self._simulated = simulated
        self._node, self._scene, self._start, self._answers = node, scene, start, answers
        self._home, self._hold = (node.create_client(Trigger, f"arm/{name}") for name in ("home", "hold"))
        self._request: SceneReset.Request | None = None  # names the reset, too: what answers another one is not for us
        self._homing_since: int | None = None  # ROS time when the arm said that it is on its way [ns]
        self._gives_up = 0.0
        self._arrived: float | None = None  # when it no longer moved [s]
        self._state = GuardStatus()  # as it then was

    @property
    def under_way(self) -> bool:
        """Whether the arm is on its way, or the scene is being put back."""
        return self._request is not None and time.monotonic() < self._gives_up

    def ask(self, request: SceneReset.Request) -> bool:
        """Send the arm home; return whether there was anybody to ask."""
        lacking = "arm/home: is the arm's driver" if not self._home.service_is_ready() else ""
        if self._simulated and not self._scene.service_is_ready():
            lacking = "scene/reset: is the emulator"
        if lacking:
            why = f"nobody offers {lacking} running?"
            self._node.get_logger().warning(why, throttle_duration_sec=5.0, skip_first=True)
            return False
        self._request, self._homing_since, self._arrived = request, None, None
        self._gives_up = time.monotonic() + HOMING_PATIENCE
        self._home.call_async(Trigger.Request()).add_done_callback(partial(self._on_home, request))
        return True

    def end(self) -> None:
        """Nobody waits any more: the arm holds where it is, and nobody is told."""
        if self._request is not None:
            self._forget()
            self._hold_arm()

    def note_guard(self, message: GuardStatus) -> None:
        """The arm has arrived once a status that is younger than its promise says that it no longer moves home.

        An operator who takes it meanwhile moves it where they like: it is then not on its way any more.
        """
        since = self._homing_since
        if self._request is not None and message.holder:
            self._fail(f"{message.holder} has taken the arm")
        elif since is not None and not message.homing and conversions.to_ns(message.header.stamp) > since:
            self._homing_since, self._arrived, self._state = None, time.monotonic(), message

    def note_tip(self, tip: FloatArray) -> None:
        """The measured tip (3,) [m]: the arm follows its command with a lag, and is waited for."""
        request, arrived = self._request, self._arrived
        if request is None or arrived is None:
            return
        away = float(np.linalg.norm(tip - self._start))
        if away > AT_START and time.monotonic() - arrived < SETTLING:
            return
        self._arrived = None
        if away > AT_START:
            self._fail(f"the arm did not come home: {self._state.state}, {away:.3f} m away. {self._state.reason}")
        elif self._scene.service_is_ready():
            self._gives_up = time.monotonic() + SCENE_PATIENCE
            self._scene.call_async(request).add_done_callback(partial(self._on_scene, request))
        else:
            self._forget()
            self._answers.reset_confirmed(self._now())

    def _on_home(self, request: SceneReset.Request, future: Future) -> None:
        response = future.result()
        if request is self._request and response.success:
            self._homing_since = self._now()
        elif request is self._request:
            self._fail(f"arm/home was refused: {response.message}")
        elif response.success and self._request is None:
            self._hold_arm()  # the first word to hold may have come before the one to go

    def _on_scene(self, request: SceneReset.Request, future: Future) -> None:
        if request is not self._request:
            return
        self._forget()
        response = future.result()
        if response.success:
            self._answers.reset_confirmed(conversions.to_ns(response.stamp))
        else:
            self._answers.reset_refused(response.message)

    def _fail(self, reason: str) -> None:
        reason = reason.rstrip(". ")
        self._node.get_logger().warning(reason, throttle_duration_sec=5.0)
        self._forget()
        self._answers.reset_failed(reason)

    def _forget(self) -> None:
        self._request = self._homing_since = self._arrived = None

    def _hold_arm(self) -> None:
        if not self._hold.service_is_ready():
            self._node.get_logger().error(f"nobody offers arm/hold; {MAY_MOVE}")
            return
        self._hold.call_async(Trigger.Request()).add_done_callback(self._on_hold)

    def _on_hold(self, future: Future) -> None:
        response = future.result()
        if not response.success:
            self._node.get_logger().error(f"arm/hold was refused: {response.message}; {MAY_MOVE}")

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)
