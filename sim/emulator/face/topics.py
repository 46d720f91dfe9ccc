"""The robot's topics: names, types, rates, and how a message is made of the robot's state."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.emulator import wire

State = dict[str, Any]
LIMB = "/robot/limb/right/"
GRIPPER = "/io/end_effector/right_gripper/"
KINEMATICS = "/ExternalTools/right/PositionKinematicsNode/"
BASE = "base"
HEAD = "head_pan"
EMPTY, BOOL, FLOAT = "std_msgs/Empty", "std_msgs/Bool", "std_msgs/Float64"


def intera(name: str) -> str:
    """Full name of an Intera type."""
    return f"intera_core_msgs/{name}"


@dataclass(frozen=True)
class Topic:
    """A topic made of the state. `due` is the bit of the state frames it goes with; every `divisor`-th is sent."""

    name: str
    type: str
    build: Callable[[Any, State], Any]
    due: int = wire.DUE_STATE
    divisor: int = 1


class Builder:
    """Makes the messages of `STATE_TOPICS`.

    `messages[type]` gives a class, `messages.time(seconds, nanoseconds)` a ROS 1 time; `joints` are the joints' names.
    """

    def __init__(self, messages: Any, joints: Sequence[str]) -> None:
        self._messages, self._joints = messages, list(joints)

    def joint_states(self, state: State) -> Any:
        """sensor_msgs/JointState, the head first, as the robot has it."""
        return self._messages["sensor_msgs/JointState"](
            header=self._header(state), name=[HEAD, *self._joints], position=[0.0, *state["position"]],
            velocity=[0.0, *state["velocity"]], effort=[0.0, *state["effort"]],
        )  # fmt: skip

    def robot_state(self, state: State) -> Any:
        """RobotAssemblyState."""
        flags = {name: bool(state[name]) for name in ("homed", "ready", "enabled", "stopped", "error")}
        return self._messages[intera("RobotAssemblyState")](
            **flags, lowVoltage=False, estop_button=int(state["estop_button"]), estop_source=int(state["estop_source"])
        )

    def endpoint_state(self, state: State) -> Any:
        """EndpointState of the current tip: the gripper's."""
        return self._endpoint(state, "tip")

    def tip_states(self, state: State) -> Any:
        """EndpointStates with explicit names."""
        return self._messages[intera("EndpointStates")](
            header=self._header(state), names=["right_hand", "right_gripper_tip"],
            states=[self._endpoint(state, "hand"), self._endpoint(state, "tip")],
        )  # fmt: skip

    def collision_detection(self, state: State) -> Any:
        """CollisionDetectionState."""
        return self._messages[intera("CollisionDetectionState")](
            header=self._header(state), collision_state=bool(state["collision"])
        )

    def collision_avoidance(self, state: State) -> Any:
        """CollisionAvoidanceState: nothing is near."""
        return self._messages[intera("CollisionAvoidanceState")](header=self._header(state))

    def gravity_torques(self, state: State) -> Any:
        """SEAJointState."""
        nothing = [0.0] * len(self._joints)
        return self._messages[intera("SEAJointState")](
            header=self._header(state), name=self._joints, commanded_position=state["commanded_position"],
            commanded_velocity=state["commanded_velocity"], commanded_acceleration=nothing, commanded_effort=nothing,
            actual_position=state["position"], actual_velocity=state["velocity"], actual_effort=state["effort"],
            gravity_model_effort=state["gravity"], gravity_only=state["gravity"],
            interaction_torque=nothing, hysteresis_model_effort=state["hysteresis"], crosstalk_model_effort=nothing,
        )  # fmt: skip

    def homing_states(self, _: State) -> Any:
        """HomingState: homed since power-up."""
        return self._messages[intera("HomingState")](name=self._joints, state=[0] * len(self._joints))

    def head_state(self, _: State) -> Any:
        """HeadState: looks ahead."""
        return self._messages[intera("HeadState")](pan=0.0)

    def joint_limits(self, limits: dict[str, list[float]]) -> Any:
        """JointLimits."""
        return self._messages[intera("JointLimits")](**limits)

    def node_config(self, stamp: float) -> Any:
        """IONodeConfiguration: which gripper is attached."""
        part = self._messages[intera("IOComponentConfiguration")]
        return self._messages[intera("IONodeConfiguration")](
            time=self._time(stamp), node=part(name="EndEffector", config="{}"),
            devices=[part(name="right_gripper", config="{}")],
        )  # fmt: skip

    def gripper_config(self, stamp: float) -> Any:
        """IODeviceConfiguration of the gripper."""
        part = self._messages[intera("IOComponentConfiguration")]
        return self._messages[intera("IODeviceConfiguration")](
            time=self._time(stamp), device=part(name="right_gripper", config="{}")
        )

    def gripper_state(self, report: State) -> Any:
        """IODeviceStatus of the gripper: signals, and the times of the commands it has acknowledged."""
        ready = self._messages[intera("IOStatus")](tag="ready", detail="{}")
        signal = self._messages[intera("IODataStatus")]
        signals = [
            signal(name=name, format=json.dumps({"role": role, "type": kind}), data=json.dumps([value]), status=ready)
            for name, role, kind, value in report["signals"]
        ]
        times = [self._messages.time(*stamp) for stamp in report["acknowledged"]]
        return self._messages[intera("IODeviceStatus")](
            time=self._time(report["stamp"]),
            device=self._messages[intera("IOComponentStatus")](name="right_gripper", status=ready),
            signals=signals, commands=times, responses=[""] * len(times),
        )  # fmt: skip

    def _endpoint(self, state: State, which: str) -> Any:
        place, turn = state[f"{which}_pose"][:3], dict(zip("xyzw", state[f"{which}_pose"][3:], strict=True))
        pose = self._geometry(
            "Pose", position=self._xyz("Point", place), orientation=self._geometry("Quaternion", **turn)
        )
        twist = self._pair("Twist", "linear", "angular", state[f"{which}_twist"])
        wrench = self._pair("Wrench", "force", "torque", state["wrench"])
        return self._messages[intera("EndpointState")](
            header=self._header(state), pose=pose, twist=twist, wrench=wrench, valid=bool(state["tip_valid"])
        )

    def _pair(self, kind: str, first: str, second: str, values: Sequence[float]) -> Any:
        vectors = {first: self._xyz("Vector3", values[:3]), second: self._xyz("Vector3", values[3:])}
        return self._geometry(kind, **vectors)

    def _xyz(self, kind: str, values: Sequence[float]) -> Any:
        return self._geometry(kind, **dict(zip("xyz", values, strict=True)))

    def _geometry(self, kind: str, **fields: Any) -> Any:
        return self._messages[f"geometry_msgs/{kind}"](**fields)

    def _header(self, state: State) -> Any:
        return self._messages["std_msgs/Header"](stamp=self._time(state["stamp"]), frame_id=BASE)

    def _time(self, seconds: float) -> Any:
        whole = int(seconds)
        return self._messages.time(whole, int(1e9 * (seconds - whole)))


STATE_TOPICS = (
    Topic("/robot/joint_states", "sensor_msgs/JointState", Builder.joint_states, wire.DUE_JOINTS),
    Topic("/robot/state", intera("RobotAssemblyState"), Builder.robot_state),
    Topic(LIMB + "endpoint_state", intera("EndpointState"), Builder.endpoint_state),
    Topic(LIMB + "tip_states", intera("EndpointStates"), Builder.tip_states),
    Topic(LIMB + "collision_detection_state", intera("CollisionDetectionState"), Builder.collision_detection),
    Topic(LIMB + "collision_avoidance_state", intera("CollisionAvoidanceState"), Builder.collision_avoidance),
    Topic(LIMB + "gravity_compensation_torques", intera("SEAJointState"), Builder.gravity_torques),
    Topic("/robot/homing_states", intera("HomingState"), Builder.homing_states, divisor=10),
    Topic("/robot/head/head_state", intera("HeadState"), Builder.head_state, divisor=5),
)
LATCHED_TOPICS = {
    "/robot/joint_limits": intera("JointLimits"),
    "/io/end_effector/config": intera("IONodeConfiguration"),
    GRIPPER + "config": intera("IODeviceConfiguration"),
    GRIPPER + "state": intera("IODeviceStatus"),
}
SUPPRESS = (
    "collision_avoidance", "contact_safety", "cuff_interaction", "gravity_compensation", "hand_overwrench_safety",
    "squish_safety",
)  # fmt: skip

COMMAND_TOPICS = {
    "/robot/set_super_enable": BOOL,
    "/robot/set_super_stop": EMPTY,
    "/robot/set_super_reset": EMPTY,
    "/robot/joint_state_publish_rate": "std_msgs/UInt16",
    LIMB + "joint_command_timeout": FLOAT,
    LIMB + "set_speed_ratio": FLOAT,
    LIMB + "joint_command": intera("JointCommand"),
    GRIPPER + "command": intera("IOComponentCommand"),
    **{f"{LIMB}suppress_{name}": EMPTY for name in SUPPRESS},
    LIMB + "interaction_control_command": intera("InteractionControlCommand"),
}
SERVICES = {"FKService": intera("SolvePositionFK"), "IKService": intera("SolvePositionIK")}
