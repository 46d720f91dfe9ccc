"""Whether a policy was trained for what a rig's camera shows: it knows one view, and what varied around that.

The same rig is a match. Another one is as good where its camera stands within what the training varied (the recipe's
`randomise`), or closer than calibrations tell apart, and its lens shows the same within a pixel of the policy's image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gmps_robot import config
from gmps_robot.checkpoint import CheckpointConfig, resolve_checkpoint
from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.learning.recipe import Recipe
from gmps_robot.policy import PolicySpec
from gmps_robot.rig import FramePose, RigCalibration, load_rig
from gmps_robot.types import FloatArray

SAME_PLACE, SAME_TURN = 0.003, 0.0087  # the bars of a good calibration: 3 mm, 0.5 deg [m, rad]
SAME_LENS = 1.0  # [pixel of the policy's image]
RIG, RECIPE = "rig.yaml", "recipe.yaml"  # beside the weights


def trained_rig(checkpoint: str | Path) -> RigCalibration:
    """Return the rig that the policy of `checkpoint` was trained for.

    Raises:
        CheckpointError: there is no such checkpoint, or neither a file beside its weights nor a name says what it saw.
    """
    directory = resolve_checkpoint(checkpoint)
    beside = directory / RIG
    name = config.load(CheckpointConfig, directory / "config.yaml").policy.rig
    try:
        return load_rig(beside if beside.is_file() else name)
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {directory}: its rig is not known, put its {RIG} there: {error}") from error


def mismatch(checkpoint: str | Path, rig: RigCalibration) -> str:
    """Return in what `rig` differs from all that the policy of `checkpoint` was trained for, and what to do about it.

    Empty where it was trained for it, or sees no image.

    Raises:
        CheckpointError: there is no such checkpoint.
        ConfigError: what lies beside its weights cannot be read.
    """
    directory = resolve_checkpoint(checkpoint)
    spec = config.load(CheckpointConfig, directory / "config.yaml").policy
    if spec.kind != "vision" or spec.rig == rig.rig_id:
        return ""
    said = f"checkpoint {directory.name} was trained for the rig {spec.rig!r}, this is {rig.name!r} ({rig.rig_id})"
    advice = "train one for this rig (gmps meta-train RECIPE --rig FILE)"
    try:
        trained = trained_rig(directory)
    except CheckpointError:
        return f"{said}, and the checkpoint does not say what it saw: {advice}"
    varied = config.load(Recipe, directory / RECIPE).randomise if (directory / RECIPE).is_file() else {}
    places, turns = (varied.get(f"camera_{what}", ()) for what in ("translation", "rotation"))
    differences = [
        *_beyond("stands", 1e3, "mm", _moved(trained, rig), places, SAME_PLACE),
        *_beyond("is turned", 180.0 / np.pi, "deg", _turned(trained, rig), turns, SAME_TURN),
        *_lens(trained, rig, spec),
    ]
    if not differences:
        return ""
    return f"{said}. Its camera {'; '.join(differences)}: {advice}, move the camera, or take push-vision-camera"


def _beyond(
    verb: str, scale: float, unit: str, found: FloatArray, varied: tuple[float, ...], same: float
) -> list[str]:
    """What to say where the magnitudes `found` (3,) leave what was `varied` along some axis."""
    allowed = np.maximum(varied or np.zeros(3), same)
    if (np.abs(found) <= allowed).all():
        return []
    apart, learned = (", ".join(f"{scale * value:.1f}" for value in row) for row in (found, allowed))
    return [f"{verb} ({apart}) {unit} from there, it learned up to ({learned})"]


def _moved(trained: RigCalibration, rig: RigCalibration) -> FloatArray:
    """Where the camera stands from where it stood (3,), in `base` [m]."""
    return np.subtract(rig.camera_to_base.position, trained.camera_to_base.position)


def _turned(trained: RigCalibration, rig: RigCalibration) -> FloatArray:
    """How the camera is turned (3,): rotation vector in the optical frame of training [rad]."""
    x, y, z, w = _between(trained.camera_to_base, rig.camera_to_base)
    axis = np.array([x, y, z]) * (1.0 if w >= 0.0 else -1.0)
    sine = float(np.linalg.norm(axis))
    return np.asarray(axis * (2.0 * np.arctan2(sine, abs(w)) / max(sine, 1e-300)))


def _between(a: FramePose, b: FramePose) -> tuple[float, float, float, float]:
    """Quaternion of `b` seen from `a`."""
    ax, ay, az, aw = a.quaternion
    bx, by, bz, bw = b.quaternion
    return (
        aw * bx - ax * bw - ay * bz + az * by, aw * by + ax * bz - ay * bw - az * bx,
        aw * bz - ax * by + ay * bx - az * bw, aw * bw + ax * bx + ay * by + az * bz,
    )


def _lens(trained: RigCalibration, rig: RigCalibration, spec: PolicySpec) -> list[str]:
    """What to say where the same rays meet other pixels."""
    a, b = (one.camera.policy(spec.image_width, spec.image_height) for one in (trained, rig))
    across = max(abs((b.fx - a.fx) * (u - a.cx) / a.fx + b.cx - a.cx) for u in (0.0, a.width - 1.0))
    down = max(abs((b.fy - a.fy) * (v - a.cy) / a.fy + b.cy - a.cy) for v in (0.0, a.height - 1.0))
    worst = max(across, down)
    if worst <= SAME_LENS:
        return []
    return [f"shows the same up to {worst:.1f} pixels of the policy's image elsewhere, by focal length, centre or crop"]
