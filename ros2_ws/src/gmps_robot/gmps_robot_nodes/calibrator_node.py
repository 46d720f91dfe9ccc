"""Node `calibrator`: captures views of a board while a person moves the arm, and says what to show next.

It has the camera itself (the camera node hands on what is undistorted already), or hears another node's on
`camera/sensor`. What it keeps is a capture that `gmps calibrate solve` solves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped
from gmps_msgs.msg import CalibrateStatus
from gmps_msgs.srv import CalibrateCapture
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState

from calibration.board import BoardSpec, load_board
from calibration.capture import Capture as Captured
from calibration.capture import CaptureWriter
from calibration.opencv import check_opencv
from calibration.session import CaptureSession, Progress
from gmps_robot.camera.capture import Capture, without_latency
from gmps_robot.camera.frames import Frame
from gmps_robot.camera.sources import is_finite, open_source
from gmps_robot.errors import CalibrationError
from gmps_robot.rig import load_rig
from gmps_robot.types import ArmState, FloatArray
from gmps_robot_nodes import conversions, parameters, qos
from gmps_robot_nodes.camera_relay import TOPIC, Relay
from gmps_robot_nodes.pairing import RIG_TOLERANCE_NS, Stamped
from gmps_robot_nodes.spinning import Ending, main

RATE = 10.0  # looks at the board per second
WAIT = 0.05  # for a frame [s]
SETUPS = ("eye_to_hand", "eye_in_hand")


class CalibratorNode(Node):
    """Offers every frame, with the arm's state of that time, to a `CaptureSession`."""

    def __init__(self) -> None:
        super().__init__("calibrator")
        check_opencv()
        directory = parameters.declare(self, "directory", "captures/latest", "Where images and capture.yaml go.")
        board = parameters.declare(self, "board", "", "YAML of the board; empty: the default board.")
        setup = parameters.declare(self, "setup", "eye_to_hand", "Who holds the board.", choices=SETUPS)
        camera = parameters.declare(self, "camera", "topic", f"As of the camera node; `topic`: what is on {TOPIC}.")
        self._rig = load_rig(parameters.declare(self, "rig", "nominal", "Rig whose image size and delays count."))
        self._automatic = parameters.declare(self, "automatic", True, "Keep views by itself from the start.")
        sensor = self._rig.camera
        spec = BoardSpec() if not board else load_board(Path(board))
        capture = Captured(setup, spec, sensor.width, sensor.height, camera)
        self._session = CaptureSession(CaptureWriter(Path(directory), capture))
        self._tips, self._joints = Stamped[tuple[FloatArray, FloatArray]](), Stamped[tuple[FloatArray, FloatArray]]()
        self._frame: Frame | None = None
        self._status = self.create_publisher(CalibrateStatus, "calibrate/status", qos.STATUS)
        self.create_service(CalibrateCapture, "calibrate/capture", self._on_capture)
        self.create_subscription(PoseStamped, "arm/ee_pose", self._on_pose, qos.STATE)
        self.create_subscription(JointState, "joint_states", self._on_joints, qos.STATE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        if camera == "topic":
            self._feed: Capture | Relay = Relay(self, RATE, self._spin)
        else:
            self._feed = Capture(
                lambda: open_source(camera, sensor), RATE, lambda: int(self.get_clock().now().nanoseconds),
                finite=is_finite(camera),
            )

    def run(self, ending: Ending) -> None:
        """Look at the board until asked to end."""
        while not ending.requested:
            frame = self._feed.newest(WAIT)
            self._spin(0.0)
            if frame is not None:
                self._frame = without_latency(frame, self._rig.latency.image)
                if self._automatic:
                    self._look()

    def close(self) -> None:
        """Give the camera back."""
        self._feed.close()
        self._executor.shutdown()
        self.destroy_node()

    def _look(self) -> None:
        try:
            self._say(self._offer(at_once=False))
        except CalibrationError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=2.0)

    def _offer(self, *, at_once: bool) -> Progress:
        """Offer the newest frame.

        Raises:
            CalibrationError: there is none, the arm was not heard at its time, or it has another size.
        """
        if self._frame is None:
            raise CalibrationError(f"no image yet: {self._feed.health().detail or 'is the camera publishing?'}")
        state = self._arm_at(self._frame.stamp_ns)
        return self._session.offer(self._frame.pixels, self._frame.stamp_ns, state, at_once=at_once)

    def _arm_at(self, stamp_ns: int) -> ArmState:
        tip = self._tips.nearest(stamp_ns, RIG_TOLERANCE_NS)
        joints = self._joints.nearest(stamp_ns, RIG_TOLERANCE_NS)
        if tip is None or joints is None:
            raise CalibrationError(
                f"stale state: no arm/ee_pose and joint_states within {RIG_TOLERANCE_NS / 1e6:.0f} ms of the image; is "
                "the arm's driver running, and are both on one clock?"
            )
        (position, quaternion), (angles, speeds) = tip[1], joints[1]
        return ArmState(tip[0], angles, speeds, position, quaternion, np.zeros(3), np.zeros(6), 0.0)

    def _say(self, progress: Progress) -> None:
        state, now_ns = progress.state, self.get_clock().now().nanoseconds
        self._status.publish(
            CalibrateStatus(
                header=conversions.header(now_ns), phase="done" if state.complete else "capturing", views=state.views,
                hint=progress.hint, coverage=[float(v) for v in (state.cells > 0.0).ravel()], message=progress.message,
            )
        )

    def _on_capture(
        self, request: CalibrateCapture.Request, response: CalibrateCapture.Response
    ) -> CalibrateCapture.Response:
        """Switch automatic capture on, or keep one view now."""
        if request.automatic:
            self._automatic = True
            response.success, response.message = True, "views are kept by themselves"
        else:
            try:
                progress = self._offer(at_once=True)
            except CalibrationError as error:
                response.message = str(error)
            else:
                self._say(progress)
                response.success, response.message = progress.taken is not None, progress.message
        response.views = self._session.state.views
        return response

    def _on_pose(self, message: PoseStamped) -> None:
        turn = message.pose.orientation
        pose = conversions.vector(message.pose.position), np.array([turn.x, turn.y, turn.z, turn.w])
        self._tips.add(conversions.to_ns(message.header.stamp) - round(self._rig.latency.state * 1e9), pose)

    def _on_joints(self, message: JointState) -> None:
        state = np.array(message.position), np.array(message.velocity)
        self._joints.add(conversions.to_ns(message.header.stamp) - round(self._rig.latency.state * 1e9), state)

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
