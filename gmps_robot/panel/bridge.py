"""The one door between the panel and the robot: a ROS node opens it in a stack, `demo.FakeBridge` in tests.

Contract for whoever implements `PanelBridge`:

- `state` and `frame` return at once, never block, never raise: they hand out the latest known value.
- Commands are called from worker threads, several at a time. Each returns when the other side has confirmed, waits a
  few seconds at most, and raises a GmpsError whose message a person can act on (it is shown as it stands).
- `arm_stop` and `arm_kill` never wait for another command. They also pause a running session, so that `reset_fault`
  alone never makes the arm move; the person presses Resume.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from gmps_robot.control.session_status import SessionStatus
from gmps_robot.panel.bridge_calibrate import CalibrateBridge, CaptureView
from gmps_robot.panel.bridge_teach import RecorderView, TeachBridge
from gmps_robot.tasks import Split

Mode = Literal["twin", "robot"]
RewardSource = Literal["twin", "human", "marker"]
GuardState = Literal["DISCONNECTED", "DISABLED", "IDLE", "ARMED", "MOVING", "HOLD", "FAULT", "ESTOP"]


@dataclass(frozen=True)
class GuardView:
    """What the guard last said."""

    state: GuardState = "IDLE"
    reason: str = ""  # why it holds or is stopped; empty when nothing is wrong
    limits: tuple[str, ...] = ()  # limits that were at work in the last control period


@dataclass(frozen=True)
class Link:
    """One thing the panel listens to. Silent when nothing came for `limit_s`, or nothing came at all."""

    name: str  # "camera", "arm", "adaptation", "recorder": shown to a person
    age_s: float | None  # seconds since its last message; None: never heard
    limit_s: float = 2.0
    hint: str = ""  # what to check when it is silent
    needed: bool = True  # whether a person should be told at all: not every stack has every node

    @property
    def silent(self) -> bool:
        """Whether a person should be told."""
        return self.age_s is None or self.age_s > self.limit_s


@dataclass(frozen=True)
class PanelState:
    """Everything the page shows, at one instant."""

    mode: Mode
    reward: RewardSource
    session: SessionStatus
    guard: GuardView = field(default_factory=GuardView)
    links: tuple[Link, ...] = ()  # the one named "camera" also feeds the picture's overlay
    task_text: str = ""  # what a person must judge, such as "block within 5 cm of x 0.72 m, y 0.04 m"
    planned_episodes: int = 20  # episodes per update: what the form offers, then what was asked for
    holder: str = ""  # who holds the operator's lease of the arm; empty: nobody
    recorder: RecorderView = field(default_factory=RecorderView)
    checkpoint: str = ""  # what the next session begins from
    calibration: CaptureView | None = None  # how far the capture of a calibration is; None: no calibrator runs


@dataclass(frozen=True)
class Frame:
    """One camera picture, already compressed. `seq` changes with every new picture."""

    seq: int
    stamp_ns: int
    jpeg: bytes


class PanelBridge(TeachBridge, CalibrateBridge, Protocol):
    """What the panel may know and ask for; `TeachBridge` and `CalibrateBridge` hold parts of it."""

    def state(self) -> PanelState:
        """Return the latest state."""
        ...

    def frame(self) -> Frame | None:
        """Return the latest camera picture; None before the first one."""
        ...

    def start(self, task: int, split: Split, episodes: int, updates: int) -> None:
        """Begin a session on task number `task` of `split`: `updates` times `episodes` episodes and one update.

        Raises:
            SessionError: a session is running, or the arm is stopped.
            TaskError: there is no such task.
        """
        ...

    def pause(self) -> None:
        """Hold the arm and keep the session.

        Raises:
            SessionError: no session is running.
        """
        ...

    def resume(self) -> None:
        """Go on after `pause`.

        Raises:
            SessionError: the session is not paused, or the arm is stopped.
        """
        ...

    def stop(self, reason: str) -> None:
        """End the session; finished episodes stay on disk. The arm holds, but is not latched.

        Raises:
            SessionError: no session is running.
        """
        ...

    def label(self, value: float, episode: int, author: str) -> None:
        """Give episode `episode` (1-based, of the running stage) its reward, as `author`: 1 success, 0 fail.

        Raises:
            SessionError: that episode is over, already labelled, or not there yet.
        """
        ...

    def reset_done(self) -> None:
        """Say that the block is back on its mark and hands are clear.

        Raises:
            SessionError: the session is not waiting for that.
        """
        ...

    def accept(self) -> None:
        """Keep the adapted policy, whatever the comparison said.

        Raises:
            SessionError: there is no finished comparison.
        """
        ...

    def roll_back(self) -> None:
        """Return to the policy from before the session.

        Raises:
            SessionError: there is no finished comparison.
        """
        ...

    def arm_stop(self, reason: str) -> None:
        """Hold the arm and latch (FAULT) until a person calls `reset_fault`; pauses a running session.

        Raises:
            GmpsError: the arm did not confirm; the message says to use the robot's own emergency stop.
        """
        ...

    def arm_kill(self, reason: str) -> None:
        """Press the robot's own stop: motors off, until `reset_fault` and then `arm_enable`; pauses a running session.

        Raises:
            GmpsError: the arm did not confirm; the message says to use the robot's own emergency stop.
        """
        ...

    def arm_enable(self) -> None:
        """Switch the motors on, after checks of the arm; the next command moves it.

        Raises:
            SessionError: the arm refuses, as while it is stopped.
        """
        ...

    def reset_fault(self) -> None:
        """Leave the latched FAULT, or an ESTOP whose cause is gone. The arm holds; a paused session stays paused.

        Raises:
            SessionError: the arm is not stopped.
        """
        ...
