"""gmps calibrate identify: how stiff, damped and rubbing the joints are, and how late they obey."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class IdentifyOptions:
    """Move the arm on a sum of sines, through its guard, and fit the twin's servos to what its joints did.

    Example:
        gmps calibrate identify rigs/lab/rig.yaml --robot sawyer

    The delay is fitted first, then stiffness, damping and friction of each joint with it. The rig's twin uses them. On
    the twin this is a rehearsal: it finds again what the rig file says.
    """

    rig: Annotated[str, tyro.conf.Positional] = "nominal"
    """The rig: a YAML file, which gets the result, or `nominal`."""
    out: Path | None = None
    """Where the rig with its servos goes; by default the file itself."""
    robot: Literal["twin", "sawyer"] = "twin"
    """Which arm moves."""
    seconds: float = 15.0
    """How long to move."""
    master_uri: str = ""
    """ROS 1 master of the real arm; empty: ROS_MASTER_URI."""
    json: Path | None = None
    """Write the figures here too."""


def run(options: IdentifyOptions) -> int:
    """Carry out the command; returns the exit code."""
    from dataclasses import asdict, replace

    from calibration.wave import record
    from gmps_robot.cli.calibrate.moving import moving
    from gmps_robot.cli.calibrate.writing import destination, write_figures
    from gmps_robot.rig import load_rig, save_rig
    from sim.sysid import Sweep, identify

    rig, out = load_rig(options.rig), destination(options.rig, options.out)
    with moving(options.robot, rig, None, "", options.master_uri) as made:
        motion = record(made.arm, made.look, made.clock, made.wait, options.seconds)
    found = identify(Sweep(motion.command_times, motion.commands, motion.state_times, motion.joints))
    print(f"{'joint':6} {'stiffness':>14} {'damping':>14} {'friction':>14} {'left, before [mrad]':>22}")
    for joint in range(7):
        cells = [
            f"{getattr(found.servo, name)[joint]:.2f} +- {getattr(found.errors, name)[joint]:.2f}"
            for name in ("stiffness", "damping", "friction")
        ]
        left = f"{1e3 * found.rms[joint]:.2f}, {1e3 * found.before[joint]:.2f}"
        left = left if found.moved[joint] else "did not move"
        print(f"{joint:<6} {cells[0]:>14} {cells[1]:>14} {cells[2]:>14} {left:>22}")
    command = max(0.0, found.delay - rig.latency.state)
    print(f"factors of the twin's nominal servos, with 95 % intervals; from command to motion {1e3 * command:.1f} ms")
    write_figures(asdict(found), options.json)
    if out is not None:
        measured = replace(rig, servo=found.servo, latency=replace(rig.latency, command=command))
        save_rig(measured, out)
        print(f"rig {measured.name} ({measured.rig_id}): {out}")
    return 0
