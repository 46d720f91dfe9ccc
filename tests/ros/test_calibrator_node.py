"""The calibrator in a real graph: views by itself and when asked, with the pose of their time; the panel beside it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import simplejpeg
from geometry_msgs.msg import PoseStamped
from gmps_msgs.msg import CalibrateStatus
from gmps_msgs.srv import CalibrateCapture
from gmps_robot_nodes import conversions, qos
from sensor_msgs.msg import CompressedImage, Image, JointState

from calibration.board import BoardSpec
from calibration.capture import Capture, CaptureWriter, load_capture
from calibration.drawing import BoardPainter
from calibration.poses import to_quaternion
from calibration.session import hand_frame, hand_pose
from calibration.twin_rig import CENTER, twin_rig
from gmps_robot.control.kinematics import joints_at
from gmps_robot.rig import load_rig
from gmps_robot.types import ArmState
from tests.ros.conftest import Graph
from tests.ros.test_panel_node import start_panel

PLACE = twin_rig("eye_to_hand", BoardSpec(), load_rig("nominal"))
MILLISECOND = 1_000_000


def arm(turned: float) -> ArmState:
    """The arm at rest in the middle of the route, its wrist turned by `turned` [rad]."""
    joints = joints_at(CENTER) + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, turned])
    there = hand_frame(joints)
    quaternion = to_quaternion(there[:3, :3])
    return ArmState(0, joints, np.zeros(7), there[:3, 3], quaternion, np.zeros(3), np.zeros(6), 0.0)


class Bench:
    """A camera that sees a board in an arm's hand; the arm's states before and after the picture are others."""

    def __init__(self, graph: Graph) -> None:
        self._graph, node = graph, graph.probe
        self._images = node.create_publisher(Image, "camera/sensor", qos.CAMERA)
        self._tips = node.create_publisher(PoseStamped, "arm/ee_pose", qos.STATE)
        self._joints = node.create_publisher(JointState, "joint_states", qos.STATE)
        painter, rng = BoardPainter(PLACE.board, PLACE.rig.camera), np.random.default_rng(0)
        there = PLACE.board_in_camera(hand_pose(arm(0.0)))
        self._pictures = [painter.image(there, rng) for _ in range(3)]  # the same but for their noise
        self._states = {turned: arm(turned) for turned in (-0.3, 0.0, 0.3)}

    def show(self, seconds: float, *, with_arm: bool = True) -> None:
        """Publish pictures, ten times per second, each after three states of which the one 5 ms before it is right."""
        for k in range(round(10 * seconds)):
            now = time.time_ns()
            if with_arm:
                for turned, late in ((-0.3, 40), (0.0, 25), (0.3, 0)):
                    stamp = now - late * MILLISECOND
                    self._tips.publish(conversions.pose_message(self._states[turned], stamp))
                    self._joints.publish(conversions.joint_state_message(self._states[turned], stamp))
            self._images.publish(conversions.image_message(self._pictures[k % 3], now - 20 * MILLISECOND))
            self._graph.spin(0.1)


def ask(graph: Graph, action: str) -> CalibrateCapture.Response:
    return graph.call(CalibrateCapture, "calibrate/capture", CalibrateCapture.Request(action=action))


def test_views_are_taken_by_themselves_and_when_asked_each_with_the_pose_of_its_time(
    graph: Graph, tmp_path: Path
) -> None:
    directory = tmp_path / "capture"
    graph.start("calibrator", capture=str(directory), automatic=False)
    told = graph.listen(CalibrateStatus, "calibrate/status", qos.STATUS)
    pictures = graph.listen(CompressedImage, "calibrate/view/compressed", qos.CAMERA)
    bench = Bench(graph)
    refused = ask(graph, "take")
    assert (refused.success, "no image" in refused.message) == (False, True)
    bench.show(0.5, with_arm=False)
    refused = ask(graph, "take")
    assert (refused.success, "stale state" in refused.message) == (False, True)
    refused = ask(graph, "tkae")
    assert (refused.success, "did you mean 'take'" in refused.message) == (False, True)

    bench.show(0.3)
    taken = ask(graph, "take")
    assert (taken.success, taken.views, taken.message) == (True, 1, "view 1 taken")
    bench.show(1.0)
    assert told[-1].views == 1, "nothing is kept until it is asked for"
    assert ask(graph, "start").success
    bench.show(1.2)
    assert told[-1].phase == "capturing"
    assert "like a view that is there already" in told[-1].message  # still, sharp, and known
    assert ask(graph, "stop").success
    graph.until(lambda: told[-1].phase == "idle")

    status = told[-1]
    assert (status.views, status.views_wanted, status.directory) == (1, 20, str(directory))
    assert "of the image" in status.hint
    assert (status.columns, len(status.coverage)) == (6, 24)
    assert 0.2 < np.mean(status.coverage) < 0.7
    assert status.coverage[9] == 1.0  # the board is in the middle
    assert 0.2 < status.distances[0] == status.distances[1] < 1.0
    assert simplejpeg.decode_jpeg(bytes(pictures[-1].data)).shape == (480, 640, 3)
    capture = load_capture(directory)
    (view,) = capture.views
    assert view.image_stamp_ns - view.state_stamp_ns == 5 * MILLISECOND
    np.testing.assert_allclose(view.joints, joints_at(CENTER), atol=1e-9)
    np.testing.assert_allclose(view.hand.position, CENTER, atol=1e-5)
    assert (directory / "000.png").is_file()


def test_beside_the_twin_a_person_at_the_panel_rehearses(graph: Graph, tmp_path: Path) -> None:
    directory = tmp_path / "capture"
    graph.start("twin")
    graph.start("calibrator", robot="twin", capture=str(directory))
    told = graph.listen(CalibrateStatus, "calibrate/status", qos.STATUS)
    page = start_panel(graph, session="calibrate")
    taken = graph.until(lambda: next((status for status in told if status.views), None))
    assert (taken.message, taken.phase) == ("view 1 taken", "capturing")  # the arm stands, its board is in the picture
    graph.until(lambda: page("calibrate")[1].get("views") == 1)
    code, answer = page("calibrate", action="stop")
    assert (code, answer["message"]) == (200, "no view is kept by itself")
    graph.until(lambda: told[-1].phase == "idle")
    # Between two pictures of the rehearsal there is none to take.
    code, answer = graph.until(lambda: (said := page("calibrate", action="take"))[0] != 409 and said)
    assert (code, answer["message"]) == (200, "view 2 taken")
    graph.until(lambda: page("status")[1]["calibration"]["rows"][-1]["words"] == "2 of 20")
    assert page("calibrate", action="jump")[0] == 422
    # No adaptation is missed; what is there is heard.
    graph.until(lambda: not any(link["silent"] for link in page("status")[1]["links"]))
    status = page("status")[1]
    assert status["headline"] == "No adaptation here"
    views = load_capture(directory).views
    assert [view.image for view in views] == ["000.png", "001.png"]
    for view in views:
        assert view.image_stamp_ns == view.state_stamp_ns
        np.testing.assert_allclose(hand_frame(np.array(view.joints))[:3, 3], view.hand.position, atol=2e-3)
    assert "view 1 taken; next:" in graph.log("calibrator")


def test_a_start_that_cannot_work_says_why(graph: Graph, tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("squares_x: 8\nsqares_y: 6\n")
    (tmp_path / "file").write_text("no folder")
    CaptureWriter(tmp_path / "other", Capture("eye_in_hand", BoardSpec(), 640, 480, "test"))
    starts = {
        "did you mean 'squares_y'?": {"board": str(tmp_path / "board.yaml")},
        f"{tmp_path}/file/capture: Not a directory": {"capture": str(tmp_path / "file" / "capture")},
        "holds a capture of another board, set-up or image size": {"capture": str(tmp_path / "other")},
        "setup = 'eye_on_hand'; did you mean 'eye_": {"setup": "eye_on_hand"},
    }
    for said, parameters in starts.items():
        process = graph.start("calibrator", **{"capture": str(tmp_path / "new"), **parameters})
        assert process.wait(30.0) == 2, graph.log("calibrator")
        assert said in graph.log("calibrator")
        assert "Traceback" not in graph.log("calibrator")
