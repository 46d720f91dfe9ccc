"""Rows of the fault table in which something goes away: the network, the master, the policy, the driver, the time.

Each returns its figures by name, in seconds from the fault on.
"""

from __future__ import annotations

import signal
import time

from std_srvs.srv import SetBool

from benchmarks.faults.rig import AT_REST, Rig
from benchmarks.faults.stop import Figures, MissedError


def network_silent(rig: Rig) -> Figures:
    """Nothing comes or goes, and no connection closes."""
    return _network(rig, "network_silent")


def network_reset(rig: Rig) -> Figures:
    """All connections are reset."""
    return _network(rig, "network_reset")


def _network(rig: Rig, fault: str) -> Figures:
    rig.sweep()
    since = rig.emulator.inject(fault)
    held = rig.until(lambda: [e for e in rig.emulator.events("timeout") if e["time"] > since], "no hold", 3.0)
    figures = {"robot holds": held[0]["time"] - since, "rest": rig.rest_since(since)}
    seen, _ = rig.mode_since(since, {"FAULT"})
    return {**figures, "fault": seen}


def network_returns(rig: Rig) -> None:
    """Let the network be well again."""
    rig.emulator.inject("network_silent", active=False)
    time.sleep(1.0)


def node_returns(rig: Rig) -> None:
    """Bring the robot's node back."""
    rig.emulator.inject("network_back")
    time.sleep(3.0)


def master_dies(rig: Rig) -> Figures:
    """What is connected stays connected."""
    rig.sweep()
    since = rig.emulator.inject("master_killed")
    time.sleep(1.5)
    rig.went_on(since)
    rig.call(SetBool, "arm/enable", SetBool.Request(data=False))
    answer = rig.call(SetBool, "arm/enable", SetBool.Request(data=True))
    if answer.success:
        raise MissedError("the arm was armed again without a master")
    return {"stops": 0.0, "armed again": 0.0}


def policy_killed(rig: Rig) -> Figures:
    """SIGKILL."""
    rig.sweep()
    return rig.stopped(rig.kill("policy"), AT_REST)


def policy_hangs(rig: Rig) -> Figures:
    """SIGSTOP."""
    rig.sweep()
    return rig.stopped(rig.kill("policy", signal.SIGSTOP), AT_REST)


def policy_wakes(rig: Rig) -> None:
    """SIGCONT."""
    rig.kill("policy", signal.SIGCONT)


def driver_killed(rig: Rig) -> Figures:
    """SIGKILL."""
    rig.sweep()
    since = rig.kill("sawyer_driver")
    held = rig.until(lambda: [e for e in rig.emulator.events("timeout") if e["time"] > since], "no hold", 3.0)
    return {"robot holds": held[0]["time"] - since, "rest": rig.rest_since(since)}


def clock_jumps(rig: Rig) -> Figures:
    """An hour ahead, then an hour back."""
    rig.sweep()
    since = rig.emulator.inject("clock", offset=3600.0)
    time.sleep(0.7)
    rig.emulator.inject("clock", offset=-3600.0)
    time.sleep(0.7)
    rig.went_on(since)
    return {"stops": 0.0}


def clock_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("clock", offset=0.0)
