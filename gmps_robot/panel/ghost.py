"""The arm as the twin has it, over the pictures of a recorded episode."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gmps_robot.control.outline import arm_outline, tool_outline
from gmps_robot.control.sawyer_model import JOINTS
from gmps_robot.data.episode import RecordedEpisode
from gmps_robot.panel.bridge_teach import CameraView
from gmps_robot.panel.schema_archive import GhostAnswer
from gmps_robot.types import FloatArray

LEADS = 0.5  # what was asked is shown as far ahead as it would move the tip in this time [s]


def ghost(read: RecordedEpisode | None, step: int, rig: str, camera: CameraView | None) -> GhostAnswer:
    """Return the outlines of the arm at `step`, or why there are none.

    Args:
        read: the episode; None: it has no file.
        step: of its periods.
        rig: that it was recorded on.
        camera: how this panel's picture sees the base frame; None: not known.
    """
    why = _missing(read, step, rig, camera)
    if why or read is None or camera is None:
        return GhostAnswer(width=0, height=0, arm=[], asked=[], why=why)
    projection = np.array(camera.projection).reshape(3, 4)
    joints, gripper = read.joints[step], float(read.applied[step, 3])
    move = read.commanded[step, :3] * read.info.action_speed * LEADS
    asked = tool_outline(joints, gripper, projection, move) if move.any() else []
    return GhostAnswer(
        width=camera.width, height=camera.height, arm=_rounded(arm_outline(joints, gripper, projection)),
        asked=_rounded(asked), why="",
    )  # fmt: skip


def _missing(read: RecordedEpisode | None, step: int, rig: str, camera: CameraView | None) -> str:
    if camera is None:
        return "it is not known how the picture sees the arm: no picture has come yet, or the rig has no calibration"
    if rig != camera.rig:
        return f"it was recorded on the rig {rig}; this panel knows the camera of {camera.rig or 'no rig'}"
    if read is None or not len(read) > step or read.joints.shape[1] != JOINTS:
        return "the joints of the arm were not recorded"
    return ""


def _rounded(outlines: Iterable[FloatArray]) -> list[list[list[float]]]:
    return [np.round(outline, 1).tolist() for outline in outlines]
