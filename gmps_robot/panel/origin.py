"""Refuse requests that another site put into the operator's browser, and tell the browser what the page may load.

A loopback server is reachable from every page the operator has open. The Host check stops DNS rebinding; the Origin
check stops cross-site requests, and covers WebSockets, to which browsers do not apply the same-origin rule. What
changes something also needs a header that a browser sends to its own site alone. Pure functions; `gate` applies them.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from gmps_robot.panel.settings import PanelSettings, is_address, is_loopback

MAX_BODY = 64 * 1024  # a command is a few dozen bytes
OWN_HEADER = "x-gmps"
# NiceGUI compiles its page in the browser, hence 'unsafe-eval' and 'unsafe-inline'; no other host appears.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
Refusal = tuple[int, str]  # HTTP status, message


def foreign(headers: Mapping[str, str], settings: PanelSettings) -> Refusal | None:
    """Return why a request with these headers does not come from a page of the panel; None when it may."""
    host = headers.get("host", "")
    if not _is_ours(host, settings):
        return 403, f"Host {host!r} is not this machine; open the panel as it is printed when it starts"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return 403, f"a page of {origin!r} may not use the panel; open the panel itself"
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _navigation(headers):
        return 403, "another site may not use the panel; open the panel itself"
    return None


def misshapen(headers: Mapping[str, str]) -> Refusal | None:
    """Return why a request that changes something must not pass; None when it may."""
    if OWN_HEADER not in headers and "authorization" not in headers:
        return 403, f"a request that changes something needs the header {OWN_HEADER.title()}: 1"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "") in ("", "0") and "transfer-encoding" not in headers
    if not empty and kind != "application/json":
        return 415, f"content-type {kind!r}: the panel takes application/json"
    return None


def port_of(headers: Mapping[str, str]) -> int:
    """Return the port that the browser believes to talk to, 80 when it does not say; valid only after `foreign`."""
    return urlsplit(f"//{headers.get('host', '')}").port or 80


def _is_ours(host: str, settings: PanelSettings) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        name, _port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if is_loopback(name) or name in settings.names:
        return True
    own = socket.gethostname().lower()
    return not is_loopback(settings.host) and (is_address(name) or name in (own, f"{own}.local"))


def _navigation(headers: Mapping[str, str]) -> bool:
    """A link from another page to the panel is harmless: it carries no Origin and changes nothing."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("origin") is None
