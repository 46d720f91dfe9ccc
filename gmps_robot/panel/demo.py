"""A robot that is not there: a PanelBridge that plays a whole adaptation, for the demo and for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gmps_robot.control.session_status import ACTING, RUNNING, Phase, SessionStatus, Stage
from gmps_robot.errors import GmpsError, SessionError
from gmps_robot.panel.bridge import Frame, GuardView, Link, Mode, PanelState, RewardSource
from gmps_robot.panel.demo_calibrate import FakeCalibrating
from gmps_robot.panel.demo_picture import draw, draw_scene
from gmps_robot.panel.demo_teach import FakeTeaching
from gmps_robot.panel.view import FINISHED, OFF, STOPPED
from gmps_robot.tasks import Split

HINTS = {
    "camera": "Is the camera node running and the cable in?",
    "arm": "Is the twin or the arm driver running?",
    "adaptation": "Is the adapt node running? Its terminal says why it stopped.",
    "recorder": "Nothing is recorded. Is the recorder node running? Its terminal says why it stopped.",
}
ADAPT_SECONDS = 1.0


class FakeBridge(FakeTeaching, FakeCalibrating):
    """Implements `PanelBridge` without ROS. Time passes only when somebody looks, by the injected clock.

    `calls` records every command in order; `silent` names links that have nothing to say; `failure`, when set, is
    raised by the next command.
    """

    def __init__(
        self, *, mode: Mode = "twin", reward: RewardSource = "human", evaluation_episodes: int = 5,
        episode_seconds: float = 2.5, seed: int = 0, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.silent: dict[str, float | None] = {}
        self.failure: GmpsError | None = None
        self._mode, self._reward = mode, reward
        self._evaluation, self._planned = evaluation_episodes, 20
        self._episode_seconds, self._clock = episode_seconds, clock
        self._rng = np.random.default_rng(seed)
        self._lock = threading.RLock()
        self._session, self._guard = SessionStatus(), GuardView("ARMED")
        self._since = clock()  # when the phase began, moved forward by pauses
        self._frame: Frame | None = None
        self._begin_teaching()
        self._begin_calibrating()

    def state(self) -> PanelState:
        """Return the state at this moment of the play."""
        with self._lock:
            self._advance()
            links = tuple(Link(name, self.silent.get(name, 0.02), hint=hint) for name, hint in HINTS.items())
            text = "Success: block within 5 cm of the green ring." if self._session.task_id else ""
            guard = self._shown_guard()
            return PanelState(
                self._mode, self._reward, self._session, guard, links, text, self._planned, self._shown_holder(),
                self._shown_recorder(), self._checkpoint, self._shown_capture(),
            )

    def frame(self) -> Frame | None:
        """Return a drawn picture, 20 per second."""
        with self._lock:
            if "camera" in self.silent:
                return self._frame if self.silent["camera"] is not None else None
            now = self._clock()
            if self._frame is None or int(now * 20) != self._frame.seq:
                self._frame = Frame(int(now * 20), int(now * 1e9), self._picture(now))
            return self._frame

    def _picture(self, now: float) -> bytes:
        if self._session.phase in RUNNING:
            return draw(self._share(), self._skill(), now)
        if self._shown_capture().phase == "capturing":
            return self._board_picture(now)
        self._look(now)
        return draw_scene(self.world.tip, self.world.block, now)

    def start(self, task: int, split: Split, episodes: int, updates: int) -> None:
        """See `PanelBridge.start`."""
        with self._command("start", task, split, episodes, updates):
            if self._session.phase in RUNNING:
                raise SessionError("a session is running; end it before you start another")
            self._need_no_fault()
            self._session = SessionStatus(
                task_id=f"push-{split}-s0-{task}", episodes=self._evaluation, updates=updates
            )
            self._planned = episodes
            self._next_episode()

    def pause(self) -> None:
        """See `PanelBridge.pause`."""
        with self._command("pause"):
            self._need_active("pause")
            self._advance()
            self._pause()

    def resume(self) -> None:
        """See `PanelBridge.resume`."""
        with self._command("resume"):
            self._need_no_fault()
            if not self._session.paused:
                raise SessionError("the session is not paused")
            self._session = replace(self._session, paused=False)
            self._since += self._clock() - self._paused_at

    def stop(self, reason: str) -> None:
        """See `PanelBridge.stop`."""
        with self._command("stop", reason):
            self._need_active("end")
            self._session = replace(self._session, phase="stopped", paused=False, message=reason)

    def label(self, value: float, episode: int, author: str) -> None:
        """See `PanelBridge.label`."""
        with self._command("label", value, episode):
            session = self._session
            if session.phase != "awaiting_label" or episode != session.episode:
                raise SessionError(f"episode {episode} is over or not there yet; nothing was labelled")
            self._session = replace(session, judged_by=author)
            self._finish_episode(value >= 0.5, value)

    def reset_done(self) -> None:
        """See `PanelBridge.reset_done`."""
        with self._command("reset_done"):
            if self._session.phase != "awaiting_reset":
                raise SessionError("the session is not waiting for the block")
            self._enter("collecting" if self._session.stage == "adapt" else "evaluating")

    def accept(self) -> None:
        """See `PanelBridge.accept`."""
        with self._command("accept"):
            self._need_finished()
            self._session = replace(self._session, phase="done", decision="accepted")

    def roll_back(self) -> None:
        """See `PanelBridge.roll_back`."""
        with self._command("roll_back"):
            self._need_finished()
            self._session = replace(self._session, phase="rolled_back", decision="rolled_back")

    def arm_stop(self, reason: str) -> None:
        """See `PanelBridge.arm_stop`."""
        with self._command("arm_stop", reason):
            self._advance()
            self._guard = GuardView("FAULT", reason)
            if self._session.phase in RUNNING and not self._session.paused:
                self._pause()

    def arm_kill(self, reason: str) -> None:
        """See `PanelBridge.arm_kill`."""
        with self._command("arm_kill", reason):
            self._advance()
            self._guard = GuardView("ESTOP", reason)
            if self._session.phase in RUNNING and not self._session.paused:
                self._pause()

    def arm_enable(self) -> None:
        """See `PanelBridge.arm_enable`."""
        with self._command("arm_enable"):
            if self._guard.state not in OFF:
                raise SessionError("the motors are on already, or the arm is stopped")
            self._guard = GuardView("ARMED")

    def reset_fault(self) -> None:
        """See `PanelBridge.reset_fault`."""
        with self._command("reset_fault"):
            if self._guard.state not in STOPPED:
                raise SessionError("the arm is not stopped")
            self._guard = GuardView("DISABLED" if self._guard.state == "ESTOP" else "ARMED")

    def show(self, guard: GuardView) -> None:
        """Let the guard say something by itself, which does not pause the session."""
        with self._lock:
            self._guard = guard

    def _shown_guard(self) -> GuardView:
        moves = self._guard.state == "ARMED" and self._session.phase in ACTING and not self._session.paused
        return GuardView("MOVING") if moves else self._guard

    def _command(self, *call: object) -> threading.RLock:
        self.calls.append(call)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return self._lock

    def _advance(self) -> None:
        session, now = self._session, self._clock()
        if session.paused:
            return
        if session.phase in ACTING:
            step = int((now - self._since) / self._episode_seconds * session.horizon)
            self._session = replace(session, step=min(step, session.horizon))
            if step >= session.horizon and self._reward == "human":
                self._enter("awaiting_label")
            elif step >= session.horizon:
                success = bool(self._rng.random() < self._skill())
                low, high = (0.75, 1.0) if success else (0.0, 0.5)
                self._finish_episode(success, float(self._rng.uniform(low, high)))
        elif session.phase == "adapting" and now - self._since > ADAPT_SECONDS:
            update = session.update + 1
            last = update == session.updates
            self._session = replace(session, update=update)
            self._begin_stage("after" if last else "adapt")

    def _begin_stage(self, stage: Stage) -> None:
        episodes = self._planned if stage == "adapt" else self._evaluation
        self._session = replace(self._session, stage=stage, episode=0, episodes=episodes)
        self._next_episode()

    def _finish_episode(self, success: bool, value: float) -> None:
        s = self._session
        fields = {"adapt": ("successes", "returns")}.get(s.stage, (f"{s.stage}_successes", f"{s.stage}_returns"))
        added = {fields[0]: (*getattr(s, fields[0]), success), fields[1]: (*getattr(s, fields[1]), value)}
        self._session = replace(s, **added)  # type: ignore[arg-type]
        self._next_episode()

    def _next_episode(self) -> None:
        s = self._session
        acting: Phase = "collecting" if s.stage == "adapt" else "evaluating"
        if s.episode < s.episodes:
            self._session = replace(s, episode=s.episode + 1)
            by_hand = self._reward == "human" or (self._reward, self._mode) == ("marker", "robot")
            self._enter("awaiting_reset" if by_hand else acting)
        elif s.stage == "before":
            self._begin_stage("adapt")
        elif s.stage == "adapt":
            self._enter("adapting")
        else:
            better = sum(s.after_successes) >= sum(s.before_successes)
            self._session = replace(s, decision="accepted" if better else "rolled_back")
            self._enter("done" if better else "rolled_back")

    def _enter(self, phase: Phase) -> None:
        self._session = replace(self._session, phase=phase, step=0)
        self._since = self._clock()

    def _pause(self) -> None:
        self._session = replace(self._session, paused=True)
        self._paused_at = self._clock()

    def _share(self) -> float:
        """How far the shown episode is; a finished one stays in sight until it is judged."""
        session = self._session
        if session.phase == "awaiting_label":
            return 1.0
        return session.step / session.horizon if session.phase in ACTING else 0.0

    def _skill(self) -> float:
        return {"before": 0.2, "adapt": 0.45, "after": 0.95}[self._session.stage]

    def _need_active(self, what: str) -> None:
        if self._session.phase not in RUNNING:
            raise SessionError(f"no session is running; there is nothing to {what}")

    def _need_finished(self) -> None:
        if self._session.phase not in FINISHED:
            raise SessionError("there is no finished comparison to decide on")

    def _need_no_fault(self) -> None:
        if self._guard.state in (*STOPPED, *OFF):
            raise SessionError("the arm is stopped or off; release the stop and enable the motors first")
