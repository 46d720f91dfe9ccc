"""Capturing, without any device: frames and arm states go in; views come out on disk, and a hint what to show next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.capture import CaptureWriter, View, read_image
from calibration.coverage import Coverage, coverage, hint
from calibration.detect import Corners, board_pose, detect, sharpness, why_not
from calibration.lens import sensor
from calibration.poses import Pose, matrix, pose
from gmps_robot.control.kinematics import forward, rotation_from_quaternion
from gmps_robot.types import ArmState, FloatArray, ImageArray

STILL_PIXELS = 0.2  # corners move less than this between two frames [pixel]
STILL_JOINTS = 0.002  # [rad/s]
STILL_FOR = 0.5  # [s]
SHARP = 0.30  # see `sharpness`
DARK, BRIGHT = 40.0, 250.0  # mean grey values of a board that is under- or overexposed
DIFFERENT = 12.0  # mean motion of the corners since the nearest view that is worth another one [pixel]


@dataclass(frozen=True)
class Progress:
    """What came of one frame."""

    taken: View | None
    message: str  # why it was not taken, or that it was
    hint: str  # what to show next
    state: Coverage
    corners: Corners | None = None  # of the board in the frame


class CaptureSession:
    """Takes views by itself when the board is still, sharp and somewhere new, or at once when asked to."""

    def __init__(self, writer: CaptureWriter, focal: float = 0.85) -> None:
        """Go on with what `writer` holds. `focal` is a guess of the focal length, as a share of the image's width.

        Raises:
            CalibrationError: an image of the capture is missing or unreadable.
        """
        self._writer = writer
        capture = writer.capture
        width, height, length = capture.width, capture.height, focal * capture.width
        self._camera = sensor(
            np.array([length, length, (width - 1) / 2, (height - 1) / 2, 0.0, 0.0, 0.0, 0.0, 0.0]), width, height
        )
        self._seen: list[Corners] = []
        self._poses: list[Pose] = []
        self._arm: list[Pose] = []
        self._last: Corners | None = None
        self._still_since: float | None = None
        for view in capture.views:
            corners = detect(read_image(writer.directory, capture, view), capture.board)
            if corners is not None and view.hand is not None:
                self._remember(corners, matrix(view.hand))

    @property
    def state(self) -> Coverage:
        """What the views so far show."""
        return coverage(self._seen, self._poses, self._arm, self._writer.capture.board, self._camera)

    def offer(self, image: ImageArray, stamp_ns: int, arm: ArmState, *, at_once: bool = False) -> Progress:
        """Look at one frame and the arm's state at that time; keep both as a view where they are good.

        Args:
            image: (height, width, 3).
            stamp_ns: of the image, on the clock of the arm's stamps.
            arm: state nearest to that time.
            at_once: a person asks for it: take it also while it is like another one or only just still.

        Raises:
            CalibrationError: the image has another size than the capture.
        """
        board = self._writer.capture.board
        corners = detect(image, board)
        if corners is None:
            self._last, self._still_since = None, None
            return self._told(None, why_not(image, board))
        problem = self._restless(corners, stamp_ns * 1e-9, arm) if not at_once else ""
        self._last = corners
        problem = problem or _unclear(image, corners) or ("" if at_once else self._known(corners))
        if problem:
            return self._told(None, problem)
        view = self._writer.add(image, stamp_ns, arm)
        self._remember(corners, hand_pose(arm))
        return self._told(view, f"view {len(self._seen)} taken")

    def _remember(self, corners: Corners, hand: Pose) -> None:
        self._seen.append(corners)
        self._poses.append(board_pose(corners, self._writer.capture.board, self._camera)[0])
        self._arm.append(hand)

    def _told(self, taken: View | None, message: str) -> Progress:
        state = self.state
        return Progress(taken, message, hint(state), state, self._last)

    def _restless(self, corners: Corners, now: float, arm: ArmState) -> str:
        moved = _motion(corners, self._last) if self._last is not None else np.inf
        if moved > STILL_PIXELS or float(np.abs(arm.joint_velocities).max()) > STILL_JOINTS:
            self._still_since = None
            return "moving: hold still"
        self._still_since = now if self._still_since is None else self._still_since
        return "" if now - self._still_since >= STILL_FOR - 1e-6 else "hold still a little longer"

    def _known(self, corners: Corners) -> str:
        nearest = min((_motion(corners, other) for other in self._seen), default=np.inf)
        return f"like a view that is there already: {hint(self.state)}" if nearest < DIFFERENT else ""


def hand_pose(arm: ArmState) -> Pose:
    """Return the hand's pose (4, 4) in `base`."""
    x, y, z, w = arm.tip_quaternion
    return pose(rotation_from_quaternion((w, x, y, z)), arm.tip_position)


def hand_frame(joints: FloatArray) -> Pose:
    """Return the hand's pose (4, 4) in `base` at `joints` (7,) [rad], by the arm's model."""
    there = forward(joints[None])
    return pose(there.rotation[0], there.position[0])


def _motion(a: Corners, b: Corners) -> float:
    """Mean motion of the corners both have [pixel]; infinite where they have none in common."""
    _, mine, theirs = np.intersect1d(a.ids, b.ids, return_indices=True)
    if not len(mine):
        return float("inf")
    moved: FloatArray = a.pixels[mine] - b.pixels[theirs]
    return float(np.linalg.norm(moved, axis=1).mean())


def _unclear(image: ImageArray, corners: Corners) -> str:
    low, high = corners.pixels.min(0).astype(int), corners.pixels.max(0).astype(int)
    mean = float(image[max(low[1], 0) : high[1], max(low[0], 0) : high[0]].mean())
    if not DARK < mean < BRIGHT:
        return f"{'too dark' if mean <= DARK else 'too bright'}: mean grey {mean:.0f}, change light or exposure"
    sharp = sharpness(image, corners)
    return f"blurred: sharpness {sharp:.2f}, {SHARP:g} is needed; focus, or more light" if sharp < SHARP else ""
