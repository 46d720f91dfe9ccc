"""A camera for a calibration on the twin, whose own picture shows no board: the heard arm holds a painted one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from calibration.drawing import BoardPainter
from calibration.session import hand_pose
from calibration.twin_rig import TwinRig
from gmps_robot.camera.frames import CameraHealth, Frame
from gmps_robot_nodes.calibrator_arm import ArmHistory

PERIOD_NS = 200_000_000  # between two pictures


class PaintedBoard:
    """As `gmps_robot.camera.capture.Capture`: a picture of the board where the newest state of the arm puts it."""

    def __init__(self, place: TwinRig, arm: ArmHistory, spin: Callable[[float], None]) -> None:
        """`place` says where camera and board are; `arm` is polled here."""
        self._place, self._arm, self._spin = place, arm, spin
        self._painter = BoardPainter(place.board, place.rig.camera)
        self._rng = np.random.default_rng(0)
        self._late_ns = round(place.rig.latency.image * 1e9)
        self._due_ns = 0

    def newest(self, timeout: float) -> Frame | None:
        """Return a picture that is due; None where none has become so within `timeout` [s]."""
        self._spin(timeout)
        self._arm.poll()
        state = self._arm.newest()
        if state is None or state.stamp_ns < self._due_ns:
            return None
        self._due_ns = state.stamp_ns + PERIOD_NS
        there = self._place.board_in_camera(hand_pose(state))
        # As late as the rig's camera, so that the same correction makes it right.
        return Frame(state.stamp_ns + self._late_ns, time.monotonic(), self._painter.image(there, self._rng))

    def health(self) -> CameraHealth:
        """Say whether there is an arm that could hold the board."""
        if self._due_ns:
            return CameraHealth("running", "", 0.0, 1e9 / PERIOD_NS)
        return CameraHealth("starting", "no arm/ee_pose and joint_states heard yet", np.inf, 0.0)

    def close(self) -> None:
        """Nothing to give back."""
