"""The fault table: every row puts one fault into a sweep at full policy speed and measures what comes of it.

A row returns its figures by name; `bounds` says how large each may be. Times are in seconds from the fault on.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from std_srvs.srv import SetBool, Trigger

from benchmarks.faults import offline
from benchmarks.faults.rig import Rig
from benchmarks.faults.stop import STOP, TOLD, Figures, MissedError

STOPPED = {"HOLD", "FAULT", "ESTOP"}
PERIOD = 0.05  # of the policy [s]
CALL = 0.1  # a service call, there and back [s]
FORGOTTEN = 6.0  # the driver may take a dead publisher for alive for longer than the witness does [s]
STALE = 0.05 + 0.01  # age of a state that is too old, and the control period in which that is seen [s]
AT_REST = {"HOLD", "ARMED"}  # a HOLD ends when the tip rests, and the one before the last status may be missed
LATE = ("overrun:", "early:")  # what the guard says when the driver is not run in time
BACKED_OFF = 0.01  # at least, after a contact [m]


@dataclass(frozen=True)
class Row:
    """One fault: what happens, what the arm is to do, the figures' bounds, and how it is done and undone."""

    fault: str
    reaction: str
    bounds: Mapping[str, float]
    run: Callable[[Rig], Figures] | None
    mend: Callable[[Rig], object] = lambda _: None
    spoils: bool = False  # the rig is of no more use afterwards
    offline: Callable[[int], Figures] | None = None  # takes a seed instead of a rig


def stopped(rig: Rig, since: float, modes: set[str], words: str = "") -> Figures:
    """How long after `since` one of `modes` was told, for a reason with `words`, and the tip was at rest."""
    seen, reason = rig.mode_since(since, modes)
    if words not in reason:
        raise MissedError(f"stopped for another reason: {reason!r}, not {words!r}")
    return {"seen": seen, "rest": rig.rest_since(since)}


def went_on(rig: Rig, since: float) -> None:
    """Check that nothing stopped the arm; a HOLD because this machine ran the driver too late is no reaction."""
    told = [(s.state, s.reason, *s.limits) for t, s in rig.statuses if t > since and s.state in STOPPED]
    stops = [words for words in told if not any(late in " ".join(words) for late in LATE)]
    if stops:
        raise MissedError(f"the motion did not go on: {stops}")


def camera_stalls(rig: Rig) -> Figures:
    """Commands go on, but the image they answer grows old."""
    rig.sweep()
    return stopped(rig, rig.tell("old_image"), {"HOLD"}, "image")


def state_drops(rig: Rig) -> Figures:
    """The robot's joint states stay away."""
    rig.sweep()
    since = rig.emulator.inject("topic", topic="/robot/joint_states", action="drop")
    figures = stopped(rig, since, {"HOLD", "FAULT"})
    lost, _ = rig.mode_since(since, {"FAULT"})
    time.sleep(0.3)
    return {**figures, "fault": lost, "last command": rig.emulator.describe()["commanded_at"] - since}


def state_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("topic", topic="/robot/joint_states", action="none")
    time.sleep(0.2)


def not_a_number(rig: Rig) -> Figures:
    """The policy sends NaN."""
    rig.sweep()
    since = rig.tell("nan")
    figures = stopped(rig, since, {"HOLD", "FAULT"})
    fault, _ = rig.mode_since(since, {"FAULT"})
    return {**figures, "fault": fault}


def nan_state(rig: Rig) -> Figures:
    """The robot reports NaN."""
    rig.sweep()
    return stopped(rig, rig.emulator.inject("nan_state"), {"HOLD", "FAULT"})


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
    went_on(rig, since)
    rig.call(SetBool, "arm/enable", SetBool.Request(data=False))
    answer = rig.call(SetBool, "arm/enable", SetBool.Request(data=True))
    if answer.success:
        raise MissedError("the arm was armed again without a master")
    return {"stops": 0.0, "armed again": 0.0}


def policy_killed(rig: Rig) -> Figures:
    """SIGKILL."""
    rig.sweep()
    return stopped(rig, rig.kill("policy"), AT_REST)


def policy_returns(rig: Rig) -> None:
    """Start a new one, once the dead one is no longer taken for a second publisher."""
    rig.until(lambda: rig.node.count_publishers("policy/command") == 0, "the dead policy stays", 60.0)
    time.sleep(FORGOTTEN)
    rig.start_policy()


def policy_hangs(rig: Rig) -> Figures:
    """SIGSTOP."""
    rig.sweep()
    return stopped(rig, rig.kill("policy", signal.SIGSTOP), AT_REST)


def policy_wakes(rig: Rig) -> None:
    """SIGCONT."""
    rig.kill("policy", signal.SIGCONT)


def driver_killed(rig: Rig) -> Figures:
    """SIGKILL."""
    rig.sweep()
    since = rig.kill("sawyer_driver")
    held = rig.until(lambda: [e for e in rig.emulator.events("timeout") if e["time"] > since], "no hold", 3.0)
    return {"robot holds": held[0]["time"] - since, "rest": rig.rest_since(since)}


def driver_returns(rig: Rig) -> None:
    """Start a new one."""
    rig.statuses.clear()
    rig.start_driver()


def clock_jumps(rig: Rig) -> Figures:
    """An hour ahead, then an hour back."""
    rig.sweep()
    since = rig.emulator.inject("clock", offset=3600.0)
    time.sleep(0.7)
    rig.emulator.inject("clock", offset=-3600.0)
    time.sleep(0.7)
    went_on(rig, since)
    return {"stops": 0.0}


def clock_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("clock", offset=0.0)


def estop(rig: Rig) -> Figures:
    """A person presses the button, and lets it go again."""
    rig.sweep()
    since = rig.emulator.inject("estop_press")
    figures = stopped(rig, since, {"ESTOP"}, "estop")
    last = rig.emulator.describe()["commanded_at"] - since
    rig.emulator.inject("estop_release")
    time.sleep(0.3)
    if rig.mode != "ESTOP":
        raise MissedError(f"the e-stop ended by itself: {rig.mode}")
    return {**figures, "last command": max(0.0, last)}


def killed_by_a_person(rig: Rig) -> Figures:
    """arm/kill."""
    rig.sweep()
    since = time.monotonic()
    rig.call(Trigger, "arm/kill")
    return stopped(rig, since, {"ESTOP"})


def stopped_by_a_person(rig: Rig) -> Figures:
    """arm/stop."""
    rig.sweep()
    since = time.monotonic()
    rig.call(Trigger, "arm/stop")
    return stopped(rig, since, {"FAULT"})


def workspace_wall(rig: Rig) -> Figures:
    """The policy drives sideways for good."""
    rig.sweep()
    since = rig.tell("out")
    time.sleep(2.5)
    trace = rig.emulator.trace()
    furthest = trace[trace[:, 0] > since, 2].max()
    return {"past the wall": max(0.0, float(furthest) - rig.emulator.family.envelope.policy.box_high[1])}


def outside(rig: Rig) -> Figures:
    """The reported tip jumps out of the box."""
    rig.sweep()
    return stopped(rig, rig.emulator.inject("tip_shift", offset=[0.0, 0.0, 0.35]), {"FAULT"}, "outside")


def tip_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("tip_shift", offset=[0.0, 0.0, 0.0])
    time.sleep(0.1)


def contact(rig: Rig) -> Figures:
    """The table lies 30 mm higher than in the model; the way home ends in it."""
    rig.sweep()
    rig.until(lambda: abs(rig.emulator.trace()[-1, 2]) > 0.1, "no sweep", 5.0)
    rig.tell("still")
    rig.rest_since(time.monotonic())
    rig.call(Trigger, "arm/home")
    rig.until(lambda: rig.emulator.trace()[-1, 3] > 0.08, "the way home does not go up", 5.0)
    begin = rig.emulator.inject("table", height=0.03)
    pressed = rig.until(lambda: [e for e in rig.emulator.events("pressed") if e["time"] > begin], "no contact", 15.0)
    since = pressed[0]["time"]
    seen, reason = rig.mode_since(begin, {"FAULT"})
    if "force" not in reason:
        raise MissedError(f"stopped for another reason: {reason!r}")
    rig.rest_since(since)
    trace = rig.emulator.trace()
    backed_off = float(trace[-1, 3] - trace[trace[:, 0] > since, 3].min())
    if backed_off < BACKED_OFF:
        raise MissedError(f"backed off by {1e3 * backed_off:.0f} mm only")
    return {"seen": max(0.0, seen + begin - since), "backed off": backed_off}


def table_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("table", height=0.0)
    rig.emulator.reset_scene(None)


def collision(rig: Rig) -> Figures:
    """The robot says that it has collided."""
    rig.sweep()
    figures = stopped(rig, rig.emulator.inject("collision"), {"FAULT"}, "collision")
    rig.emulator.inject("collision", active=False)
    time.sleep(0.3)
    return figures


def replayed(rig: Rig) -> Figures:
    """The last number again and again."""
    rig.sweep()
    return stopped(rig, rig.tell("replay"), AT_REST)


def two_publishers(rig: Rig) -> Figures:
    """A second policy comes up; the time counts from when it can be seen."""
    rig.sweep()
    rig.start_policy("intruder")
    rig.until(lambda: rig.node.count_publishers("policy/command") > 1, "no intruder", 30.0)
    return stopped(rig, time.monotonic() - 0.005, {"FAULT"}, "publishers")


def intruder_leaves(rig: Rig) -> None:
    """End it."""
    rig.dismiss("intruder")
    rig.until(lambda: rig.node.count_publishers("policy/command") == 1, "the intruder stays", 30.0)


def another_tip(rig: Rig) -> Figures:
    """The robot's kinematics are not ours."""
    rig.recover()
    rig.call(SetBool, "arm/enable", SetBool.Request(data=False))
    rig.emulator.inject("tip_shift", offset=[0.012, 0.0, 0.0])
    time.sleep(0.2)
    answer = rig.call(SetBool, "arm/enable", SetBool.Request(data=True))
    if answer.success:
        raise MissedError("an arm with another tip was armed")
    return {"armed": 0.0}


def gripper_silent(rig: Rig) -> Figures:
    """The gripper neither moves nor answers."""
    rig.recover()
    rig.emulator.inject("gripper_acks")
    return {"fault": rig.mode_since(rig.tell("grip"), {"FAULT"}, 6.0)[0]}


def gripper_returns(rig: Rig) -> None:
    """End it."""
    rig.tell("still")
    rig.emulator.inject("gripper_acks", swallowed=False)
    time.sleep(0.3)


def overrun(rig: Rig) -> Figures:
    """The fifth of five gaps of 50 ms within a second is one more than the guard lets pass."""
    rig.sweep()
    for _ in range(5):
        rig.kill("sawyer_driver", signal.SIGSTOP)
        time.sleep(0.05)
        since = rig.kill("sawyer_driver", signal.SIGCONT)
        time.sleep(0.06)
    began = since - 5 * 0.11

    def told() -> bool:
        return any("overrun" in " ".join(s.limits) for t, s in rig.statuses if t > began and s.state == "HOLD")

    rig.until(told, "no overrun is told", 2.0)
    return {"rest": rig.rest_since(since)}


ROWS: dict[str, Row] = {
    "camera-stalls": Row("camera stalls: commands answer an old image", "HOLD",
                         {"seen": 0.2 + TOLD, "rest": 0.2 + STOP}, camera_stalls),
    "state-stale": Row("robot state stale", "HOLD; after 500 ms FAULT, nothing is sent any more",
                       {"seen": STALE + TOLD, "rest": STALE + STOP, "fault": 0.5 + 0.05, "last command": 0.55},
                       state_drops, state_returns),
    "state-nan": Row("NaN in the robot's state", "HOLD", {"seen": STALE + TOLD, "rest": STALE + STOP}, nan_state,
                     lambda rig: rig.emulator.inject("nan_state", active=False)),
    "action-nan": Row("NaN in an action", "refused; FAULT after the third",
                      {"seen": PERIOD + TOLD, "rest": PERIOD + STOP, "fault": 3 * PERIOD + TOLD}, not_a_number),
    "network-silent": Row("network lost, connections open", "the robot holds by its own time-out; FAULT",
                          {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP, "fault": 0.5 + 0.05},
                          network_silent, network_returns),
    "network-reset": Row("network lost, connections reset", "the robot holds by its own time-out; FAULT",
                         {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP, "fault": 0.5 + 0.05},
                         network_reset, node_returns),
    "master-dies": Row("ROS 1 master dies", "motion goes on; not armed again", {"stops": 0.0, "armed again": 0.0},
                       master_dies, spoils=True),
    "policy-killed": Row("policy process killed", "HOLD", {"seen": 0.15 + TOLD, "rest": 0.4}, policy_killed,
                         policy_returns),
    "policy-hangs": Row("policy process hangs", "HOLD", {"seen": 0.15 + TOLD, "rest": 0.4}, policy_hangs, policy_wakes),
    "driver-killed": Row("driver process killed", "the robot holds by its own time-out",
                         {"robot holds": 0.1 + 0.03, "rest": 0.1 + STOP}, driver_killed, driver_returns),
    "clock-jumps": Row("the robot's clock jumps by an hour, both ways", "none", {"stops": 0.0}, clock_jumps,
                       clock_returns),
    "estop": Row("e-stop pressed", "ESTOP, nothing is sent, no way back but two acts of a person",
                 {"seen": 0.01 + 0.02, "last command": 0.01 + 0.02, "rest": STOP + 0.03}, estop),
    "arm-kill": Row("arm/kill", "the robot's own stop, ESTOP", {"seen": CALL, "rest": CALL + STOP}, killed_by_a_person),
    "arm-stop": Row("arm/stop", "FAULT", {"seen": CALL, "rest": CALL + STOP}, stopped_by_a_person),
    "workspace-wall": Row("policy drives into the wall of its box", "slows down and stays inside",
                          {"past the wall": 0.01}, workspace_wall),
    "workspace-outside": Row("tip measured outside the box", "FAULT", {"seen": 0.02 + TOLD, "rest": 0.02 + STOP},
                             outside, tip_returns),
    "contact": Row("table 30 mm higher than in the model", "stop, back off, FAULT", {"seen": 0.05 + 0.02 + TOLD},
                   contact, table_returns),
    "collision": Row("the robot's collision flag", "FAULT", {"seen": 0.02 + TOLD, "rest": 0.02 + STOP}, collision),
    "replayed": Row("commands replayed with an old number", "dropped; HOLD when the last good one lapses",
                    {"seen": 0.15 + TOLD, "rest": 0.4}, replayed),
    "two-publishers": Row("a second publisher of commands", "FAULT", {"seen": 0.1 + TOLD, "rest": 0.1 + STOP},
                          two_publishers, intruder_leaves),
    "another-tip": Row("tip 12 mm off the model", "not armed", {"armed": 0.0}, another_tip, tip_returns),
    "gripper-silent": Row("gripper acknowledges nothing", "repeat for 2 s, FAULT", {"fault": 2.0 + 0.15},
                          gripper_silent, gripper_returns),
    "camera-frozen": Row("camera shows the same picture with new stamps", "the episode is void, HOLD", {"seen": 0.2},
                         None, offline=offline.frozen_camera),
    "joint-limit": Row("random twists, 200 s of arm time each", "slows down, keeps the margin, motion away allowed",
                       {"past the margin": 1e-6}, None, offline=offline.joint_limit),
    "divergence": Row("rewards NaN, infinite or huge in an adaptation", "no update, the policy is as before",
                      {"changed": 0.0}, None, offline=offline.divergence),
    "overrun": Row("driver not run for 50 ms, five times in a second", "HOLD", {"rest": 0.1 + STOP}, overrun),
}  # fmt: skip
