"""Node `calibrator`: captures views of a board while a person moves the arm, and says what to show next.

It has the camera itself (the camera node hands on what is undistorted already), or hears another node's on
`camera/sensor`; on the twin and the emulator it rehearses with a painted board. What it keeps is a capture that
`gmps calibrate solve` solves.
"""

from __future__ import annotations

import time
from pathlib import Path

from gmps_msgs.srv import CalibrateCapture
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from calibration.board import BoardSpec, load_board
from calibration.capture import Capture as Captured
from calibration.capture import CaptureWriter
from calibration.opencv import check_opencv
from calibration.session import CaptureSession, Progress
from calibration.twin_rig import twin_rig
from gmps_robot.camera.capture import Capture, without_latency
from gmps_robot.camera.frames import Frame
from gmps_robot.camera.sources import is_finite, open_source
from gmps_robot.errors import CalibrationError, nearest
from gmps_robot.rig import load_rig
from gmps_robot_nodes import parameters, stack
from gmps_robot_nodes.calibrator_arm import ArmHistory
from gmps_robot_nodes.calibrator_rehearsal import PaintedBoard
from gmps_robot_nodes.calibrator_topics import CalibratorTopics
from gmps_robot_nodes.camera_relay import TOPIC, Relay
from gmps_robot_nodes.spinning import Ending, main

RATE = 10.0  # looks at the board per second
WAIT = 0.05  # for a frame [s]
SILENCE = 1.0  # an older image shows nothing that a person would now want kept; also how often the status is told [s]
ACTIONS = ("start", "stop", "take")
PAINTED = "painted"  # the source of a rehearsal


class CalibratorNode(Node):
    """Offers every frame, with the arm's state of that time, to a `CaptureSession`."""

    def __init__(self) -> None:
        super().__init__("calibrator")
        check_opencv()
        directory = parameters.declare(self, "capture", "captures/latest", "Where images and capture.yaml go.")
        board = parameters.declare(self, "board", "", "YAML of the board; empty: the default board.")
        setup = parameters.declare(self, "setup", "eye_to_hand", "Who holds the board.", choices=stack.SETUPS)
        robot = parameters.declare(
            self, "robot", "sawyer", "Whose arm it is; on a simulated one the board is painted.", choices=stack.ROBOTS
        )
        camera = parameters.declare(self, "camera", "topic", f"As of the camera node; `topic`: what is on {TOPIC}.")
        self._rig = load_rig(parameters.declare(self, "rig", "nominal", "Rig whose image size and delays count."))
        self._automatic = parameters.declare(self, "automatic", True, "Keep views by itself from the start.")
        spec = BoardSpec() if not board else load_board(Path(board))
        source = camera if robot == "sawyer" else PAINTED
        capture = Captured(setup, spec, self._rig.camera.width, self._rig.camera.height, source)
        self._session = CaptureSession(CaptureWriter(Path(directory), capture))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._arm = ArmHistory(self, self._rig.latency.state)
        self._frame: Frame | None = None
        self._seen = 0.0  # when a frame last came, monotonic [s]
        self._topics = CalibratorTopics(self, directory)
        self.create_service(CalibrateCapture, "calibrate/capture", self._on_capture)
        self._feed = self._open(capture)

    def run(self, ending: Ending) -> None:
        """Look at the board until asked to end."""
        while not ending.requested:
            frame = self._feed.newest(WAIT)
            self._spin(0.0)
            self._arm.poll()
            if frame is not None:
                self._look(without_latency(frame, self._rig.latency.image))
            elif time.monotonic() - max(self._seen, self._topics.told) > SILENCE:
                self._frame = None
                self._tell(self._no_image())

    def close(self) -> None:
        """Give the camera back."""
        self._feed.close()
        self._executor.shutdown()
        self.destroy_node()

    def _open(self, capture: Captured) -> Capture | Relay | PaintedBoard:
        source, rig = capture.source, self._rig
        if source == PAINTED:
            return PaintedBoard(twin_rig(capture.setup, capture.board, rig), self._arm, self._spin)
        if source == "topic":
            return Relay(self, RATE, self._spin)
        return Capture(
            lambda: open_source(source, rig.camera), RATE, lambda: int(self.get_clock().now().nanoseconds),
            finite=is_finite(source),
        )

    def _look(self, frame: Frame) -> None:
        self._frame, self._seen = frame, time.monotonic()
        if not self._automatic:
            self._topics.show(frame, None)
            if time.monotonic() - self._topics.told > SILENCE:
                self._tell("nothing is kept until it is asked for")
            return
        corners = None
        try:
            progress = self._offer(at_once=False)
        except CalibrationError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=2.0)
            self._tell(str(error))
        else:
            corners = progress.corners
            if progress.taken is not None and progress.state.complete:
                self._automatic = False
            self._tell(progress.message)
        self._topics.show(frame, corners)

    def _offer(self, *, at_once: bool) -> Progress:
        """Offer the newest frame; one that is taken is offered once.

        Raises:
            CalibrationError: there is none, the arm was not heard at its time, it has another size, the disk is full.
        """
        frame = self._frame
        if frame is None:
            raise CalibrationError(self._no_image())
        progress = self._session.offer(frame.pixels, frame.stamp_ns, self._arm.at(frame.stamp_ns), at_once=at_once)
        if progress.taken is not None:
            self._frame = None
            self.get_logger().info(f"{progress.message}; next: {progress.hint}")
        return progress

    def _no_image(self) -> str:
        return f"no image: {self._feed.health().detail or 'none has come since the last one'}"

    def _tell(self, message: str) -> None:
        self._topics.tell(self._session.state, self._automatic, message)

    def _on_capture(
        self, request: CalibrateCapture.Request, response: CalibrateCapture.Response
    ) -> CalibrateCapture.Response:
        """Switch automatic capture on or off, or keep one view now."""
        response.success = True
        if request.action == "take":
            response.success, response.message = self._take()
        elif request.action in ACTIONS:
            self._automatic = request.action == "start"
            response.message = "views are kept by themselves" if self._automatic else "no view is kept by itself"
        else:
            response.success = False
            response.message = f"unknown action {request.action!r}{nearest(request.action, ACTIONS)}"
        response.views = self._session.state.views
        self._tell(response.message)
        return response

    def _take(self) -> tuple[bool, str]:
        try:
            progress = self._offer(at_once=True)
        except CalibrationError as error:
            return False, str(error)
        return progress.taken is not None, progress.message

    def _spin(self, timeout: float) -> None:
        self._executor.spin_once(timeout_sec=timeout)


def _work(ending: Ending) -> int:
    node = CalibratorNode()
    try:
        node.run(ending)
    finally:
        node.close()
    return 0


if __name__ == "__main__":
    main("calibrator", _work)
