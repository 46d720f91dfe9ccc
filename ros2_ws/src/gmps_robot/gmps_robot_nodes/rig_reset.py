"""Putting things back on a rig: the arm goes home by itself, the scene where somebody offers `scene/reset`."""

from __future__ import annotations

import time
from collections.abc import Callable

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


class RigReset:
    """One reset at a time: `ask`, then `note_guard` and `note_tip` with everything that is heard."""

    def __init__(
        self, node: Node, scene: Client, start: FloatArray, confirmed: Callable[[int], None],
        refused: Callable[[str], None], simulated: bool,
    ) -> None:
        """Be ready.

        Args:
            node: asks.
            scene: client of `scene/reset`.
            start: (3,) where the tip belongs [m].
            confirmed: gets the stamp from which on all is in place [ns].
            refused: gets the reason why something is not.
            simulated: the scene is, so somebody must offer `scene/reset`; on a table a person may be all there is.
        """
        self._simulated = simulated
        self._node, self._scene, self._start = node, scene, start
        self._confirmed, self._refused = confirmed, refused
        self._home = node.create_client(Trigger, "arm/home")
        self._request: SceneReset.Request | None = None
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
        self._home.call_async(Trigger.Request()).add_done_callback(self._on_home)
        return True

    def note_guard(self, message: GuardStatus) -> None:
        """The arm has arrived once a status that is younger than its promise says that it no longer moves home."""
        since = self._homing_since
        if since is None or message.homing or conversions.to_ns(message.header.stamp) <= since:
            return
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
        if away <= AT_START and self._scene.service_is_ready():
            self._gives_up = time.monotonic() + SCENE_PATIENCE
            self._scene.call_async(request).add_done_callback(self._on_scene)
            return
        self._request = None
        if away > AT_START:
            self._say(f"the arm did not come home: {self._state.state}, {away:.3f} m away. {self._state.reason}")
        else:
            self._confirmed(self._now())

    def _on_home(self, future: Future) -> None:
        response = future.result()
        if response.success:
            self._homing_since = self._now()
        else:
            self._request = None
            self._say(f"arm/home was refused: {response.message}")

    def _on_scene(self, future: Future) -> None:
        self._request = None
        response = future.result()
        if response.success:
            self._confirmed(conversions.to_ns(response.stamp))
        else:
            self._refused(response.message)

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _say(self, text: str) -> None:
        self._node.get_logger().warning(text, throttle_duration_sec=5.0)
