"""What the rows of the fault table do: put a fault into a sweep at full policy speed, measure, and undo it.

Each returns its figures by name, in seconds from the fault on or in metres.
"""

from __future__ import annotations

import re
import signal
import time

from std_srvs.srv import SetBool, Trigger

from benchmarks.faults.rig import AT_REST, LATELY, Rig
from benchmarks.faults.stop import Figures, MissedError

BACKED_OFF = 0.01  # at least, after a contact [m]
POLICY_PERIOD = 0.05  # in which an intruder looks around [s]
HALF_OPEN = 0.0104  # position_m of the gripper that pushes [m]


def camera_stalls(rig: Rig) -> Figures:
    """Commands go on, but the image they answer grows old."""
    rig.sweep()
    return rig.stopped(rig.tell("old_image"), {"HOLD"}, "image")


def state_drops(rig: Rig) -> Figures:
    """The robot's joint states stay away."""
    rig.sweep()
    since = rig.emulator.inject("topic", topic="/robot/joint_states", action="drop")
    figures = rig.stopped(since, {"HOLD", "FAULT"})
    lost, _ = rig.mode_since(since, {"FAULT"})
    time.sleep(0.3)
    return {**figures, "fault": lost, "last command": rig.emulator.describe()["commanded_at"] - since}


def state_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("topic", topic="/robot/joint_states", action="none")
    time.sleep(0.2)


def tip_invalid(rig: Rig) -> Figures:
    """The robot calls its tip state not valid."""
    rig.sweep()
    since = rig.emulator.inject("tip_invalid")
    figures = rig.stopped(since, {"HOLD", "FAULT"}, "state")
    return {**figures, "fault": rig.mode_since(since, {"FAULT"})[0]}


def not_a_number(rig: Rig) -> Figures:
    """The policy sends NaN; the times count from the first one, and FAULT from the third."""
    rig.sweep()
    begin = rig.tell("nan")

    def sent() -> list[float]:
        return [t for t in _times(rig, "policy", "nan") if t >= begin]

    figures = rig.stopped(rig.until(sent, "no NaN is sent", 2.0)[0], {"HOLD", "FAULT"})
    third = rig.until(lambda: sent()[2:], "no three NaN are sent", 2.0)[0]
    return {**figures, "fault": rig.mode_since(third, {"FAULT"})[0]}


def nan_state(rig: Rig) -> Figures:
    """The robot reports NaN."""
    rig.sweep()
    return rig.stopped(rig.emulator.inject("nan_state"), {"HOLD", "FAULT"})


def estop(rig: Rig) -> Figures:
    """A person presses the button, and lets it go again."""
    rig.sweep()
    since = rig.emulator.inject("estop_press")
    figures = rig.stopped(since, {"ESTOP"}, "estop")
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
    return rig.stopped(since, {"ESTOP"})


def stopped_by_a_person(rig: Rig) -> Figures:
    """arm/stop."""
    rig.sweep()
    since = time.monotonic()
    rig.call(Trigger, "arm/stop")
    return rig.stopped(since, {"FAULT"})


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
    return rig.stopped(rig.emulator.inject("tip_shift", offset=[0.0, 0.0, 0.35]), {"FAULT"}, "outside")


def tip_returns(rig: Rig) -> None:
    """End it."""
    rig.emulator.inject("tip_shift", offset=[0.0, 0.0, 0.0])
    time.sleep(0.1)


def contact(rig: Rig) -> Figures:
    """The table lies 30 mm higher than in the model; the way home ends in it."""
    rig.sweep()
    rig.until(lambda: abs(rig.emulator.trace(LATELY)[-1, 2]) > 0.1, "no sweep", 5.0)
    rig.tell("still")
    rig.rest_since(time.monotonic())
    rig.call(Trigger, "arm/home")
    rig.until(lambda: rig.emulator.trace(LATELY)[-1, 3] > 0.08, "the way home does not go up", 5.0)
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


def elbow(rig: Rig) -> Figures:
    """Something presses on the forearm, about twice as hard as the joints allow; the tip does not feel it."""
    rig.sweep()
    rig.tell("still")
    rig.rest_since(time.monotonic())
    since = rig.emulator.inject("push", force=[0.0, 200.0, 0.0], seconds=0.5, body="right_l3")
    seen, reason = rig.mode_since(since, {"FAULT"})
    if "torque" not in reason:
        raise MissedError(f"stopped for another reason: {reason!r}")
    time.sleep(0.5)  # until the push has ended: it moves the arm, whatever its motors do
    rig.rest_since(since)
    return {"seen": seen}


def collision(rig: Rig) -> Figures:
    """The robot says that it has collided."""
    rig.sweep()
    figures = rig.stopped(rig.emulator.inject("collision"), {"FAULT"}, "collision")
    rig.emulator.inject("collision", active=False)
    time.sleep(0.3)
    return figures


def replayed(rig: Rig) -> Figures:
    """The last number again and again."""
    rig.sweep()
    return rig.stopped(rig.tell("replay"), AT_REST)


def two_publishers(rig: Rig) -> Figures:
    """A second policy comes up; the time counts from the period in which the driver was there for it."""
    rig.sweep()
    begin = time.monotonic()
    rig.start_policy("intruder")
    rig.until(lambda: _times(rig, "intruder", "heard"), "no intruder", 30.0)
    seen, reason = rig.mode_since(begin, {"FAULT"})
    if "publishers" not in reason:
        raise MissedError(f"stopped for another reason: {reason!r}")
    heard = _times(rig, "intruder", "heard")[-1] - POLICY_PERIOD
    return {"seen": max(0.0, begin + seen - heard), "rest": max(0.0, begin + rig.rest_since(begin) - heard)}


def _times(rig: Rig, name: str, what: str) -> list[float]:
    """When a policy process told that it `heard` the driver listen, or was to send a `nan` [s]."""
    return [float(told) for told in re.findall(rf"{what} at ([0-9.]+)", rig.log(name))]


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
    rig.until(lambda: abs(rig.emulator.describe()["gripper"]["position_m"] - HALF_OPEN) < 1e-3, "gripper", 5.0)
    time.sleep(0.3)  # and acknowledged
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
