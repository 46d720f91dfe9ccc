"""The pictures of a calibration's report. Each function returns one matplotlib figure."""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.coverage import COLUMNS, ENOUGH_CORNERS, ROWS, Coverage
from calibration.held_out import predicted_pixels
from calibration.lens import sensor
from calibration.poses import Pose
from calibration.sightings import Sighting
from calibration.solution import HELD_OUT, Solution
from calibration.solve import Solved
from gmps_robot.types import FloatArray, ImageArray

GREEN, AMBER, BLUE = "#1b8a4b", "#c77700", "#1f6fb8"
ARROW = 40.0  # pixels of the image that the rms residual is drawn as


def arrows(solved: Solved) -> Figure:
    """Residual of every corner, enlarged, where it is in the image."""
    residuals, pixels = solved.estimate.residuals, _pixels(solved)
    rms = float(np.sqrt((residuals**2).sum(1).mean()))
    figure, axes = _figure(7.0, 5.0)
    view = np.repeat(np.arange(len(solved.sightings.views)), [len(v.corners.ids) for v in solved.sightings.views])
    scale = ARROW / max(rms, 1e-6)
    u, v = (residuals * scale).T
    axes.quiver(
        pixels[:, 0], pixels[:, 1], u, v, view, angles="xy", scale_units="xy", scale=1.0, width=0.0018, cmap="turbo"
    )
    _image_axes(axes, solved, f"reprojection, arrows {scale:.0f} times enlarged (rms {rms:.3f} px); a colour is a view")
    return figure


def regions(solved: Solved) -> Figure:
    """Rms residual of the corners in each part of the image: a lens model that does not fit shows at the edges."""
    residuals, pixels = solved.estimate.residuals, _pixels(solved)
    square = np.full((ROWS, COLUMNS), np.nan)
    column = np.clip(pixels[:, 0] / solved.sightings.width * COLUMNS, 0, COLUMNS - 1).astype(int)
    row = np.clip(pixels[:, 1] / solved.sightings.height * ROWS, 0, ROWS - 1).astype(int)
    for r in range(ROWS):
        for c in range(COLUMNS):
            inside = (row == r) & (column == c)
            if inside.any():
                square[r, c] = np.sqrt((residuals[inside] ** 2).sum(1).mean())
    figure, axes = _figure(5.6, 4.0)
    _grid(axes, square, "{:.2f}", "rms residual by region [px]", "YlOrRd")
    return figure


def covered(state: Coverage) -> Figure:
    """Where in the image corners were seen, and how many."""
    figure, axes = _figure(5.6, 4.0)
    _grid(axes, state.cells, "{:.0f}", f"corners by region ({ENOUGH_CORNERS} are enough)", "Greens")
    return figure


def motions(solved: Solved, seen: FloatArray, state: Coverage) -> Figure:
    """Tilt and distance of the board in each view, and how far the hand turned about each of its axes."""
    figure = Figure(figsize=(10.0, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    lean = np.rad2deg(np.arcsin(np.clip(seen[:, :2, 2], -1.0, 1.0)))
    left.scatter(lean[:, 0], lean[:, 1], color=BLUE)
    left.axhline(0.0, color="0.8"), left.axvline(0.0, color="0.8")
    left.set(xlabel="tilt, right edge nearer [deg]", ylabel="tilt, bottom edge nearer [deg]", title="tilts")
    distance = (seen[:, :3, :3] @ solved.sightings.board.center + seen[:, :3, 3])[:, 2]
    middle.hist(distance, bins=8, color=BLUE)
    middle.set(xlabel="distance [m]", ylabel="views", title="distances")
    right.bar(["first", "second", "third"], np.rad2deg(state.spread), color=BLUE)
    right.set(xlabel="axis", ylabel="rms rotation [deg]", title="rotations of the hand")
    return figure


def left_out(solved: Solved) -> Figure:
    """Error of each view where it was left out, against the thresholds."""
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    names = [view.name.removesuffix(".png") for view in solved.sightings.views]
    errors = solved.errors
    for axes, values, bar, unit in zip(
        figure.subplots(1, 3), (errors.pixel, errors.position * 1e3, errors.rotation),
        (HELD_OUT[0], HELD_OUT[1] * 1e3, HELD_OUT[2]), ("px", "mm", "deg"), strict=True,
    ):  # fmt: skip
        axes.bar(names, values, color=[GREEN if value <= bar else AMBER for value in values])
        axes.axhline(bar, color="0.3", linestyle="--", linewidth=1.0)
        top = max(bar * 1.15, float(values.max()) * 1.1)
        axes.set(title=f"left out, predicted by the arm [{unit}]", ylim=(0.0, top))
        axes.tick_params(axis="x", rotation=90, labelsize=7)
    return figure


def straightened(solution: Solution, image: ImageArray) -> Figure:
    """One frame as it came, and undistorted."""
    straight = undistorted(solution, image)
    figure = Figure(figsize=(10.0, 3.9), layout="constrained")
    for axes, picture, title in zip(
        figure.subplots(1, 2), (image, straight), ("as the camera gave it", "undistorted"), strict=True
    ):
        axes.imshow(picture)
        axes.set_title(title)
        axes.axis("off")
        for share in np.linspace(0.0, 1.0, 9)[1:-1]:
            axes.axvline(share * picture.shape[1], color="#ffffff80", linewidth=0.6)
            axes.axhline(share * picture.shape[0], color="#ffffff80", linewidth=0.6)
    return figure


def laid_over(solution: Solution, solved: Solved, view: Sighting, image: ImageArray, twin: ImageArray | None) -> Figure:
    """A frame with the corners where arm and calibration put them, and the twin's picture laid over it."""
    straight = undistorted(solution, image)
    figure = Figure(figsize=(10.0, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    only = solved.sightings.only([[v.name for v in solved.sightings.views].index(view.name)])
    camera = sensor(solved.estimate.lens, solution.camera.width, solution.camera.height)
    told = predicted_pixels(only, camera, solved.estimate.camera, solved.estimate.board)[0]
    left.imshow(image)
    left.plot(*view.corners.pixels.T, "+", color="#00c2ff", markersize=7, label="seen")
    left.plot(*told.T, "o", color="#ff3b30", markersize=7, fillstyle="none", label="told by the arm")
    left.legend(loc="lower right", fontsize=8)
    left.set_title(f"{view.name}: corners seen, and where the arm puts them")
    right.imshow(straight if twin is None else (straight // 2 + twin // 2))
    right.set_title("no twin: no OpenGL on this machine" if twin is None else "the twin, laid over the frame")
    left.axis("off"), right.axis("off")
    return figure


def undistorted(solution: Solution, image: ImageArray) -> ImageArray:
    """Return the frame without the lens' distortion."""
    camera = solution.camera
    return np.asarray(cv2.undistort(image, camera.pinhole.matrix, np.array(camera.distortion)), dtype=np.uint8)


def twin_picture(solution: Solution, joints: tuple[float, ...] | None) -> ImageArray | None:
    """Return what the twin's camera, placed as solved, sees with the arm at `joints`; None without OpenGL or joints."""
    from calibration.poses import matrix, pose
    from calibration.session import hand_frame
    from gmps_robot.errors import RenderError

    if joints is None:
        return None
    from sim.board_scene import BoardScene

    board, edge, arm = solution.board, solution.board.square / 2.0, np.array(joints)
    to_hand = solution.setup == "eye_to_hand"
    sheet: Pose = matrix(solution.board_pose) @ pose(np.eye(3), np.array([-edge, -edge, 0.0]))
    try:
        scene = BoardScene(
            board.picture(80, 40), (board.width + 2 * edge, board.height + 2 * edge), "hand" if to_hand else "base",
            sheet, solution.camera.pinhole,
        )
    except RenderError:
        return None
    camera = matrix(solution.camera_pose)
    picture = scene.image(arm, camera if to_hand else hand_frame(arm) @ camera)
    scene.close()
    return picture


def _pixels(solved: Solved) -> FloatArray:
    return np.concatenate([view.corners.pixels for view in solved.sightings.views])


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _image_axes(axes: Axes, solved: Solved, title: str) -> None:
    axes.set(xlim=(0, solved.sightings.width), ylim=(solved.sightings.height, 0), aspect="equal", xlabel="u [px]")
    axes.set_ylabel("v [px]")
    axes.set_title(title, fontsize=10)


def _grid(axes: Axes, values: FloatArray, form: str, title: str, colors: str) -> None:
    axes.imshow(values, cmap=colors, aspect="auto", vmin=0.0)
    middle = float(np.nanmax(values)) * 0.6
    for (row, column), value in np.ndenumerate(values):
        told = "none" if np.isnan(value) else form.format(value)
        axes.text(column, row, told, ha="center", va="center", color="white" if value > middle else "black", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([]), axes.set_yticks([])
