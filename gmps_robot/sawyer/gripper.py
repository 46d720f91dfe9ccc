"""The electric gripper as Intera has it: a command is repeated until the gripper's state acknowledges its time."""

from __future__ import annotations

import json
import math
import threading
from typing import Any, Protocol

from gmps_robot.sawyer.messages import make, nanoseconds, stamp

STROKE = 0.041667  # position_m of the open gripper [m]
DEAD_ZONE = 0.002  # a smaller change is not worth a command [m]
REPEAT = 0.1  # [s]
PATIENCE = 2.0  # without an acknowledgement for this long the gripper is at fault [s]


class Sender(Protocol):
    """A publisher of the link."""

    def publish(self, message: Any) -> None:
        """Send."""
        ...


class Gripper:
    """`drive` in every control period; `on_state` from the link's thread."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._lock = threading.Lock()
        self._acknowledged: frozenset[int] = frozenset()
        self._opening: float | None = None
        self._wanted: float | None = None  # of the last command [m]
        self._id = 0  # its time, which is its name [ns since 1970]
        self._asked = self._sent = 0.0  # when it was first and last sent [s]
        self._open = False  # not acknowledged yet

    @property
    def opening(self) -> float:
        """Measured [m]; zero before the first report."""
        return self._opening or 0.0

    def on_state(self, message: Any, _receipt_s: float) -> None:
        """IODeviceStatus."""
        signals = {signal.name: signal.data for signal in message.signals}
        times = frozenset(nanoseconds(time) for time in message.commands)
        with self._lock:
            self._acknowledged = times
            opening = float(json.loads(signals.get("position_response_m", "[NaN]"))[0])
            if math.isfinite(opening):
                self._opening = opening

    def drive(self, share: float, now: float, wall_ns: int) -> str:
        """Open the gripper to `share`, -1 closed to 1 open; return what is wrong, or an empty string.

        Args:
            share: wanted.
            now: the driver's clock [s].
            wall_ns: time of day [ns since 1970], which names a new command.
        """
        wanted = STROKE * (share + 1.0) / 2.0
        with self._lock:
            if self._id in self._acknowledged:
                self._open = False
        if self._wanted is None or abs(wanted - self._wanted) > DEAD_ZONE:
            self._wanted, self._id, self._asked, self._open = wanted, max(wall_ns, self._id + 1), now, True
            self._send(now)
        elif self._open and now - self._asked > PATIENCE:
            return f"gripper: no answer to a command for {PATIENCE:.0f} s; is it attached and calibrated?"
        elif self._open and now - self._sent >= REPEAT:
            self._send(now)
        return ""

    def forget(self) -> None:
        """Begin anew: the next `drive` sends a command."""
        self._wanted, self._open = None, False

    def _send(self, now: float) -> None:
        signal = {"position_m": {"format": {"type": "float"}, "data": [self._wanted]}}
        self._sent = now
        self._sender.publish(
            make("intera_core_msgs/IOComponentCommand", time=stamp(self._id), op="set",
                 args=json.dumps({"signals": signal}))
        )  # fmt: skip
