"""Names of the ROS 1 network: master URIs, host names that nobody can resolve, and the address we are reached at."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import threading
from urllib.parse import urlsplit

from gmps_robot.errors import LinkError

GRAPH_NAME = re.compile(r"/?[A-Za-z][\w/]*")
LOOKUP_S = 2.0
log = logging.getLogger(__name__)


def split_uri(uri: str, scheme: str = "http") -> tuple[str, int]:
    """Return host and port of a ROS URI such as `http://robot:11311`.

    Raises:
        LinkError: not such a URI.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LinkError(f"URI {uri!r} cannot be read: {error}; expected {scheme}://HOST:PORT") from error
    if parts.scheme != scheme or not host or port is None:
        raise LinkError(f"URI {uri!r} is not of the form {scheme}://HOST:PORT (a robot's master: http://ROBOT:11311)")
    return host, port


def graph_name(name: str) -> str:
    """Return a topic, service, parameter or node name with its leading slash.

    Raises:
        LinkError: a character that ROS 1 does not allow.
    """
    if not GRAPH_NAME.fullmatch(name) or "//" in name or name.endswith("/"):
        raise LinkError(f"{name!r} is not a ROS 1 name: letters, digits, _ and single /, beginning with a letter")
    return "/" + name.lstrip("/")


def look_up(host: str, timeout_s: float = LOOKUP_S) -> str | None:
    """Return the IPv4 address of `host`, or None when it has none or the answer takes too long.

    The system's resolver knows no time-out, so it runs in a thread that ends by itself.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        found: list[str] = []

    def ask() -> None:
        try:
            found.append(str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]))
        except OSError:
            return  # no such name: `found` stays empty

    thread = threading.Thread(target=ask, name=f"link-resolve-{host}", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else None


def own_address(towards: str) -> str:
    """Return the address of the interface that leads to the address `towards`.

    Raises:
        LinkError: no interface leads there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))  # a datagram socket: nothing is sent
        except OSError as error:
            raise LinkError(f"no network leads to {towards}: {error.strerror}; check the cable and routes") from error
        return str(probe.getsockname()[0])


class Hosts:
    """Addresses by host name. A name that cannot be resolved means the master's machine.

    A Sawyer announces itself as `<serial>.local`, which few networks resolve: the commonest reason for topics that are
    listed and stay silent.
    """

    def __init__(self, master_host: str, timeout_s: float = LOOKUP_S) -> None:
        address = look_up(master_host, timeout_s)
        if address is None:
            raise LinkError(f"the master's host name {master_host!r} cannot be resolved; give its IP address instead")
        self.master_address = address
        self._timeout_s = timeout_s
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def address(self, host: str) -> str:
        """Return the address of `host`. The first question may take the look-up's time-out, later ones none."""
        with self._lock:
            known = self._known.get(host)
        if known is not None:
            return known
        found = look_up(host, self._timeout_s)
        if found is None:
            log.warning("host name %s cannot be resolved: taken for the master, %s", host, self.master_address)
        with self._lock:
            return self._known.setdefault(host, found or self.master_address)
