"""The rig's camera, tried for a few seconds as the camera node would use it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from gmps_robot.cli.doctor.finding import Finding
from gmps_robot.errors import GmpsError

SECONDS = 3.0
RATE = 20.0  # [1/s]
DARK = 10.0  # mean of a picture, of 255


def check_camera(camera: str, rig_name: str, seconds: float = SECONDS) -> Iterator[Finding]:
    """The rig's calibration, then `camera` (as the camera node takes it): size, rate, whether it shows something."""
    from gmps_robot.rig import load_rig

    try:
        rig = load_rig(rig_name)
    except GmpsError as error:
        yield Finding("rig", "problem", str(error), "name a shipped rig, or the YAML file of yours")
        return
    if rig.rig_id == "nominal":
        advice = "its numbers are the twin's; a camera that stands elsewhere shows the policy another scene"
        yield Finding("rig", "note", "nominal: this rig's camera has not been measured", advice)
    else:
        yield Finding("rig", "ok", f"{rig.name} ({rig.rig_id})")
    if camera == "topic":
        yield Finding("camera", "note", "another node has it", "ros2 topic hz camera/image_raw tells its rate")
        return
    yield _tried(camera, rig_name, seconds)


def _tried(camera: str, rig_name: str, seconds: float) -> Finding:
    from gmps_robot.camera.capture import Capture
    from gmps_robot.camera.sources import is_finite, open_source
    from gmps_robot.rig import load_rig

    sensor = load_rig(rig_name).camera
    try:
        capture = Capture(lambda: open_source(camera, sensor), RATE, finite=is_finite(camera))
    except GmpsError as error:
        return Finding("camera", "problem", str(error), "gmps doctor --camera tries another one")
    frames, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        frame = capture.newest(left)
        frames += [] if frame is None else [frame]
    health = capture.health()
    capture.close()
    size = f"{sensor.width} x {sensor.height}"
    told = f"{camera}: {size}, {health.rate:.1f} pictures per second, {health.frozen} frozen, {health.queued} late"
    if not frames or health.state not in ("running", "ended"):
        return Finding("camera", "problem", f"{told}; {health.detail}", "check cable, power, and who else holds it")
    if health.frozen > health.frames:
        return Finding("camera", "problem", f"{told}; the same picture again and again", "plug it in again")
    if frames[-1].pixels.mean() < DARK:
        return Finding("camera", "note", f"{told}; the picture is dark", "lens cap, light, exposure?")
    if health.state == "running" and health.rate < 0.8 * RATE:
        return Finding("camera", "problem", told, f"{RATE:.0f} are needed: more light, or another mode of the camera")
    return Finding("camera", "ok", told)
