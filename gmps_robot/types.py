"""The few records that travel between rooms. SI units, `base` frame (x forward, y left, z up), stamps in ns.

Actions are arrays of shape (..., 4) in [-1, 1]: tip velocity x, y, z as a share of the family's speed, then gripper
(-1 closed, 1 open). Quaternions are x y z w.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
ImageArray = NDArray[np.uint8]
CommandSource = Literal["policy", "teleop", "reset"]
PerJoint = tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True)
class SceneState:
    """What rewards and privileged experts see, from the twin or from a marker tracker. Never the policy's input.

    Leading axes (...) are worlds, episodes or steps.
    """

    tip: FloatArray  # (..., 3) gripper tip position [m]
    object_pose: FloatArray  # (..., 7) block position [m] and quaternion x y z w
    time: FloatArray  # (...,) time since the episode began [s]


@dataclass(frozen=True)
class Observation:
    """What the policy sees of one instant. Never holds the goal."""

    stamp_ns: int
    tip: FloatArray  # (3,) measured tip position [m]
    image: ImageArray | None = None  # (height, width, 3) RGB, already cropped and resized for the policy
    object_position: FloatArray | None = None  # (3,) [m], full-state policies only


@dataclass(frozen=True)
class ArmStatus:
    """What the robot says about itself. A simulated arm is always fit unless a test or a person says otherwise."""

    connected: bool = True  # the link is up and the robot has reported at least once
    enabled: bool = True  # motors on
    stopped: bool = False  # the robot's own stop is in force: e-stop pressed or released but not reset, or KILL
    error: bool = False  # a fault the robot itself reports
    collision: bool = False  # the robot's own collision detection fired
    verified: bool = True  # kinematics and joint limits of the robot agree with ours; checked before arming
    detail: str = ""  # for people: why it is not fit

    @property
    def fit(self) -> bool:
        """Whether the arm may be moved at all."""
        return self.connected and self.enabled and self.verified and not (self.stopped or self.error)


@dataclass(frozen=True)
class ArmState:
    """What an arm driver measures."""

    stamp_ns: int
    joints: FloatArray  # (7,) [rad]
    joint_velocities: FloatArray  # (7,) [rad/s]
    tip_position: FloatArray  # (3,) [m]
    tip_quaternion: FloatArray  # (4,) x y z w
    tip_velocity: FloatArray  # (3,) [m/s]
    wrench: FloatArray  # (6,) force [N] and torque [N m] at the tip
    gripper: float  # opening between the pads [m]
    status: ArmStatus = ArmStatus()
    # At each joint the torque that neither gravity nor the drive train explains (7,) [N m]; (0,): the arm does not say.
    residual_torque: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class ArmCommand:
    """One request to move, from one source. Silence means stop."""

    stamp_ns: int
    seq: int
    source: CommandSource
    velocity: FloatArray  # (3,) wanted tip velocity [m/s]
    gripper: float  # -1 closed ... 1 open
    image_stamp_ns: int | None = None  # stamp of the image it answers, on the driver's clock; None where none is used
    lease: str = ""  # the operator's lease; empty for policy and reset
    # Wanted attitude of the tool (4,), x y z w, heeded from `reset` alone (calibration turns a board); None: the usual.
    attitude: FloatArray | None = None


@dataclass(frozen=True)
class AppliedCommand:
    """What the guard let through: the truth that is recorded beside the request."""

    stamp_ns: int
    seq: int
    velocity: FloatArray  # (3,) applied tip velocity [m/s]
    gripper: float
    tip_target: FloatArray  # (3,) commanded tip position after this step [m]
    reasons: tuple[str, ...] = ()  # which limits changed the request; empty when none did


@dataclass(frozen=True)
class SourceLimits:
    """What one command source may ask for, inside the hard box of the envelope."""

    speed: float  # norm of the tip velocity [m/s]
    box_low: tuple[float, float, float]  # commanded tip position [m]
    box_high: tuple[float, float, float]


@dataclass(frozen=True)
class SafetyEnvelope:
    """The limits of one rig and one task family. One YAML file; its hash goes into each episode."""

    box_low: tuple[float, float, float]  # hard tip box [m]
    box_high: tuple[float, float, float]
    policy: SourceLimits
    teleop: SourceLimits
    reset: SourceLimits
    link_box_low: tuple[float, float, float] = (-0.40, -0.75, -0.05)  # no part of a moving link leaves it [m]
    link_box_high: tuple[float, float, float] = (1.15, 0.75, 1.40)
    table_height: float = 0.0  # [m]
    link_clearance: float = 0.03  # of hand and links above the table [m]
    finger_clearance: float = 0.01  # [m]
    speed_hard: float = 0.25  # no source ever exceeds this [m/s]
    angular_speed: float = 0.5  # of the tool [rad/s]
    acceleration: float = 2.0  # motion limit [m/s^2]
    jerk: float = 80.0  # of motion; does not bind at 20 Hz [m/s^3]
    stop_deceleration: float = 3.0  # of HOLD and STOP, exempt from the motion limit [m/s^2]
    jump: float = 0.02  # the commanded joints never carry the tip further in one period [m]
    brake_zone: float = 0.02  # width of the slow-down before a wall [m]
    joint_speed_share: float = 0.5  # of each joint's rated speed
    joint_zone: float = 0.1  # distance to a joint's limit where slowing down begins [rad]
    joint_margin: float = 0.03  # distance to a joint's limit that is kept [rad]
    condition_zone: float = 17.0  # condition number of the Jacobian where slowing down begins
    condition_limit: float = 30.0  # that is kept
    outside_tolerance: float = 0.01  # measured tip further outside the box than this is a FAULT [m]
    tracking_tolerance: float = 0.05  # measured tip further from the commanded one than this is a FAULT [m]
    force_warning: float = 10.0  # said among the reasons [N]
    force_stop: float = 20.0  # filtered: stop, back off, FAULT [N]
    force_hard: float = 40.0  # the same for a single sample [N]
    force_filter: float = 0.05  # time constant, of torque too [s]
    joint_torque_share: PerJoint = (0.25,) * 7  # of each joint's maximum, filtered: residual torque that stops as force
    back_off: float = 0.02  # along the last path [m]
    state_timeout: float = 0.05  # [s]
    state_lost: float = 0.5  # a robot silent for longer is a FAULT [s]
    image_timeout: float = 0.2  # [s]
    action_timeout: float = 0.15  # [s]
    operator_timeout: float = 0.25  # [s]
    overruns: int = 3  # periods of twice their length within one second; more of them hold the arm
    bad_commands_to_fault: int = 3  # consecutive non-finite or misshapen commands

    def source(self, source: CommandSource) -> SourceLimits:
        """Return the limits of `source`."""
        return {"policy": self.policy, "teleop": self.teleop, "reset": self.reset}[source]


@dataclass(frozen=True)
class Trajectory:
    """One episode of one task. H steps; actions are of the policy's own size A (the family's unmasked axes)."""

    task_id: str
    tips: Float32Array  # (H, 3) measured tip [m]
    features: Float32Array  # (H, F) the encoder's output at act time; exact while the encoder is frozen
    actions: Float32Array  # (H, A) commanded, before clipping, as the log-probability needs it
    applied: Float32Array  # (H, A) what the guard let through, in the same unit
    means: Float32Array  # (H, A) behaviour mean at act time
    log_stds: Float32Array  # (H, A) behaviour log standard deviation at act time
    latent: Float32Array  # (L,) the latent drawn for this episode (zero for a deterministic one)
    rewards: Float32Array  # (H,)
    stamps_ns: NDArray[np.int64]  # (H,)
    success: bool
    images: ImageArray | None = None  # (H, height, width, 3)
    info: dict[str, float] = field(default_factory=dict)

    @property
    def episode_return(self) -> float:
        """Sum of rewards."""
        return float(self.rewards.sum())
