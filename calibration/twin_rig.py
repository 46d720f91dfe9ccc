"""A rig to rehearse on: the twin's arm, its camera and a board, rendered. The truth is known; nothing can break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.board import BoardSpec
from calibration.capture import Setup
from calibration.poses import Pose, inverse, matrix, pose
from calibration.rendering import noisy
from calibration.route import Route, default_route
from calibration.session import hand_pose
from gmps_robot.control.kinematics import tool_attitude
from gmps_robot.rig import RigCalibration
from gmps_robot.types import ArmState, ImageArray

PIXELS_PER_SQUARE = 120
CENTER = (0.68, 0.0, 0.225)  # tip in the middle of the route [m]
BEFORE = 0.10  # the board is so far before the tip, towards the camera [m] ...
BELOW = 0.05  # ... and its centre so far below
HELD_CAMERA = (0.0, 0.06, -0.04)  # of a camera in the hand, in the tip's frame [m]
TABLE_BOARD = (0.56, 0.03, 0.002)  # centre of a board on the table, for a camera in the hand [m]


@dataclass(frozen=True)
class TwinRig:
    """Where everything is."""

    setup: Setup
    board: BoardSpec
    rig: RigCalibration
    camera: Pose  # (4, 4) in `base` or in the hand
    fixed: Pose  # (4, 4) of the board in the hand or in `base`
    route: Route

    def board_in_camera(self, hand: Pose) -> Pose:
        """Return the board's pose (4, 4) in the optical frame while the hand is at pose `hand` (4, 4) in `base`."""
        if self.setup == "eye_to_hand":
            return inverse(self.camera) @ hand @ self.fixed
        return inverse(hand @ self.camera) @ self.fixed


def twin_rig(setup: Setup, board: BoardSpec, rig: RigCalibration) -> TwinRig:
    """Return a rehearsal: the rig's camera and a board in the gripper, or a board on the table and a camera held."""
    hand = pose(tool_attitude(), np.array(CENTER))
    if setup == "eye_to_hand":
        camera = matrix(rig.camera_to_base)
        right, away = camera[:3, 0], np.array(CENTER) - camera[:3, 3]
        away /= np.linalg.norm(away)
        axes = np.stack([right, np.cross(away, right), away], axis=1)
        middle = np.array(CENTER) - BEFORE * away - np.array([0.0, 0.0, BELOW])
        in_base = pose(axes, middle - axes @ board.center)
        return TwinRig(setup, board, rig, camera, inverse(hand) @ in_base, default_route(CENTER, axes))
    down = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # columns: image right, down, away
    camera = inverse(hand) @ pose(down, hand[:3, :3] @ np.array(HELD_CAMERA) + hand[:3, 3])
    fixed = pose(down, np.array(TABLE_BOARD) - down @ board.center)
    return TwinRig(setup, board, rig, camera, fixed, default_route(CENTER, down, (0.03, 0.03, 0.03)))


class TwinEyes:
    """What the rehearsal's camera sees."""

    def __init__(self, place: TwinRig, rng: np.random.Generator) -> None:
        """Build the scene.

        Raises:
            RenderError: this machine has neither EGL nor OSMesa.
        """
        from sim.board_scene import BoardScene  # MuJoCo is only needed here

        board, edge = place.board, place.board.square / 2.0
        self._place, self._rng = place, rng
        self._scene = BoardScene(
            board.picture(PIXELS_PER_SQUARE, PIXELS_PER_SQUARE // 2),
            (board.width + 2.0 * edge, board.height + 2.0 * edge),
            "hand" if place.setup == "eye_to_hand" else "base",
            place.fixed @ pose(np.eye(3), np.array([-edge, -edge, 0.0])), place.rig.camera.pinhole,
        )

    def image(self, arm: ArmState) -> ImageArray:
        """Return (height, width, 3) with the arm at its measured joints, grey noise included."""
        camera = self._place.camera
        if self._place.setup == "eye_in_hand":
            camera = hand_pose(arm) @ camera
        return noisy(self._scene.image(arm.joints, camera), self._rng)

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._scene.close()
