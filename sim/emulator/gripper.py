"""The electric gripper as an IO device: signals, commands with their time as sequence number, acknowledgements."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STROKE = 0.041667  # position_m of the open gripper [m]
KEPT = 20  # acknowledgements that stay in the state
_CALIBRATING = 1.5  # [s]
_GRIPPING_FORCE = 4.0  # [N]
Stamp = tuple[int, int]  # seconds, nanoseconds

# Name: (start value, role, type). "output" can be set.
SIGNALS: dict[str, tuple[Any, str, str]] = {
    "calibrate": (False, "output", "bool"),
    "cmd_grip": (False, "output", "bool"),
    "dead_zone_m": (0.002, "output", "float"),
    "force_response_n": (0.0, "input", "float"),
    "go": (True, "output", "bool"),
    "has_error": (False, "input", "bool"),
    "is_calibrated": (True, "input", "bool"),
    "is_gripping": (False, "input", "bool"),
    "is_moving": (False, "input", "bool"),
    "position_m": (STROKE, "output", "float"),
    "position_response_m": (STROKE, "input", "float"),
    "reboot": (False, "output", "bool"),
    "right_gripper_tip_object_kg": (0.0, "output", "float"),
    "speed_mps": (1.5, "output", "float"),
}  # fmt: skip
_RANGES = {"position_m": (0.0, STROKE), "speed_mps": (0.15, 3.0), "dead_zone_m": (0.0, STROKE)}


@dataclass
class ElectricGripper:
    """Signals and acknowledgements. `target` is where the fingers are told to be [m], in [0, STROKE]."""

    target: float
    signals: dict[str, Any] = field(default_factory=lambda: {name: start for name, (start, _, _) in SIGNALS.items()})
    acknowledged: deque[Stamp] = field(default_factory=lambda: deque(maxlen=KEPT))
    changed: bool = True  # since the state was last reported
    swallow: bool = False  # take no command, acknowledge nothing

    def __post_init__(self) -> None:
        self.signals["position_m"] = self.signals["position_response_m"] = self._reported = self.target
        self._calibrating_until: float | None = None

    def command(self, time: Stamp, op: str, args: str, now: float) -> str:
        """Take one IOComponentCommand; return what is wrong with it, or an empty string.

        A command is repeated by its sender until its `time` is acknowledged; the repetitions do nothing.
        """
        if self.swallow or time in self.acknowledged:
            return ""
        try:
            wanted = json.loads(args)["signals"] if op == "set" else {}
            values = {name: signal["data"][0] for name, signal in wanted.items()}
            known = {name: _cast(name, value) for name, value in values.items() if name in SIGNALS}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return f"gripper command {op!r} {args!r}: {error}"
        self.acknowledged.append(time)
        self.changed = True
        unknown = sorted(set(values) - set(known))
        for name, value in known.items():
            self._set(name, value, now)
        return f"unknown gripper signals {unknown}" if unknown else ""

    def step(self, opening: float, force: float, now: float, dt: float) -> float:
        """Move on by `dt` [s]; return the fingers' target [m]. `opening` [m] and `force` [N] are measured."""
        signals = self.signals
        wanted = signals["position_m"] if signals["is_calibrated"] and not signals["has_error"] else self.target
        if self._calibrating_until is not None:
            wanted = 0.0 if self._calibrating_until - now > 0.5 * _CALIBRATING else STROKE
            if now >= self._calibrating_until:
                self._calibrating_until = None
                signals["is_calibrated"], signals["calibrate"], signals["position_m"] = True, False, STROKE
                self.changed = True
        if signals["go"] or self._calibrating_until is not None:
            step = signals["speed_mps"] * dt
            self.target += float(np.clip(wanted - self.target, -step, step))
        self._observe(opening, force, abs(wanted - opening) > signals["dead_zone_m"])
        return self.target

    def report(self) -> dict[str, Any]:
        """Return what the state topic tells: signals as (name, role, type, value), and acknowledged times."""
        rows = [(name, role, kind, self.signals[name]) for name, (_, role, kind) in SIGNALS.items()]
        return {"signals": rows, "acknowledged": list(self.acknowledged)}

    def _observe(self, opening: float, force: float, far: bool) -> None:
        signals = self.signals
        gripping = bool(far and force > _GRIPPING_FORCE)
        moving = bool(far and not gripping and signals["go"])
        if abs(opening - self._reported) > 2e-4 or (moving, gripping) != (signals["is_moving"], signals["is_gripping"]):
            self.changed, self._reported = True, opening
        signals["position_response_m"], signals["force_response_n"] = opening, force
        signals["is_moving"], signals["is_gripping"] = moving, gripping

    def _set(self, name: str, value: Any, now: float) -> None:
        if SIGNALS[name][1] != "output":
            return
        if name == "calibrate" and value:
            self._calibrating_until = now + _CALIBRATING
            self.signals["is_calibrated"] = False
        elif name == "reboot" and value:
            self.signals["is_calibrated"] = self.signals["has_error"] = False
            return
        elif name == "go" and not value:
            self.signals["position_m"] = self.target
        self.signals[name] = value


def _cast(name: str, value: Any) -> Any:
    if SIGNALS[name][2] == "bool":
        return bool(value)
    number = float(value)
    low, high = _RANGES.get(name, (-np.inf, np.inf))
    if not np.isfinite(number):
        raise ValueError(f"{name} = {value}")
    return float(np.clip(number, low, high))
