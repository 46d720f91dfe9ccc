"""What the panel server is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from gmps_robot.errors import ConfigError

TOKEN_VARIABLE = "GMPS_PANEL_TOKEN"
TOKEN_LENGTH = 22  # characters: 128 bit in base 64


@dataclass(frozen=True)
class PanelSettings:
    """Where the panel listens, and how often it looks at the bridge.

    Raises:
        ConfigError: `host` is reachable from elsewhere without token, or without TLS and without `insecure_lan`; the
            token is too short; one of certificate and key is missing; or `port` cannot be one.
    """

    host: str = "127.0.0.1"
    """Address to bind. Any but this machine's own (loopback) needs `token`, and TLS or `insecure_lan`."""
    port: int = 8080
    """TCP port; 0 takes any free one."""
    token: str = field(default="", repr=False)
    """A bearer token of the administrator, from the environment; empty: only the one-time login link."""
    certificate: str = ""
    """PEM file with the server's certificate chain; with `key` the panel speaks TLS."""
    key: str = ""
    """PEM file with the certificate's private key."""
    insecure_lan: bool = False
    """Allow another address than loopback without TLS: whoever can listen on that network can take a login over."""
    names: tuple[str, ...] = ()
    """Names under which browsers may open the panel, beside this machine's own."""
    runs: Path = Path("runs")
    """Folder of trainings and adaptations, whose checkpoints the page offers."""
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
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"panel port = {self.port}: expected 0 (any free port) to 65535")
        if self.token and len(self.token) < TOKEN_LENGTH:
            raise ConfigError(
                f"{TOKEN_VARIABLE} has {len(self.token)} characters; expected at least {TOKEN_LENGTH} random ones, as "
                "from: python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
            )
        if bool(self.certificate) != bool(self.key):
            raise ConfigError(
                f"panel certificate = {self.certificate!r}, key = {self.key!r}: TLS needs both, as PEM files"
            )
        if not is_loopback(self.host):
            self._check_reachable()

    @property
    def tls(self) -> bool:
        """Whether the panel speaks TLS."""
        return bool(self.certificate)

    def _check_reachable(self) -> None:
        tunnel = "Or stay on 127.0.0.1 and use a tunnel: ssh -L 8080:127.0.0.1:8080 <machine>"
        if not self.token:
            raise ConfigError(
                f"panel host = {self.host!r} is reachable from other machines, so it needs a token: set "
                f"{TOKEN_VARIABLE} to at least {TOKEN_LENGTH} random characters. {tunnel}"
            )
        if not self.tls and not self.insecure_lan:
            raise ConfigError(
                f"panel host = {self.host!r} is reachable from other machines, so it needs TLS: give a certificate and "
                f"its key, or allow plain HTTP on a network you trust with insecure_lan. {tunnel}"
            )


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without port, is this machine for itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether `host` is a numeric address: no name that a foreign DNS server could point at this machine."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
