"""Node `tracker`: the marker on the object, seen by the rig's camera, as the scene that rewards are made of.

What is seen is published, with the stamp of its picture; what is not seen is said on `scene/marker`, and nothing is
published in its stead.
"""

from __future__ import annotations

import time
from collections import Counter, deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from gmps_msgs.msg import MarkerPose
from gmps_msgs.msg import SceneState as SceneStateMsg
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from calibration.follow import Follower
from calibration.poses import frame_pose
from calibration.track import MarkerFinder, Sighting, load_marker
from gmps_robot.errors import ObservationError
from gmps_robot.rig import FramePose, load_rig
from gmps_robot.types import FloatArray, SceneState
from gmps_robot_nodes import conversions, parameters, qos, stack
from gmps_robot_nodes.pairing import RIG_TOLERANCE_NS, Stamped
from gmps_robot_nodes.spinning import Ending, main, spin

WAITING = 8  # sightings that wait for the arm's state
DIAGNOSTICS_PERIOD = 1.0  # [s]


class TrackerNode(Node):
    """Looks at every picture once, and at nothing else."""

    def __init__(self) -> None:
        super().__init__("tracker")
        robot = parameters.declare(self, "robot", "twin", "Whose camera and arm are heard.", choices=stack.ROBOTS)
        self._rig = load_rig(parameters.declare(self, "rig", "nominal", "Calibration of the rig: a name or YAML file."))
        self.marker = load_marker(parameters.declare(self, "marker", "", "What is printed on the object: a YAML file."))
        self._finder = MarkerFinder(self.marker, self._rig, self._rig.camera.pinhole)
        self._follower, self._began = Follower(), 0
        on_twin = robot == "twin"  # which stamps alike what belongs together
        self._tolerance = 0 if on_twin else RIG_TOLERANCE_NS
        self._late_ns = 0 if on_twin else round(self._rig.latency.state * 1e9)
        self._tips = Stamped[FloatArray]()
        self._waiting: deque[tuple[int, FramePose]] = deque(maxlen=WAITING)
        self._told, self._outcomes, self._last_health = "", Counter[str](), 0.0
        self._marker = self.create_publisher(MarkerPose, "scene/marker", qos.STATE)
        self._scene = self.create_publisher(SceneStateMsg, "scene/state", qos.STATE)
        self._health = self.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)
        self.create_subscription(PoseStamped, "arm/ee_pose", self._on_pose, qos.STATE)
        self.create_subscription(Image, "camera/image_rect", self._on_image, qos.CAMERA)

    def _on_image(self, message: Image) -> None:
        stamp_ns = conversions.to_ns(message.header.stamp)
        try:
            sighting = self._follower.note(self._finder.find(conversions.image_pixels(message)), stamp_ns)
        except ObservationError as error:
            sighting = Sighting(False, str(error))
        self._say(sighting)
        self._marker.publish(marker_message(sighting, stamp_ns))
        if sighting.seen:
            self._began = self._began or stamp_ns
            self._waiting.append((stamp_ns, frame_pose(sighting.place)))
            self._publish_paired()

    def _on_pose(self, message: PoseStamped) -> None:
        stamp_ns = conversions.to_ns(message.header.stamp) - self._late_ns
        self._tips.add(stamp_ns, conversions.vector(message.pose.position))
        self._publish_paired()

    def _publish_paired(self) -> None:
        """Send every sighting whose tip is known."""
        for _ in range(len(self._waiting)):
            stamp_ns, place = self._waiting.popleft()
            tip = self._tips.nearest(stamp_ns, self._tolerance)
            if tip is None:
                self._waiting.append((stamp_ns, place))
                continue
            pose = np.array([*place.position, *place.quaternion])
            scene = SceneState(tip[1], pose, np.asarray(1e-9 * (stamp_ns - self._began)))
            self._scene.publish(conversions.scene_message(scene, stamp_ns, 0, ""))

    def _say(self, sighting: Sighting) -> None:
        """Log when what is seen changes, and count for the diagnostics."""
        log, kind = self.get_logger(), "seen" if sighting.seen else sighting.reason.split(":")[0]
        self._outcomes["seen" if sighting.seen else "not seen"] += 1
        if sighting.seen and self._told:
            log.info("the marker is seen")
        elif not sighting.seen and not self._told:
            log.warning(sighting.reason)
        self._told = "" if sighting.seen else kind
        now = time.monotonic()
        if now - self._last_health >= DIAGNOSTICS_PERIOD:
            self._last_health = now
            level = DiagnosticStatus.OK if sighting.seen else DiagnosticStatus.WARN
            status = DiagnosticStatus(name="tracker", level=level, message=sighting.reason or "the marker is seen")
            status.hardware_id = f"marker {self.marker.number} of {self.marker.dictionary}, rig {self._rig.rig_id}"
            status.values = [KeyValue(key=key, value=str(count)) for key, count in sorted(self._outcomes.items())]
            stamp_ns = self.get_clock().now().nanoseconds
            self._health.publish(DiagnosticArray(header=conversions.header(stamp_ns), status=[status]))


def marker_message(sighting: Sighting, stamp_ns: int) -> MarkerPose:
    """One look for the marker, as a message."""
    message = MarkerPose(header=conversions.header(stamp_ns), seen=sighting.seen, reason=sighting.reason)
    if sighting.seen:
        place = frame_pose(sighting.place)
        pose = message.pose.pose
        pose.position.x, pose.position.y, pose.position.z = place.position
        turn = pose.orientation
        turn.x, turn.y, turn.z, turn.w = place.quaternion
        message.pose.covariance = sighting.covariance.ravel()
    return message


def _work(ending: Ending) -> int:
    node = TrackerNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        spin(executor, ending)
    finally:
        node.destroy_node()
    return 0


if __name__ == "__main__":
    main("tracker", _work)
