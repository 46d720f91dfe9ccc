"""How the nodes of one stack find each other and nobody else: DDS domain, discovery range, transport profile."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path

PROFILE = Path(__file__).resolve().parent.parent / "config" / "fastdds.xml"
WATCHER = "fastdds_watcher.xml"  # beside it
PROFILE_VARIABLE, RANGE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_AUTOMATIC_DISCOVERY_RANGE"
DOMAINS = range(1, 102)  # above 101 the ports of a domain meet those that the system hands out
_PORT_BASE, _PORTS_PER_DOMAIN = 7400, 250
_OFFSETS = (0, *range(10, 30, 2))  # discovery: by multicast, and of the first ten processes by unicast


def environment(current: Mapping[str, str], free: Callable[[int], bool], start: int) -> dict[str, str]:
    """Return `current` with what the nodes need; whatever the user has set stays as it is.

    `free` says whether a domain is unused; the search begins at `start`, best the process id: two stacks that start at
    the same time see the same domains as free.
    """
    needed = {
        RANGE_VARIABLE: "LOCALHOST",
        PROFILE_VARIABLE: str(PROFILE),
        "OMP_NUM_THREADS": "1",  # one torch thread per process
        "PYTHONUNBUFFERED": "1",
        "RCUTILS_COLORIZED_OUTPUT": "0",
    }
    if "ROS_DOMAIN_ID" not in current:
        needed["ROS_DOMAIN_ID"] = str(first_free(_from(start), free))
    return {**needed, **current}


def only_watch(environment: MutableMapping[str, str]) -> None:
    """Let nobody who sends to this process share memory with it: it may be killed while the arm moves.

    To be called before ROS 2 starts. A profile or range of the user's own stays, and shared memory with it.
    """
    profile = Path(environment.get(PROFILE_VARIABLE, ""))
    if profile.name == PROFILE.name and environment.get(RANGE_VARIABLE) == "LOCALHOST":
        environment.update({PROFILE_VARIABLE: str(profile.with_name(WATCHER)), RANGE_VARIABLE: "SYSTEM_DEFAULT"})


def first_free(domains: Iterable[int], free: Callable[[int], bool]) -> int:
    """Return the first domain that is free; when none is, the first."""
    candidates = list(domains)
    return next((domain for domain in candidates if free(domain)), candidates[0])


def is_free(domain: int) -> bool:
    """Whether no process of this machine listens for discovery in `domain`."""
    for offset in _OFFSETS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", _PORT_BASE + _PORTS_PER_DOMAIN * domain + offset))
            except OSError:
                return False
    return True


def _from(start: int) -> list[int]:
    count = len(DOMAINS)
    return [DOMAINS[(start + i) % count] for i in range(count)]
