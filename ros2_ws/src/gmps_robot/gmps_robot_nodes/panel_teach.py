"""The part of the panel's door to the robot that teaching needs: implements `bridge_teach.TeachBridge` over ROS."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import simplejpeg
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_msgs.msg import SceneState as SceneStateMsg
from gmps_msgs.srv import ArmLease, SceneReplay, SceneReset
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from std_srvs.srv import Trigger

from gmps_robot.control.session_status import ENDED, SessionStatus
from gmps_robot.errors import SessionError
from gmps_robot.families.family import Family
from gmps_robot.panel.bridge import Frame, GuardView
from gmps_robot.panel.bridge_teach import CameraView, SceneView
from gmps_robot.rig import RigCalibration
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand
from gmps_robot_nodes import conversions, qos
from gmps_robot_nodes.activation import Activation
from gmps_robot_nodes.panel_calls import agreed, ask
from gmps_robot_nodes.panel_recorder import PanelRecorder

REPLAY_PATIENCE = 60.0  # [s]
HOMING_PATIENCE = 45.0  # [s]
SCENE_FRESH = 1.0  # [s]
BY_HAND = "Place the block on its mark and take your hands out of the work area."


class RosTeaching:
    """Hears recorder and scene, and sends what a person who teaches asks for."""

    def __init__(self, node: Node, family: Family, rig: RigCalibration, robot: str, checkpoint: str) -> None:
        """Listen.

        Args:
            node: the panel's.
            family: of the rig.
            rig: how its camera sees the arm.
            robot: twin, emulator or sawyer.
            checkpoint: what the adapt node begins from.
        """
        self._node, self._family, self._rig, self._robot, self._checkpoint = node, family, rig, robot, checkpoint
        self._recorder = PanelRecorder(node)
        self._scene: tuple[float, SceneView] | None = None
        self._homing = False
        self._numbers = itertools.count(1)
        self._commands = node.create_publisher(ArmCommandMsg, "teleop/command", qos.COMMAND)
        self._lease_desk = node.create_client(ArmLease, "arm/lease")
        self._home = node.create_client(Trigger, "arm/home")
        self._reset = node.create_client(SceneReset, "scene/reset")
        self._replay = node.create_client(SceneReplay, "scene/replay")
        self._parameters = node.create_client(SetParameters, "adapt/set_parameters")
        self._adapt = Activation(node, "adapt")
        node.create_subscription(SceneStateMsg, "scene/state", self._on_scene, qos.STATE)

    # Of the bridge that this is a part of.
    _session: SessionStatus
    _guard: GuardView
    frame: Callable[[], Frame | None]

    def lease_acquire(self, holder: str) -> str:
        """See `TeachBridge.lease_acquire`."""
        answer = ask(self._lease_desk, ArmLease.Request(action="acquire", holder=holder))
        agreed(answer)
        return str(answer.lease)

    def lease_release(self, lease: str) -> None:
        """See `TeachBridge.lease_release`."""
        ask(self._lease_desk, ArmLease.Request(action="release", lease=lease))

    def teleop(self, velocity: tuple[float, float, float], gripper: float, lease: str) -> None:
        """See `TeachBridge.teleop`."""
        family = self._family
        action = family.arm_action(family.policy_action(np.array([*velocity, gripper])))
        stamp = int(self._node.get_clock().now().nanoseconds)
        speed = family.envelope.teleop.speed
        command = ArmCommand(
            stamp, next(self._numbers), "teleop", action[:3] * speed, float(action[3]), lease=lease
        )
        self._commands.publish(conversions.command_message(command, 0))

    def scene(self) -> SceneView | None:
        """See `TeachBridge.scene`."""
        heard = self._scene
        return heard[1] if heard is not None and time.monotonic() - heard[0] < SCENE_FRESH else None

    def camera(self) -> CameraView | None:
        """See `TeachBridge.camera`."""
        frame = self.frame()
        if frame is None:
            return None
        height, width, *_ = simplejpeg.decode_jpeg_header(frame.jpeg)
        pose, lens = self._rig.camera_to_base, self._rig.camera.policy(width, height)
        turn = pose.rotation.T
        projection = lens.matrix @ np.column_stack([turn, -turn @ np.array(pose.position)])
        return CameraView(width, height, tuple(projection.ravel().tolist()), self._rig.rig_id)

    def reset_scene(self, task: Task, seed: int, lease: str) -> str:
        """See `TeachBridge.reset_scene`."""
        if self._session.phase not in ENDED:
            raise SessionError("an adaptation runs; end it before you teach")
        if self._robot != "twin":
            self._go_home(lease)
        if self._robot == "sawyer":
            return BY_HAND
        agreed(ask(self._reset, SceneReset.Request(task=task.to_json(), seed=seed)))
        return ""

    def record_start(self, task: Task, operator: str) -> str:
        """See `TeachBridge.record_start`."""
        return self._recorder.start(task, operator)

    def record_save(self, episode: str, accepted: bool) -> str:
        """See `TeachBridge.record_save`."""
        return self._recorder.save(episode, accepted)

    def record_discard(self, episode: str, reason: str) -> str:
        """See `TeachBridge.record_discard`."""
        return self._recorder.discard(episode, reason)

    def replay(self, episode: str) -> str:
        """See `TeachBridge.replay`."""
        if self._robot == "sawyer":
            raise SessionError("an episode is played back on the twin only; this is a robot")
        if self._session.phase not in ENDED:
            raise SessionError("an adaptation runs; end it before you play an episode back")
        return agreed(ask(self._replay, SceneReplay.Request(episode=episode), REPLAY_PATIENCE))

    def choose_checkpoint(self, name: str) -> None:
        """See `TeachBridge.choose_checkpoint`."""
        if self._session.phase not in ENDED:
            raise SessionError("an adaptation runs; end it before you choose another checkpoint")
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
        answer = ask(self._parameters, SetParameters.Request(parameters=[Parameter(name="checkpoint", value=value)]))
        if not answer.results[0].successful:
            raise SessionError(f"node adapt does not take the checkpoint {name!r}: {answer.results[0].reason}")
        self._adapt.put_down(ask)  # the next start loads it
        self._checkpoint = name

    def _go_home(self, lease: str) -> None:
        """Let a rig's arm go home, for which nobody may hold it, and wait until it is there.

        `lease` is of whoever asks, who gives the arm back by that; what somebody else holds the driver refuses to move.
        """
        if lease:
            self.lease_release(lease)
        agreed(ask(self._home, Trigger.Request()))
        end = time.monotonic() + HOMING_PATIENCE
        time.sleep(0.5)  # the guard tells of the way home with its next status
        while self._homing and time.monotonic() < end:
            time.sleep(0.05)
        if self._guard.state in ("FAULT", "ESTOP"):
            raise SessionError(f"the arm did not come home: {self._guard.reason}")

    def _on_scene(self, message: SceneStateMsg) -> None:
        tip, block = message.tip, message.object_pose.position
        stamp = conversions.to_ns(message.header.stamp)
        view = SceneView((tip.x, tip.y, tip.z), (block.x, block.y, block.z), stamp)
        self._scene = time.monotonic(), view
