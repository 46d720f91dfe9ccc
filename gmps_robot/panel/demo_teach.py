"""The part of the demo's robot that one can teach: the lease, motion, a recorder, checkpoints."""

from __future__ import annotations

import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from gmps_robot.control import lease
from gmps_robot.control.lease import LeaseState
from gmps_robot.errors import SessionError
from gmps_robot.panel.bridge import Mode
from gmps_robot.panel.bridge_teach import CameraView, RecorderView, SceneView
from gmps_robot.panel.demo_picture import HEIGHT, PROJECTION, WIDTH, draw_scene
from gmps_robot.panel.demo_world import DemoWorld
from gmps_robot.tasks import Task
from gmps_robot.types import ArmCommand, FloatArray

PERIOD = 0.05  # of the recorder [s]
RESET_BY_HAND = "Place the block on its mark and take your hands out of the work area."


@dataclass
class Take:
    """What was recorded of one episode, one entry per step."""

    episode: str
    task: Task
    operator: str
    began: float
    times: list[float] = field(default_factory=list)
    tips: list[FloatArray] = field(default_factory=list)
    blocks: list[FloatArray] = field(default_factory=list)
    commanded: list[FloatArray] = field(default_factory=list)
    applied: list[FloatArray] = field(default_factory=list)
    jpegs: list[bytes] = field(default_factory=list)


class FakeTeaching(ABC):
    """Implements `TeachBridge` without ROS, for `FakeBridge`, which lends its lock and its clock.

    `kept` is called with every finished episode, whether it was accepted (None: discarded), and why it was discarded.
    """

    calls: list[tuple[object, ...]]
    _lock: threading.RLock
    _clock: Callable[[], float]
    _mode: Mode

    def _begin_teaching(self) -> None:
        self.kept: Callable[[Take, bool | None, str], None] = lambda *_: None
        self.world = DemoWorld(self._clock())
        self._lease, self._checkpoint = LeaseState(), "push-vision"
        self._recorder, self._take = RecorderView(), None
        self._seq = 0

    _take: Take | None
    _recorder: RecorderView

    def lease_acquire(self, holder: str) -> str:
        """See `TeachBridge.lease_acquire`."""
        with self._command("lease_acquire", holder):
            name = secrets.token_hex(8)
            self._lease, answer = lease.acquire(self._lease, holder, name, self._clock())
            if not answer.success:
                raise SessionError(answer.message)
            return name

    def lease_release(self, lease_id: str) -> None:
        """See `TeachBridge.lease_release`."""
        with self._command("lease_release"):
            self._lease, _ = lease.release(self._lease, lease_id, self._clock())

    def teleop(self, velocity: tuple[float, float, float], gripper: float, lease_id: str) -> None:
        """See `TeachBridge.teleop`."""
        with self._lock:
            now = self._clock()
            self.calls.append(("teleop", velocity, gripper, lease_id))
            self._look(now)
            self._seq += 1
            asked = ArmCommand(round(now * 1e9), self._seq, "teleop", np.array(velocity), gripper, lease=lease_id)
            self._lease, choice = lease.arbitrate(self._lease, None, asked, now, at_rest=True)
            if choice.command is not None:
                self.world.drive(velocity, gripper, now)

    def scene(self) -> SceneView | None:
        """See `TeachBridge.scene`."""
        with self._lock:
            now = self._clock()
            self._look(now)
            tip, block = self.world.tip.tolist(), self.world.block.tolist()
            return SceneView((tip[0], tip[1], tip[2]), (block[0], block[1], block[2]), round(now * 1e9))

    def camera(self) -> CameraView | None:
        """See `TeachBridge.camera`."""
        return CameraView(WIDTH, HEIGHT, PROJECTION, "nominal")

    def reset_scene(self, task: Task, seed: int, lease_id: str) -> str:
        """See `TeachBridge.reset_scene`."""
        with self._command("reset_scene", task.task_id, seed):
            if self._mode == "robot":
                self._lease, _ = lease.release(self._lease, lease_id, self._clock())
                if holder := self._shown_holder():
                    raise SessionError(f"{holder} holds the arm: it goes home when the lease is released")
            self._look(self._clock())
            self.world.reset()
            return "" if self._mode == "twin" else RESET_BY_HAND

    def record_start(self, task: Task, operator: str) -> str:
        """See `TeachBridge.record_start`."""
        with self._command("record_start", task.task_id, operator):
            if self._take is not None:
                raise SessionError(f"episode {self._take.episode} is open: save or discard it first")
            self._take = Take(secrets.token_hex(16), task, operator, self._clock())
            self._recorder = RecorderView("recording", self._take.episode, task.task_id)
            return self._take.episode

    def record_save(self, episode: str, accepted: bool) -> str:
        """See `TeachBridge.record_save`."""
        with self._command("record_save", episode, accepted):
            self.kept(self._close(episode), accepted, "")
            return f"episode {episode} is saved"

    def record_discard(self, episode: str, reason: str) -> str:
        """See `TeachBridge.record_discard`."""
        with self._command("record_discard", episode, reason):
            self.kept(self._close(episode), None, reason)
            return f"episode {episode} is put aside"

    def replay(self, episode: str) -> str:
        """See `TeachBridge.replay`."""
        with self._command("replay", episode):
            if self._mode != "twin":
                raise SessionError("an episode is played back on the twin only; this is a robot")
            return f"the twin plays episode {episode}"

    def choose_checkpoint(self, name: str) -> None:
        """See `TeachBridge.choose_checkpoint`."""
        with self._command("choose_checkpoint", name):
            self._checkpoint = name

    @abstractmethod
    def _command(self, *call: object) -> threading.RLock:
        """Note `call`, refuse what was asked to be refused; the lock that it is carried out under."""

    def _shown_recorder(self) -> RecorderView:
        take = self._take
        if take is None:
            return self._recorder
        self._look(self._clock())
        size = sum(len(jpeg) for jpeg in take.jpegs)
        return replace(self._recorder, seconds=self._clock() - take.began, steps=len(take.times), bytes=size)

    def _shown_holder(self) -> str:
        return lease.lapse(self._lease, self._clock()).holder

    def _look(self, now: float) -> None:
        """Let the table live until `now`, and record what has become due."""
        take = self._take
        while take is not None and (due := take.began + len(take.times) * PERIOD) <= now:
            self.world.advance(due)
            take.times.append(due - take.began)
            take.tips.append(self.world.tip.copy())
            take.blocks.append(self.world.block.copy())
            take.commanded.append(self.world.command.copy())
            take.applied.append(self.world.applied(due).copy())
            take.jpegs.append(draw_scene(self.world.tip, self.world.block, due))
        self.world.advance(now)

    def _close(self, episode: str) -> Take:
        take = self._take
        if take is None or take.episode != episode:
            raise SessionError(f"episode {episode} is not open")
        self._look(self._clock())
        self._take, self._recorder = None, replace(self._recorder, state="idle", steps=len(take.times))
        return take
