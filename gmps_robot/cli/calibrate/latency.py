"""gmps calibrate latency: how late pictures are, and how late the arm obeys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class LatencyOptions:
    """Move the arm on a sum of sines, through its guard, with a marker on its hand, and measure the delays of the rig.

    Example:
        gmps calibrate latency rigs/lab/rig.yaml --robot sawyer --camera 0

    Pictures are then stamped with their exposure, and the twin of the rig is as late. On the twin, which is late by
    what the rig file says, this is a rehearsal: it finds the same again.
    """

    rig: Annotated[str, tyro.conf.Positional] = "nominal"
    """The rig: a YAML file, which gets the result, or `nominal`."""
    out: Path | None = None
    """Where the rig with its delays goes; by default the file itself."""
    robot: Literal["twin", "sawyer"] = "twin"
    """Which arm moves."""
    camera: str = "0"
    """Camera of the real rig: a number, /dev/videoN, an address."""
    marker: str = ""
    """What is on the hand: a YAML file; empty: number 0 of DICT_4X4_50, of any size."""
    seconds: float = 20.0
    """How long to move."""
    master_uri: str = ""
    """ROS 1 master of the real arm; empty: ROS_MASTER_URI."""
    json: Path | None = None
    """Write the figures here too."""


def run(options: LatencyOptions) -> int:
    """Carry out the command; returns the exit code."""
    from dataclasses import asdict, replace

    import numpy as np

    from calibration.latency import Recording, Signal, into_rig, measure
    from calibration.track import load_marker
    from calibration.wave import record
    from gmps_robot.cli.calibrate.moving import moving
    from gmps_robot.cli.calibrate.writing import destination, write_figures
    from gmps_robot.rig import Latencies, load_rig, save_rig
    from sim.sysid import predict

    rig, out = load_rig(options.rig), destination(options.rig, options.out)
    with moving(options.robot, rig, load_marker(options.marker), options.camera, options.master_uri) as made:
        motion = record(made.arm, made.look, made.clock, made.wait, options.seconds)
    predicted = predict(motion.command_times, motion.commands, float(motion.state_times[-1]), rig.servo)
    recording = Recording(
        Signal(*predicted), Signal(motion.state_times, motion.joints), Signal(motion.state_times, motion.tips),
        Signal(motion.feature_times, motion.features),
    )  # fmt: skip
    found = measure(recording, np.random.default_rng(0))
    measured = into_rig(replace(rig, latency=Latencies(state=rig.latency.state)), found)
    late, sure = measured.latency, measured.latency_error
    print(f"image {1e3 * late.image:.1f} +- {1e3 * sure.image:.1f} ms from exposure to grab (95 %)")
    print(f"command {1e3 * late.command:.1f} +- {1e3 * sure.command:.1f} ms to the motion, beyond the servos' own lag")
    print(f"state {1e3 * late.state:.1f} ms, as given: no other clock sees it")
    write_figures(asdict(found), options.json)
    if out is not None:
        save_rig(measured, out)
        print(f"rig {measured.name} ({measured.rig_id}): {out}")
    return 0
