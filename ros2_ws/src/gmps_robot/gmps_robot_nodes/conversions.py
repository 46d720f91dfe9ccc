"""Between ROS messages and the library's records. Frame `base`; quaternions x y z w; stamps in ns."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, TwistStamped, Vector3, WrenchStamped
from gmps_msgs.msg import AppliedCommand as AppliedCommandMsg
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_msgs.msg import SceneState as SceneStateMsg
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Header

from gmps_robot.data.jpeg import encode_image
from gmps_robot.errors import ObservationError
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, CommandSource, FloatArray, ImageArray, SceneState

BASE_FRAME = "base"
CAMERA_FRAME = "camera_optical_frame"
FILM_EVERY = 2  # steps per picture of a film
JOINT_NAMES = tuple(f"right_j{i}" for i in range(7))
_SECOND = 1_000_000_000
_SOURCES: dict[str, CommandSource] = {"policy": "policy", "teleop": "teleop", "reset": "reset"}


def to_time(stamp_ns: int) -> Time:
    """Nanoseconds -> Time."""
    return Time(sec=stamp_ns // _SECOND, nanosec=stamp_ns % _SECOND)


def to_ns(time: Time) -> int:
    """Time -> nanoseconds."""
    return int(time.sec) * _SECOND + int(time.nanosec)


def header(stamp_ns: int, frame: str = BASE_FRAME) -> Header:
    """A header of `frame` at `stamp_ns`."""
    return Header(stamp=to_time(stamp_ns), frame_id=frame)


def image_message(image: ImageArray, stamp_ns: int) -> Image:
    """RGB pixels (height, width, 3) -> Image."""
    height, width, _ = image.shape
    data = array.array("B")  # the only type that the setter of `data` copies at once; others go byte by byte
    data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return Image(
        header=header(stamp_ns, CAMERA_FRAME), height=height, width=width, encoding="rgb8", step=3 * width, data=data
    )


def image_pixels(message: Image) -> ImageArray:
    """Image -> RGB pixels (height, width, 3), a view of the message. Whether the size is right, the policy judges.

    Raises:
        ObservationError: another encoding, or fewer bytes than the size needs.
    """
    height, width, got = int(message.height), int(message.width), len(message.data)
    if message.encoding != "rgb8" or got != height * width * 3:
        raise ObservationError(
            f"camera image is {width}x{height} {message.encoding!r} with {got} bytes; expected rgb8 with "
            f"{height * width * 3} bytes: check the settings of the camera node"
        )
    return np.frombuffer(message.data, np.uint8).reshape(height, width, 3)


def recorded_message(image: ImageArray, stamp_ns: int) -> CompressedImage:
    """RGB pixels -> CompressedImage, as episodes keep it."""
    return jpeg_message(encode_image(image), stamp_ns)


def jpeg_message(jpeg: bytes, stamp_ns: int) -> CompressedImage:
    """JPEG bytes -> CompressedImage."""
    form = "rgb8; jpeg compressed bgr8"
    return CompressedImage(header=header(stamp_ns, CAMERA_FRAME), format=form, data=_bytes(jpeg))


def joint_state_message(state: ArmState, stamp_ns: int) -> JointState:
    """Joint angles [rad] and speeds [rad/s]."""
    return JointState(
        header=header(stamp_ns), name=JOINT_NAMES, position=state.joints.tolist(),
        velocity=state.joint_velocities.tolist(),
    )


def pose_message(state: ArmState, stamp_ns: int) -> PoseStamped:
    """Tip pose."""
    message = PoseStamped(header=header(stamp_ns))
    message.pose.position = _point(state.tip_position)
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = (float(q) for q in state.tip_quaternion)
    return message


def twist_message(state: ArmState, stamp_ns: int) -> TwistStamped:
    """Tip velocity."""
    message = TwistStamped(header=header(stamp_ns))
    message.twist.linear = _vector(state.tip_velocity)
    return message


def wrench_message(state: ArmState, stamp_ns: int) -> WrenchStamped:
    """Force and torque at the tip."""
    message = WrenchStamped(header=header(stamp_ns))
    message.wrench.force, message.wrench.torque = _vector(state.wrench[:3]), _vector(state.wrench[3:])
    return message


def command_message(command: ArmCommand, answers_ns: int) -> ArmCommandMsg:
    """A request to move that answers the observation of `answers_ns`."""
    message = ArmCommandMsg(
        header=header(command.stamp_ns), answers=to_time(answers_ns), seq=command.seq, source=command.source,
        gripper=float(command.gripper), lease=command.lease,
    )
    message.twist.linear = _vector(command.velocity)
    return message


def hold_message(stamp_ns: int, answers_ns: int, seq: int) -> ArmCommandMsg:
    """The answer of a policy that wants no motion."""
    return ArmCommandMsg(header=header(stamp_ns), answers=to_time(answers_ns), seq=seq, source="policy", hold=True)


def command(message: ArmCommandMsg, stamp_ns: int, image_stamp_ns: int | None) -> ArmCommand:
    """A message -> the request; both stamps on the driver's clock. Judging it is the guard's work.

    Raises:
        ObservationError: an unknown source, another frame, or an angular velocity, which no source may ask for.
    """
    frame = message.header.frame_id
    if frame not in ("", BASE_FRAME):
        raise ObservationError(f"command in frame {frame!r}; velocities are those of the tip in {BASE_FRAME!r}")
    source = _SOURCES.get(message.source)
    if source is None:
        raise ObservationError(f"command from unknown source {message.source!r}; valid: {', '.join(_SOURCES)}")
    turn = message.twist.angular
    if (turn.x, turn.y, turn.z) != (0.0, 0.0, 0.0):
        raise ObservationError(f"command turns the tip by ({turn.x}, {turn.y}, {turn.z}) rad/s; it may only move")
    return ArmCommand(
        stamp_ns, int(message.seq), source, vector(message.twist.linear), float(message.gripper), image_stamp_ns,
        str(message.lease),
    )


def applied_message(applied: AppliedCommand, stamp_ns: int, answers_ns: int) -> AppliedCommandMsg:
    """What the guard let through."""
    return AppliedCommandMsg(
        header=header(stamp_ns), answers=to_time(answers_ns), seq=max(0, applied.seq),
        velocity=_vector(applied.velocity), gripper=float(applied.gripper),
        tip_target=_point(applied.tip_target), reasons=list(applied.reasons),
    )


def applied(message: AppliedCommandMsg) -> AppliedCommand:
    """The message -> the record."""
    return AppliedCommand(
        to_ns(message.header.stamp), int(message.seq), vector(message.velocity), float(message.gripper),
        vector(message.tip_target), tuple(message.reasons),
    )


def scene_message(scene: SceneState, stamp_ns: int, resets: int, task: str) -> SceneStateMsg:
    """One scene, without leading axes."""
    message = SceneStateMsg(
        header=header(stamp_ns), tip=_point(scene.tip), time=float(scene.time), resets=resets, task=task
    )
    pose = message.object_pose
    pose.position = _point(scene.object_pose[:3])
    turn = pose.orientation
    turn.x, turn.y, turn.z, turn.w = (float(q) for q in scene.object_pose[3:])
    return message


def scene(message: SceneStateMsg) -> SceneState:
    """The message -> one scene, without leading axes."""
    turn, pose = message.object_pose.orientation, vector(message.object_pose.position)
    return SceneState(
        vector(message.tip), np.concatenate([pose, [turn.x, turn.y, turn.z, turn.w]]),
        np.array(message.time, dtype=np.float64),
    )


def vector(message: Point | Vector3) -> FloatArray:
    """A point or vector -> (3,)."""
    return np.array([message.x, message.y, message.z], dtype=np.float64)


def _bytes(data: bytes) -> array.array[int]:
    copied = array.array("B")
    copied.frombytes(data)
    return copied


def _point(values: FloatArray) -> Point:
    x, y, z = (float(v) for v in values)
    return Point(x=x, y=y, z=z)


def _vector(values: FloatArray) -> Vector3:
    x, y, z = (float(v) for v in values)
    return Vector3(x=x, y=y, z=z)
