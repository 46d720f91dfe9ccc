"""gmps calibrate solve: camera and hand-eye from a capture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from calibration.solution import Solution


@dataclass(frozen=True)
class Solve:
    """Solve a capture: intrinsics, then where the camera is, with 95 % intervals and a verdict on left-out views.

    Example:
        gmps calibrate solve captures/monday

    Writes solution.yaml beside the images. Nothing of the capture is changed: solve it as often as you like.
    """

    capture: Annotated[Path, tyro.conf.Positional]
    """Directory of the capture."""
    square_mm: float | None = None
    """Edge of a square as measured on the print [mm], where the capture's board file is wrong."""


def run(options: Solve) -> int:
    """Carry out the command; returns the exit code: 1 where a threshold is missed."""
    from calibration.capture import load_capture
    from calibration.solution import FILE
    from calibration.solve import solve_capture
    from gmps_robot import config

    capture = load_capture(options.capture)
    if options.square_mm is not None:
        capture = replace(capture, board=capture.board.measured(options.square_mm / 1e3))
    solution, _ = solve_capture(options.capture, capture)
    config.save(solution, options.capture / FILE)
    show(solution)
    print(f"written: {options.capture / FILE}; next: gmps calibrate report {options.capture}")
    return 0 if solution.passed else 1


def show(solution: Solution) -> None:
    """Print what was found."""
    from calibration.solution import HELD_OUT, RMS_PIXELS

    camera, sure = solution.camera, solution.deviations
    print(f"{len(solution.views)} views used; {solution.distortion_terms} distortion terms")
    for name, why in solution.dropped.items():
        print(f"  left out: {name}: {why}")
    numbers = zip(["fx", "fy", "cx", "cy"], (camera.fx, camera.fy, camera.cx, camera.cy), sure[:4], strict=True)
    print("camera: " + ", ".join(f"{name} {value:.2f} +- {1.96 * s:.2f}" for name, value, s in numbers) + " pixel")
    parent = "base" if solution.setup == "eye_to_hand" else "hand"
    position = ", ".join(
        f"{axis} {value * 1e3:.2f} +- {1.96e3 * solution.covariance[7 * k] ** 0.5:.2f}"
        for k, (axis, value) in enumerate(zip("xyz", solution.camera_pose.position, strict=True))
    )
    print(f"camera in {parent}: {position} mm (95 %)")
    held = solution.held_out
    for what, interval, bar, unit, scale in (
        ("corners", held.pixel, HELD_OUT[0], "px", 1.0), ("position", held.position, HELD_OUT[1], "mm", 1e3),
        ("rotation", held.rotation, HELD_OUT[2], "deg", 1.0),
    ):  # fmt: skip
        verdict = "ok" if interval.value <= bar else "TOO LARGE"
        print(
            f"left-out views, {what}: {interval.value * scale:.2f} {unit} ({interval.low * scale:.2f} to "
            f"{interval.high * scale:.2f}), at most {bar * scale:g}: {verdict}"
        )
    verdict = "ok" if solution.intrinsics_rms <= RMS_PIXELS else "TOO LARGE"
    print(f"intrinsics: {solution.intrinsics_rms:.3f} px rms, at most {RMS_PIXELS:g}: {verdict}")
