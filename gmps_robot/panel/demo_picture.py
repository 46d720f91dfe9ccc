"""The drawn camera picture of the demo: table, block, goal ring and the two pads of the gripper, seen from above."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from gmps_robot.types import FloatArray

HEIGHT, WIDTH = 480, 640
GOAL = np.array([470.0, 190.0])
START = np.array([220.0, 250.0])
SCALE = 1087.0  # pixels per metre, seen straight from above; the block begins at START
PROJECTION = (SCALE, 0.0, 0.0, START[0] - 0.5 * SCALE, 0.0, -SCALE, 0.0, START[1], 0.0, 0.0, 0.0, 1.0)
Pixel = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def draw(share: float, skill: float, now: float) -> bytes:
    """Return a JPEG of the scene `share` (0 to 1) into an episode; a low `skill` pushes past the goal."""
    picture = _table()
    cv2.circle(picture, _point(GOAL), 34, (64, 160, 92), 3, cv2.LINE_AA)
    aim = GOAL + (1.0 - skill) * np.array([20.0, 120.0])
    pushed = max(0.0, (share - 0.25) / 0.75)
    block = START + pushed * (aim - START)
    tip = START - np.array([90.0, 0.0]) * max(0.0, 1.0 - share / 0.25) - np.array([40.0, 0.0]) + pushed * (aim - START)
    tip = tip + np.array([0.0, 1.5]) * np.sin(4.0 * now)  # the arm is never perfectly still: the picture lives
    return _draw(picture, tip, block, now)


def draw_scene(tip: FloatArray, block: FloatArray, now: float) -> bytes:
    """Return a JPEG of the arm's tip and the block at these places (3,) [m]."""
    return _draw(_table(), pixel(tip), pixel(block), now)


def draw_board(middle: tuple[float, float], nearer: str, now: float) -> bytes:
    """Return a JPEG of a calibration board around `middle` (shares of the picture), one edge of it `nearer`."""
    squares = np.indices((8, 10)).sum(0) % 2
    squares[0] = squares[-1] = squares[:, 0] = squares[:, -1] = 1  # the sheet's white edge
    sheet = np.repeat(np.where(squares[..., None] == 1, np.uint8(236), np.uint8(30)), 3, axis=2)
    sheet = cv2.resize(sheet, (500, 400), interpolation=cv2.INTER_NEAREST)
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    axis, sign = {"left": (0, -1), "right": (0, 1), "top": (1, -1), "bottom": (1, 1)}.get(nearer, (0, 0))
    larger = 1.0 + 0.18 * sign * corners[:, axis : axis + 1]
    shown = np.array(middle) * (WIDTH, HEIGHT) + corners * larger * (120.0, 96.0) + (0.0, np.sin(4.0 * now))
    source = np.array([[0, 0], [500, 0], [500, 400], [0, 400]], np.float32)
    warp = cv2.getPerspectiveTransform(source, shown.astype(np.float32))
    picture = _table()
    cv2.warpPerspective(sheet, warp, (WIDTH, HEIGHT), picture, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    jpeg: bytes = simplejpeg.encode_jpeg(picture, quality=80)
    return jpeg


def pixel(at: FloatArray) -> Pixel:
    """Where a point (3,) [m] is in the picture."""
    return START + SCALE * np.array([at[0] - 0.5, -at[1]])


def _table() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = np.full((HEIGHT, WIDTH, 3), (206, 198, 186), np.uint8)
    cv2.rectangle(picture, (0, 0), (WIDTH, 70), (58, 62, 70), -1)
    for x in range(0, WIDTH, 64):
        cv2.line(picture, (x, 70), (x, HEIGHT), (192, 184, 172), 1, cv2.LINE_AA)
    return picture


def _draw(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], tip: Pixel, block: Pixel, now: float) -> bytes:
    _box(picture, block, 26, (196, 72, 52))
    cv2.line(picture, (60, 0), _point(tip), (120, 36, 36), 30, cv2.LINE_AA)
    cv2.circle(picture, _point(tip), 20, (44, 48, 54), -1, cv2.LINE_AA)
    for side in (-1, 1):
        _box(picture, tip + np.array([14.0, side * 14.0]), 8, (30, 32, 36))
    stamp = f"{now % 1000.0:07.2f} s"
    cv2.putText(picture, stamp, (WIDTH - 130, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (225, 225, 225), 1, cv2.LINE_AA)
    jpeg: bytes = simplejpeg.encode_jpeg(picture, quality=80)
    return jpeg


def _point(at: Pixel) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))


def _box(
    picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    centre: Pixel, half: int, colour: tuple[int, int, int],
) -> None:
    x, y = _point(centre)
    cv2.rectangle(picture, (x - half, y - half), (x + half, y + half), colour, -1, cv2.LINE_AA)
