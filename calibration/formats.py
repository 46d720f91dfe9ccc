"""A rig's camera in the files of others: ROS camera_info, static transform, URDF joint, easy_handeye2; and back.

Frames: `base` is the robot's; the camera's is its optical frame, x right, y down, z forward. Quaternions x y z w.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gmps_robot import config
from gmps_robot.errors import ConfigError
from gmps_robot.rig import FramePose, SensorCalibration

OPTICAL = "camera_optical_frame"
MODEL = "plumb_bob"
_EASY = {"eye_on_base": "eye_to_hand", "eye_in_hand": "eye_in_hand"}


def camera_info(sensor: SensorCalibration, name: str) -> dict[str, Any]:
    """Return the sensor as the YAML of ROS's camera_info_manager and `image_proc`."""
    matrix = sensor.pinhole.matrix
    projection = np.hstack([matrix, np.zeros((3, 1))])
    return {
        "image_width": sensor.width,
        "image_height": sensor.height,
        "camera_name": name,
        "camera_matrix": _matrix(matrix),
        "distortion_model": MODEL,
        "distortion_coefficients": _matrix(np.array([sensor.distortion])),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(projection),
    }


def read_camera_info(path: Path) -> SensorCalibration:
    """Read a camera_info YAML, as `camera_calibration` writes it; its crop is the whole image.

    Raises:
        ConfigError: the file is missing or no camera_info, or its lens has another model than `plumb_bob`.
    """
    raw = config.read(path)
    model = _get(raw, "distortion_model", path)
    if model != MODEL:
        raise ConfigError(f"{path}: distortion_model = {model!r}; only {MODEL!r}, of five terms, is known here")
    width, height = (_whole(_get(raw, key, path), key, path) for key in ("image_width", "image_height"))
    k = _numbers(_get(raw, "camera_matrix", path), "camera_matrix", 9, path)
    lens = _numbers(_get(raw, "distortion_coefficients", path), "distortion_coefficients", 5, path)
    if k[1] or k[3] or k[6] or k[7] or k[8] != 1.0:
        raise ConfigError(f"{path}: camera_matrix = {k}: expected [fx, 0, cx, 0, fy, cy, 0, 0, 1]")
    terms = (lens[0], lens[1], lens[2], lens[3], lens[4])
    return SensorCalibration(width, height, k[0], k[4], k[2], k[5], terms, (0, 0, width, height))


def static_transform(
    pose: FramePose, parent: str, covariance: tuple[float, ...] = (), date: str = "", capture: str = "", rig: str = ""
) -> dict[str, Any]:
    """Return where the camera is in frame `parent`, with all that is known about how it was measured."""
    return {
        "parent_frame": parent,
        "child_frame": OPTICAL,
        "translation": dict(zip("xyz", pose.position, strict=True)),
        "rotation": dict(zip("xyzw", pose.quaternion, strict=True)),
        "covariance": [float(value) for value in covariance],
        "date": date,
        "capture": capture,
        "rig": rig,
    }


def publisher_command(pose: FramePose, parent: str) -> str:
    """Return the command that publishes the transform in ROS 2."""
    place = " ".join(f"--{axis} {value:.9g}" for axis, value in zip("xyz", pose.position, strict=True))
    turn = " ".join(f"--q{axis} {value:.9g}" for axis, value in zip("xyzw", pose.quaternion, strict=True))
    return f"ros2 run tf2_ros static_transform_publisher {place} {turn} --frame-id {parent} --child-frame-id {OPTICAL}"


def urdf_joint(pose: FramePose, parent: str) -> str:
    """Return the transform as a link and a fixed joint of a URDF; its angles turn about fixed x, y, z."""
    r = pose.rotation
    pitch = np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0]))
    roll, yaw = np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    xyz, rpy = (" ".join(f"{float(v):.12g}" for v in row) for row in (pose.position, (roll, pitch, yaw)))
    return (
        f'<link name="{OPTICAL}"/>\n'
        f'<joint name="{OPTICAL}_joint" type="fixed">\n'
        f'  <parent link="{parent}"/>\n'
        f'  <child link="{OPTICAL}"/>\n'
        f'  <origin xyz="{xyz}" rpy="{rpy}"/>\n'
        "</joint>\n"
    )


def easy_handeye2(pose: FramePose, setup: Literal["eye_to_hand", "eye_in_hand"], name: str) -> dict[str, Any]:
    """Return the pose as a `.calib` file of easy_handeye2, which its publisher reads."""
    kind = {ours: theirs for theirs, ours in _EASY.items()}[setup]
    return {
        "parameters": {
            "name": name, "calibration_type": kind, "robot_base_frame": "base", "robot_effector_frame": "right_hand",
            "tracking_base_frame": OPTICAL, "tracking_marker_frame": "board", "freehand_robot_movement": True,
        },
        "transform": {
            "translation": dict(zip("xyz", pose.position, strict=True)),
            "rotation": dict(zip("xyzw", pose.quaternion, strict=True)),
        },
    }  # fmt: skip


def read_easy_handeye2(path: Path) -> tuple[FramePose, str]:
    """Read a file of easy_handeye2, of today or of its beginnings; return the pose and "eye_to_hand" or "eye_in_hand".

    Raises:
        ConfigError: the file is missing, or is none of easy_handeye2.
    """
    raw = config.read(path)
    told = _section(raw, "parameters", path)
    if "calibration_type" in told:
        kind = str(told["calibration_type"])
        if kind not in _EASY:
            raise ConfigError(f"{path}: calibration_type = {kind!r}; valid: {', '.join(_EASY)}")
        setup = _EASY[kind]
    else:
        in_hand = told.get("eye_in_hand", told.get("eye_on_hand"))
        if not isinstance(in_hand, bool):
            raise ConfigError(f"{path}: parameters: neither calibration_type nor eye_on_hand: no file of easy_handeye2")
        setup = "eye_in_hand" if in_hand else "eye_to_hand"
    if "transformation" in raw:
        flat = _section(raw, "transformation", path)
        values = [_get(flat, key, path) for key in ("x", "y", "z", "qx", "qy", "qz", "qw")]
    else:
        parts = _section(raw, "transform", path)
        place, turn = (_section(parts, key, path) for key in ("translation", "rotation"))
        values = [*(_get(place, key, path) for key in "xyz"), *(_get(turn, key, path) for key in "xyzw")]
    x, y, z, qx, qy, qz, qw = (_number(value, path) for value in values)
    size = float(np.linalg.norm([qx, qy, qz, qw]))
    if abs(size - 1.0) > 1e-3:
        raise ConfigError(f"{path}: rotation {[qx, qy, qz, qw]} is not of length 1")
    return FramePose((x, y, z), (qx / size, qy / size, qz / size, qw / size)), setup


def _matrix(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    rows, columns = values.shape
    return {"rows": rows, "cols": columns, "data": [float(value) for value in values.ravel()]}


def _get(raw: Mapping[str, Any], key: str, path: Path) -> Any:
    if key not in raw:
        raise ConfigError(f"{path}: no key {key!r}; there are: {', '.join(map(str, raw)) or 'none'}")
    return raw[key]


def _section(raw: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    section = _get(raw, key, path)
    if not isinstance(section, Mapping):
        raise ConfigError(f"{path}: {key} = {section!r}: expected keys and values")
    return section


def _number(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{path}: {value!r} is no number")
    return float(value)


def _whole(value: Any, key: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{path}: {key} = {value!r}: expected a whole number")
    return value


def _numbers(matrix: Any, key: str, count: int, path: Path) -> list[float]:
    data = matrix.get("data") if isinstance(matrix, Mapping) else None
    if not isinstance(data, list) or len(data) != count:
        raise ConfigError(f"{path}: {key}: expected `data` with {count} numbers, got {data!r}")
    return [_number(value, path) for value in data]
