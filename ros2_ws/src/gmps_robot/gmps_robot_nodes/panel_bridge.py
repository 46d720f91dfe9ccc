"""The panel's door to the robot, over ROS: implements `gmps_robot.panel.bridge.PanelBridge`.

Callbacks run in the node's thread and only replace single values; commands run in threads of the web server and wait
for their answer with a time limit.
"""

from __future__ import annotations

import time

from gmps_msgs.action import Adapt
from gmps_msgs.msg import AdaptStatus, GuardStatus
from gmps_msgs.srv import AdaptLabel
from rclpy.action.client import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

from gmps_robot.control.session_status import ENDED, SessionStatus
from gmps_robot.errors import GmpsError, SessionError, SetupError
from gmps_robot.families.family import Family
from gmps_robot.panel.bridge import Frame, GuardView, Link, Mode, PanelState, RewardSource
from gmps_robot.panel.bridge_calibrate import CaptureAction
from gmps_robot.rig import RigCalibration
from gmps_robot.tasks import Split
from gmps_robot_nodes import conversions, qos, session_status
from gmps_robot_nodes.activation import Activation
from gmps_robot_nodes.panel_calibrate import Calibrator
from gmps_robot_nodes.panel_calls import PATIENCE, agreed, ask, wait
from gmps_robot_nodes.panel_teach import RosTeaching

ENABLE_PATIENCE = 12.0  # the robot takes its time over its motors, and the driver over its checks [s]
START_PATIENCE = 30.0  # the first goal loads the checkpoint [s]
HINTS = {
    "camera": "Is the twin or the camera node running?",
    "arm": "Is the twin or the arm driver running?",
    "adaptation": "Is the adapt node running? Its terminal says why it stopped.",
}
NO_ADAPTATION = "This stack calibrates a camera: start one with session:=adapt to adapt."
REQUESTS = ("pause", "resume", "stop", "reset_done", "accept", "roll_back")
EMERGENCY = "the arm did not confirm the stop: use the robot's own emergency stop"


class RosBridge(RosTeaching):
    """Hears what the page shows and sends what it asks for."""

    def __init__(
        self, node: Node, robot: str, family: Family, rig: RigCalibration, reward: RewardSource, seed: int,
        episodes: int, checkpoint: str, calibrates: bool = False,
    ) -> None:
        """Listen; arguments as of the stack. `calibrates`: the calibrator has the camera, and nobody adapts."""
        super().__init__(node, family, rig, robot, checkpoint)
        self._mode: Mode = "robot" if robot == "sawyer" else "twin"
        self._reward, self._seed, self._planned = reward, seed, episodes
        self._session, self._context = SessionStatus(), ()
        self._guard, self._holder = GuardView(), ""
        self._frame: Frame | None = None
        self._heard: dict[str, float] = {}
        self._frames = 0
        self._calibrates, self._calibrator = calibrates, Calibrator(node)
        self._activation = Activation(node, "adapt")
        self._action = ActionClient(node, Adapt, "adapt")
        self._label = node.create_client(AdaptLabel, "adapt/label")
        self._triggers = {name: node.create_client(Trigger, f"adapt/{name}") for name in REQUESTS}
        self._stop, self._kill, self._release = (
            node.create_client(Trigger, f"arm/{name}") for name in ("stop", "kill", "reset_fault")
        )
        self._enable = node.create_client(SetBool, "arm/enable")
        picture = "calibrate/view/compressed" if calibrates else "camera/view/compressed"
        node.create_subscription(CompressedImage, picture, self._on_frame, qos.CAMERA)
        if not calibrates:
            node.create_subscription(Image, "camera/image_raw", lambda _: self._hear("camera"), qos.CAMERA)
        node.create_subscription(GuardStatus, "arm/guard_status", self._on_guard, qos.STATUS)
        node.create_subscription(AdaptStatus, "adapt/status", self._on_status, qos.STATUS)

    _context: tuple[float, ...]

    def state(self) -> PanelState:
        """See `PanelBridge.state`."""
        now = time.monotonic()
        links = (*(self._link(name, hint, now) for name, hint in HINTS.items()), *self._recorder.links())
        return PanelState(
            self._mode, self._reward, self._session, self._guard, links, self._task_text(), self._planned,
            self._holder, self._recorder.view(), self._checkpoint, self._calibrator.view(),
        )

    def frame(self) -> Frame | None:
        """See `PanelBridge.frame`."""
        return self._frame

    def start(self, task: int, split: Split, episodes: int, updates: int) -> None:
        """See `PanelBridge.start`."""
        self._need_no_fault("start")
        if not self._activation.ready:
            raise SetupError(f"node adapt is not there. {HINTS['adaptation']}")
        self._activation.bring_up(lambda client, request: ask(client, request, START_PATIENCE))
        goal = Adapt.Goal(
            task=str(task), split=split, seed=self._seed, episodes=episodes, updates=updates, reward=self._reward
        )
        sent = self._action.send_goal_async(goal)
        handle = wait(sent, f"node adapt did not answer within {PATIENCE:.0f} s")
        if not handle.accepted:
            raise SessionError("a session is running; end it before you start another")
        self._planned = episodes
        refused = handle.get_result_async()
        time.sleep(0.3)  # a goal that cannot be begun ends at once, and its result says why
        if refused.done() and not refused.result().result.status.task_id:
            raise SessionError(str(refused.result().result.message))

    def pause(self) -> None:
        """See `PanelBridge.pause`."""
        self._trigger("pause")

    def resume(self) -> None:
        """See `PanelBridge.resume`."""
        self._need_no_fault("resume")
        self._trigger("resume")

    def stop(self, reason: str) -> None:  # noqa: ARG002 - the service has no place for a reason
        """See `PanelBridge.stop`."""
        self._trigger("stop")

    def label(self, value: float, episode: int, author: str) -> None:
        """See `PanelBridge.label`."""
        agreed(ask(self._label, AdaptLabel.Request(value=float(value), episode=episode, author=author)))

    def reset_done(self) -> None:
        """See `PanelBridge.reset_done`."""
        self._trigger("reset_done")

    def accept(self) -> None:
        """See `PanelBridge.accept`."""
        self._trigger("accept")

    def roll_back(self) -> None:
        """See `PanelBridge.roll_back`."""
        self._trigger("roll_back")

    def arm_stop(self, reason: str) -> None:  # noqa: ARG002 - the service has no place for a reason
        """See `PanelBridge.arm_stop`."""
        self._halt(self._stop)

    def arm_kill(self, reason: str) -> None:  # noqa: ARG002 - the service has no place for a reason
        """See `PanelBridge.arm_kill`."""
        self._halt(self._kill)

    def arm_enable(self) -> None:
        """See `PanelBridge.arm_enable`."""
        agreed(ask(self._enable, SetBool.Request(data=True), ENABLE_PATIENCE))

    def capture(self, action: CaptureAction) -> str:
        """See `CalibrateBridge.capture`."""
        return self._calibrator.ask(action)

    def _halt(self, client: Client) -> None:
        if not client.service_is_ready():
            raise GmpsError(EMERGENCY)
        stopped = client.call_async(Trigger.Request())
        if self._triggers["pause"].service_is_ready() and self._session.phase not in ENDED:
            self._triggers["pause"].call_async(Trigger.Request())  # nobody waits for it: the arm comes first
        agreed(wait(stopped, EMERGENCY))

    def reset_fault(self) -> None:
        """See `PanelBridge.reset_fault`."""
        agreed(ask(self._release, Trigger.Request()))

    def _trigger(self, name: str) -> None:
        agreed(ask(self._triggers[name], Trigger.Request()))

    def _need_no_fault(self, request: str) -> None:
        if self._guard.state in ("FAULT", "ESTOP", "DISABLED", "DISCONNECTED"):
            raise SessionError(f"{request}: the arm is stopped ({self._guard.reason}); release the stop first")

    def _task_text(self) -> str:
        if len(self._context) != 2:
            return ""
        x, y = self._context
        return f"Success: the block ends within 5 cm of x {x:.3f} m, y {y:.3f} m (the green disc)."

    def _link(self, name: str, hint: str, now: float) -> Link:
        if name == "adaptation" and self._calibrates:
            return Link(name, None, hint=NO_ADAPTATION, needed=False)
        return Link(name, now - self._heard[name] if name in self._heard else None, hint=hint)

    def _hear(self, name: str) -> None:
        self._heard[name] = time.monotonic()

    def _on_frame(self, message: CompressedImage) -> None:
        self._hear("camera")
        self._frames += 1
        self._frame = Frame(self._frames, conversions.to_ns(message.header.stamp), bytes(message.data))

    def _on_guard(self, message: GuardStatus) -> None:
        self._hear("arm")
        self._guard = GuardView(message.state, message.reason, tuple(message.limits))
        self._holder, self._homing = str(message.holder), bool(message.homing)

    def _on_status(self, message: AdaptStatus) -> None:
        self._hear("adaptation")
        self._session, self._context = session_status.status(message), tuple(message.context)
        if message.reward in ("twin", "human", "marker"):
            self._reward = message.reward
        if self._session.stage == "adapt" and self._session.task_id:
            self._planned = self._session.episodes
