"""What the panel server is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from gmps_robot.errors import ConfigError


@dataclass(frozen=True)
class PanelSettings:
    """Where the panel listens and how often it looks at the bridge.

    Raises:
        ConfigError: `host` is not this machine, or `port` cannot be one.
    """

    host: str = "127.0.0.1"
    """Address to bind; only this machine's own (loopback) addresses are allowed."""
    port: int = 8080
    """TCP port; 0 takes any free one."""
    status_period: float = 0.1
    """Time between two looks at the state [s]."""
    heartbeat: float = 1.0
    """The page hears from the server at least this often [s], so that it can tell when it does not."""
    frame_period: float = 0.01
    """Time between two looks at the camera [s]."""
    ack_timeout: float = 10.0
    """A viewer that does not confirm a picture for this long is let go [s]."""
    max_viewers: int = 8
    """Open camera connections at one time."""

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise ConfigError(
                f"panel host = {self.host!r}: the panel has no login in this version, so it listens on this machine "
                "only; valid: 127.0.0.1, ::1, localhost. From another computer: ssh -L 8080:127.0.0.1:8080 <machine>"
            )
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"panel port = {self.port}: expected 0 (any free port) to 65535")


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine for itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
