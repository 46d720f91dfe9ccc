"""gmps calibrate check: ten seconds before work: does the calibration still hold?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class CheckOptions:
    """Look at the board once and say how far camera and arm have drifted apart since the calibration.

    Example:
        gmps calibrate check captures/monday

    The board is held (or lies) as in the capture. The exit code is 1 when the rig should be calibrated again.
    """

    solution: Annotated[Path, tyro.conf.Positional]
    """Directory of the solved capture, or its solution.yaml."""
    robot: Literal["twin", "sawyer"] = "twin"
    """Whose camera looks."""
    camera: str = "0"
    """Camera of the real rig: a number, /dev/videoN, an address, a recording."""
    rig: str = "nominal"
    """On the twin, whose camera is the truth now; on a real rig, whose camera size is used."""
    master_uri: str = ""
    """ROS 1 master of the real arm; empty: ROS_MASTER_URI."""
    json: Path | None = None
    """Write the figures here too."""


def run(options: CheckOptions) -> int:
    """Carry out the command; returns the exit code: 1 where the calibration no longer holds."""
    from dataclasses import asdict

    from calibration.drift import drift
    from calibration.session import hand_pose
    from calibration.solution import load_solution
    from gmps_robot.cli.calibrate.capture import CaptureOptions, on_sawyer, on_twin
    from gmps_robot.cli.calibrate.writing import write_figures

    solution = load_solution(options.solution)
    looking = CaptureOptions(
        options.solution, setup=solution.setup, robot=options.robot, camera=options.camera, rig=options.rig,
        master_uri=options.master_uri,
    )  # fmt: skip
    with (on_twin(looking, solution.board) if options.robot == "twin" else on_sawyer(looking)) as (look, _, _):
        image, _, arm = look()
    found = drift(solution, image, hand_pose(arm))
    verdict = "the calibration holds" if found.holds else "CALIBRATE AGAIN: camera, board or its holder has moved"
    seen = f"{found.corners} corners, {found.pixels:.2f} px"
    turned = f"{found.rotation:.2f} +- {found.rotation_error:.2f} deg"
    print(f"drift {1e3 * found.position:.2f} mm, {turned} ({seen}): {verdict}")
    write_figures({**asdict(found), "holds": found.holds}, options.json)
    return 0 if found.holds else 1
