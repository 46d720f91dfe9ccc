"""The emulated robot without any process around it: body, controllers and rules, moved on step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from gmps_robot.families.family import Family
from gmps_robot.types import FloatArray
from sim.emulator import assembly, wire
from sim.emulator.body import START_OPENING, Body
from sim.emulator.gripper import ElectricGripper
from sim.emulator.kinematics_service import answer
from sim.emulator.limb import Limb
from sim.emulator.noise import Noise

EVENTS = 1000
TRACE = 60.0  # how much of the tip's motion is remembered [s]
JOINT_RATE, LOWEST_RATE, HIGHEST_RATE = 100.0, 1.0, 200.0  # of joint_states [1/s]; the real robot goes up to 800
STATE_RATE = 100.0  # [1/s]
PRESSED = 20.0  # a true force on the gripper above this is an event [N]


@dataclass(frozen=True)
class Event:
    """Something worth telling: `time` is the monotonic clock [s]."""

    time: float
    what: str
    detail: str = ""


class Robot:
    """Everything behind the wire. `now` is always the monotonic clock [s]."""

    def __init__(self, family: Family, seed: int, noise: float, now: float) -> None:
        self.body = Body(family, Noise(seed, noise))
        self.limb = Limb(self.body.joints)
        self.gripper = ElectricGripper(START_OPENING)
        self.assembly = assembly.Assembly()
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self.trace: deque[tuple[float, ...]] = deque(maxlen=round(TRACE / self.body.dt))
        self.joint_rate = JOINT_RATE
        self.tip_shift, self.nan_state, self.collision, self.tip_valid = np.zeros(3), False, False, True
        self._due = {wire.DUE_JOINTS: 0.0, wire.DUE_STATE: 0.0}
        self._measured_at = now
        self._pressed = False
        self.commanded_at = 0.0  # when the last JointCommand came, carried out or not

    def handle(self, message: Mapping[str, Any], now: float) -> dict[str, Any] | None:
        """Take what came over the wire; return the answer, where one is expected."""
        what, value = message["op"], message.get("value")
        if what == "joint_command":
            self._joint_command(message, now)
        elif what == "joint_command_timeout":
            self.limb.set_timeout(float(message["value"]))
        elif what == "set_speed_ratio":
            self.limb.set_speed_ratio(float(message["value"]))
        elif what == "set_super_enable":
            self.change(assembly.request_enable(self.assembly, bool(value), now), now)
        elif what == "set_super_stop":
            self.change(assembly.request_stop(self.assembly), now)
        elif what == "set_super_reset":
            self.change(assembly.request_reset(self.assembly), now)
        elif what == "joint_state_publish_rate":
            self.joint_rate = float(np.clip(float(message["value"]), LOWEST_RATE, HIGHEST_RATE))
        elif what == "gripper":
            problem = self.gripper.command(tuple(message["time"]), message["command"], message["args"], now)
            if problem:
                self.note(now, "gripper", problem)
        elif what == "forbidden":
            self.note(now, "forbidden", f"{message['caller']} published on {message['topic']}")
        elif what in ("fk", "ik"):
            return answer(message, self.body.joints)
        return None

    def step(self, now: float) -> None:
        """Advance the world by one physics step, to `now`."""
        body = self.body
        self.change(assembly.tick(self.assembly, now), now)
        if self.assembly.enabled:
            fell_back = self.limb.timed_out
            self.limb.step(body.joints, now, body.dt)
            if self.limb.timed_out != fell_back:
                self.note(now, "timeout", "no joint command in time: position hold")
        opening = self.gripper.step(body.opening, body.grip, now, body.dt)
        body.step(self.limb.target, opening, now)
        pressed = body.force > (PRESSED if not self._pressed else 0.5 * PRESSED)
        if pressed and not self._pressed:
            self.note(now, "pressed", f"{body.force:.0f} N on the gripper")
        self._pressed = pressed
        self.trace.append((now, *body.tip, *body.tip_velocity))

    def due(self, now: float) -> int:
        """Which topic groups are to be published now, as bits; counts them as published."""
        bits = 0
        for bit, rate in ((wire.DUE_JOINTS, self.joint_rate), (wire.DUE_STATE, STATE_RATE)):
            if now >= self._due[bit] - 1e-4:
                bits |= bit
                self._due[bit] = max(self._due[bit] + 1.0 / rate, now - 1.0 / rate)
        return bits

    def report(self, bits: int, stamp: float, now: float) -> bytes:
        """Return the state frame of `now`, stamped `stamp` [s]."""
        values = self.body.measure(now - self._measured_at)
        self._measured_at = now
        values["tip_pose"][:3] += self.tip_shift
        if self.nan_state:
            values["position"][3] = np.nan
        collision = float(self.collision or self.body.collides())
        state = self.assembly
        return wire.state_frame({
            **values, "stamp": stamp, "due": bits, "collision": collision, "tip_valid": float(self.tip_valid),
            "commanded_position": self.limb.target, "commanded_velocity": self.limb.velocity,
            "homed": 1.0, "ready": float(state.enabled), "enabled": float(state.enabled),
            "stopped": float(state.stopped), "error": float(state.error),
            "estop_button": float(state.button), "estop_source": float(state.source),
        })  # fmt: skip

    def change(self, state: assembly.Assembly, now: float) -> None:
        """Let the robot be in `state` from now on; without power it holds where it is."""
        old, self.assembly = self.assembly, state
        if old.enabled != state.enabled:
            self.limb.hold(self.body.joints)
            self.note(now, "enabled" if state.enabled else "disabled")
        if old.stopped != state.stopped:
            self.note(now, "stopped" if state.stopped else "reset", state.source.name)

    def note(self, now: float, what: str, detail: str = "") -> None:
        """Remember an event."""
        self.events.append(Event(now, what, detail))

    def describe(self) -> dict[str, Any]:
        """What tests and people may want to know beyond the wire, as JSON."""
        state, limb = self.assembly, self.limb
        return {
            "mode": limb.mode, "timeout": limb.timeout, "speed_ratio": limb.speed_ratio, "timed_out": limb.timed_out,
            "enabled": state.enabled, "stopped": state.stopped, "error": state.error, "button": state.button.name,
            "joints": self.body.joints.tolist(), "target": limb.target.tolist(), "tip": self.body.tip.tolist(),
            "opening": self.body.opening, "joint_rate": self.joint_rate, "gripper": dict(self.gripper.signals),
            "commanded_at": self.commanded_at,
        }  # fmt: skip

    def history(self) -> list[dict[str, Any]]:
        """The events, oldest first, as JSON."""
        return [asdict(event) for event in self.events]

    def traced(self, seconds: float) -> FloatArray:
        """Time, tip position and tip velocity, (n, 7), of the last `seconds`: a whole minute holds the robot up."""
        since = self.trace[-1][0] - seconds if self.trace else 0.0
        rows = list(takewhile(lambda row: row[0] >= since, reversed(self.trace)))
        return np.array(rows[::-1], dtype=np.float64).reshape(-1, 7)

    def _joint_command(self, message: Mapping[str, Any], now: float) -> None:
        mode, self.commanded_at = int(message["mode"]), now
        if mode in (3, 4):
            self.note(now, "forbidden", f"{message['caller']} commanded mode {mode}")
        if not self.assembly.enabled:
            return
        old = self.limb.mode
        refusal = self.limb.command(mode, message["names"], message["position"], message["velocity"], now)
        if refusal:
            self.note(now, "refused", refusal)
        elif self.limb.mode != old:
            self.note(now, "mode", str(self.limb.mode))
