"""The camera devices of this machine, and why one cannot be used, in words."""

from __future__ import annotations

import os
from pathlib import Path

DEVICES = Path("/dev")
NAMES = Path("/sys/class/video4linux")


def video_devices(devices: Path = DEVICES, names: Path = NAMES) -> tuple[str, ...]:
    """Return the video devices with the names that they give themselves: "/dev/video0 (HD Webcam)"."""
    found = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name.removeprefix("video")))
    return tuple(f"{path}{_name(names / path.name / 'name')}" for path in found)


def listed(found: tuple[str, ...]) -> str:
    """Return the end of a message: which devices there are."""
    return f"devices here: {', '.join(found)}" if found else "no video device on this machine"


def fault_of(device: Path) -> str:
    """Return why `device` cannot be opened, and what to do; empty where nothing is known to be wrong."""
    if not device.exists():
        return "no such device"
    if not os.access(device, os.R_OK | os.W_OK):
        return "no permission: sudo usermod -aG video $USER, then log in again (a container needs `devices:`)"
    return ""


def _name(path: Path) -> str:
    try:
        return f" ({path.read_text(encoding='utf-8').strip()})"
    except OSError:
        return ""  # not every device has a name
