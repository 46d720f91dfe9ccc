"""gmps calibrate apply: from a solution, or from other people's files, to a rig and everything that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from gmps_robot.rig import RigCalibration


@dataclass(frozen=True)
class ApplyOptions:
    """Make a rig of a solved capture: one YAML file with an id, which camera node, twin, tracker and training read.

    Example:
        gmps calibrate apply captures/monday --out rigs/lab

    Beside rig.yaml lies the same camera for others: ROS camera_info and transform, URDF joint, easy_handeye2, MuJoCo.
    """

    solution: Annotated[Path | None, tyro.conf.Positional] = None
    """Directory of a solved capture; without it, --camera-info and --easy-handeye2 are imported."""
    out: Path = Path("rigs/lab")
    """Folder for the files; its last part is the rig's name."""
    before: str = ""
    """Rig whose table, delays and servos stay: a name or file; by default the one that is in --out, else nominal."""
    crop: tuple[int, int, int, int] | None = None
    """x y width height of what the policy sees; by default the largest 4:3 part in the middle."""
    camera_info: Path | None = None
    """ROS camera_info YAML to import the lens from."""
    easy_handeye2: Path | None = None
    """File of easy_handeye2 to import the camera's pose from."""


def run(options: ApplyOptions) -> int:
    """Carry out the command; returns the exit code."""
    from calibration import formats
    from calibration.apply import mjcf_camera, rig_of
    from calibration.solution import load_solution
    from gmps_robot import config
    from gmps_robot.rig import load_rig, save_rig

    out, name = options.out, options.out.name
    known = options.before or ("nominal" if not (out / "rig.yaml").is_file() else str(out / "rig.yaml"))
    before = load_rig(known)
    if options.solution is None:
        rig = _imported(options, before)
    else:
        solution = load_solution(options.solution)
        parent = "base" if solution.setup == "eye_to_hand" else "right_gripper_tip"
        pose = solution.camera_pose
        told = formats.static_transform(pose, parent, solution.covariance, solution.date, solution.capture)
        config.write(formats.camera_info(solution.camera, name), out / "camera_info.yaml")
        config.write(told, out / "transform.yaml")
        (out / "camera.urdf.xml").write_text(formats.urdf_joint(pose, parent), encoding="utf-8")
        config.write(formats.easy_handeye2(pose, solution.setup, name), out / f"{name}.calib")
        print(f"publish it: {formats.publisher_command(pose, parent)}")
        rig = rig_of(solution, before, name, options.crop)
    save_rig(rig, out / "rig.yaml")
    (out / "camera.mjcf.xml").write_text(mjcf_camera(rig) + "\n", encoding="utf-8")
    print(f"rig {rig.name} ({rig.rig_id}): {out / 'rig.yaml'}; table, delays and servos as in {known}")
    print(f"next: gmps meta-train push-vision --rig {out / 'rig.yaml'}; then adapt with rig:={out / 'rig.yaml'}")
    return 0


def _imported(options: ApplyOptions, before: RigCalibration) -> RigCalibration:
    """The rig of imported files.

    Raises:
        ConfigError: neither is given, or one cannot be read, or the camera is in the hand.
    """
    from dataclasses import replace

    from calibration import formats
    from calibration.apply import middle
    from gmps_robot.errors import ConfigError
    from gmps_robot.rig import Origin, Residuals

    if options.camera_info is None and options.easy_handeye2 is None:
        raise ConfigError("nothing to apply: name a solved capture, or --camera-info and --easy-handeye2 files")
    rig = replace(before, name=options.out.name, residuals=Residuals(), origin=Origin())
    if options.camera_info is not None:
        sensor = formats.read_camera_info(options.camera_info)
        rig = replace(rig, camera=replace(sensor, crop=options.crop or middle(sensor)))
    if options.easy_handeye2 is not None:
        pose, setup = formats.read_easy_handeye2(options.easy_handeye2)
        if setup != "eye_to_hand":
            raise ConfigError(f"{options.easy_handeye2}: the camera is in the hand; a rig's policy camera stands still")
        rig = replace(rig, camera_to_base=pose)
    return rig
