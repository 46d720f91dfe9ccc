"""The twin as the world of a session in this process: eyes, reset, judge, progress and film for `gmps adapt`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gmps_robot.config import content_id
from gmps_robot.control.report import AdaptReport, PathRecorder
from gmps_robot.control.rollout import Label, run_session
from gmps_robot.control.session import AdaptationSession
from gmps_robot.control.session_status import ACTING, SessionStatus, Stage
from gmps_robot.control.timing import CycleTimer, Pacer
from gmps_robot.errors import ConfigError
from gmps_robot.families.family import Family, RewardKind
from gmps_robot.rig import RigCalibration
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, ImageArray, Observation, SceneState

if TYPE_CHECKING:
    from gmps_robot.cli.adapt import AdaptOptions

STOPPED, INTERRUPTED = 1, 130  # exit codes
FILM_SIZE = (240, 320)  # height, width of one half [pixels]
STAGE_NAMES: dict[str, str] = {"before": "before", "adapt": "learning", "after": "after"}


class TwinSession:
    """A session on `sim.twin.Twin`, in lock-step; `World` and `Subscriber` of the loop at once.

    Attributes:
        films: frames of an episode before and of one after; empty when nothing was filmed.
        rate: pictures per second of the films.
    """

    def __init__(
        self, session: AdaptationSession, family: Family, task: Task, options: AdaptOptions, console: Console,
        rig: RigCalibration,
    ) -> None:
        """Build the twin of `rig` and start the session.

        Raises:
            ConfigError: a person is to judge, but there is no terminal.
        """
        from sim.twin import Twin

        if options.reward == "human" and not sys.stdin.isatty():
            raise ConfigError("reward 'human' needs a terminal to answer at; use --reward twin, or `make adapt`")
        self._session, self._family, self._task = session, family, task
        self._options, self._console = options, console
        self._now = 0.0
        realtime = options.speed == "realtime"
        self._clock: Callable[[], float] = time.monotonic if realtime else lambda: self._now
        self._twin = Twin(family, rig=rig, seed=options.seed, clock=self._clock)
        self._pacer = Pacer(self._twin.period, time.monotonic, time.sleep) if realtime else None
        self._timer = CycleTimer(self._twin.period, time.perf_counter)
        self._recorder = PathRecorder()
        self._scenes: list[SceneState] = []
        self._resets = 0
        self._renderers = self._twin.renderers
        self._progress = EpisodeProgress(console)
        self._began = time.perf_counter()
        self.films: tuple[list[ImageArray], list[ImageArray]] = ([], [])
        self.rate = family.control_hz
        session.start(task)

    def run(self) -> int:
        """Run to the end; returns the exit code of the command."""
        try:
            with self._progress:
                status = run_session(
                    self._session, self._twin, self, clock=self._clock, wait=self._wait, timer=self._timer,
                    subscribers=(self,),
                )  # fmt: skip
        except KeyboardInterrupt:
            self._session.stop("interrupted at the terminal")
            return INTERRUPTED
        finally:
            self._renderers = self._twin.renderers
            self._twin.close()
        return STOPPED if status.phase == "stopped" else 0

    def report(self, policy: str) -> AdaptReport:
        """What the session came to."""
        timing = self._timer.report()
        details = {
            "reward": self._options.reward,
            "cycle_ms": {"p50": 1e3 * timing.busy_p50, "p99": 1e3 * timing.busy_p99},
            "renderers": self._renderers,
            "envelope": content_id(self._family.envelope),
            "robot_seconds": self._resets * self._family.horizon / self._family.control_hz,
        }
        return AdaptReport(
            self._task, self._session.status, self._family.success_radius, self._recorder.paths,
            time.perf_counter() - self._began, policy, details,
        )  # fmt: skip

    def observe(self) -> Observation:
        """What the policy sees: an image, or the object's place for a full-state policy."""
        state = self._twin.exposed()
        if self._session.policy.spec.kind == "vision":
            return Observation(state.stamp_ns, state.tip_position, image=self._twin.image())
        return Observation(state.stamp_ns, state.tip_position, object_position=self._twin.scene().object_pose[:3])

    def reset(self, status: SessionStatus) -> None:
        """Put arm and object back; nobody needs to lend a hand."""
        self._resets += 1
        if self._twin.guard_state.mode == "FAULT":
            self._console.print(f"the arm was stopped: {self._twin.guard_state.fault_reason}; released with the reset")
            self._twin.reset_fault()
        self._twin.reset_scene(self._task, self._options.seed + self._resets)
        self._scenes = []
        self._recorder.begin(self._twin.scene())
        film = self._film(status)
        if film is not None:
            film.clear()
            film.append(self._twin.video_frame(*FILM_SIZE))

    def label(self, status: SessionStatus) -> Label:
        """The family's reward of what happened, or a person's answer."""
        self._recorder.end(status.stage)
        scene = SceneState(*(np.stack([getattr(s, n) for s in self._scenes]) for n in ("tip", "object_pose", "time")))
        context = np.array(self._task.context)
        solved = bool(self._family.success(self._scenes[-1], context))
        if self._options.reward == "human":
            return self._ask(status, float(self._family.distance(self._scenes[-1], context)))
        kind: RewardKind = self._options.grade
        return Label(self._family.reward(scene, context, kind), solved)

    def step(self, status: SessionStatus, _observation: Observation, _applied: AppliedCommand, /) -> None:
        """Note what the step led to."""
        scene = self._twin.scene()
        self._scenes.append(scene)
        self._recorder.add(scene)
        film = self._film(status)
        if film is not None:
            film.append(self._twin.video_frame(*FILM_SIZE))

    def phase(self, status: SessionStatus) -> None:
        """Show where the session stands."""
        self._progress.show(status)

    def _film(self, status: SessionStatus) -> list[ImageArray] | None:
        """The film that this episode belongs to: the first before and the first after, or first and last without."""
        if not self._options.film:
            return None
        if self._options.evaluations:
            wanted: dict[Stage, list[ImageArray]] = {"before": self.films[0], "after": self.films[1]}
            return wanted.get(status.stage) if status.episode == 1 else None
        first = status.update == 0 and status.episode == 1
        last = status.update == status.updates - 1 and status.episode == status.episodes
        return self.films[0] if first else self.films[1] if last else None

    def _ask(self, status: SessionStatus, distance: float) -> Label:
        self._progress.pause()
        place = ", ".join(f"{x:.3f}" for x in self._scenes[-1].object_pose[:2])
        goal = ", ".join(f"{x:.3f}" for x in self._task.context)
        told = f"object at ({place}), goal ({goal}): {100 * distance:.1f} cm apart"
        while True:
            answer = input(f"{status.where()}: {told}. Success? [y/n] ").strip().lower()
            if answer in ("y", "yes", "n", "no"):
                self._progress.go_on()
                return Label(float(answer.startswith("y")))
            self._console.print("please answer y or n (Ctrl-C stops the session)")

    def _wait(self) -> None:
        """Let one control period pass, or say that it has."""
        if self._pacer is None:
            self._now += self._twin.period
        else:
            self._pacer.wait()


class EpisodeProgress:
    """A bar per stage on a terminal; elsewhere one plain line per finished episode."""

    def __init__(self, console: Console) -> None:
        """Set up the bars."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[told]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._ids: dict[tuple[str, int], TaskID] = {}
        self._finished = 0
        self._counts = dict.fromkeys(STAGE_NAMES, 0)

    def __enter__(self) -> EpisodeProgress:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def pause(self) -> None:
        """Leave the terminal to a question."""
        self._bars.stop()

    def go_on(self) -> None:
        """Take the terminal back."""
        if self._console.is_terminal:
            self._bars.start()

    def show(self, status: SessionStatus) -> None:
        """Bring bars or lines up to date."""
        finished = [
            *(("before", *pair) for pair in zip(status.before_returns, status.before_successes, strict=True)),
            *(("adapt", *pair) for pair in zip(status.returns, status.successes, strict=True)),
            *(("after", *pair) for pair in zip(status.after_returns, status.after_successes, strict=True)),
        ]
        if self._console.is_terminal:
            self._show_bar(status)
        for stage, value, solved in finished[self._finished :]:
            if not self._console.is_terminal:
                outcome = "success" if solved else "no success"
                self._counts[stage] += 1
                line = f"{STAGE_NAMES[stage]}, episode {self._counts[stage]}: return {value:.3g}, {outcome}"
                self._console.print(line, soft_wrap=True)
        self._finished = len(finished)
        if status.phase == "adapting" or (status.phase not in ACTING and "update" in status.message):
            self._console.print(status.message, soft_wrap=True)

    def _show_bar(self, status: SessionStatus) -> None:
        key = (status.stage, status.update)
        if key not in self._ids:
            self._ids[key] = self._bars.add_task(STAGE_NAMES[status.stage], total=status.episodes, told="")
        told = {"before": status.before_successes, "adapt": status.successes, "after": status.after_successes}
        successes = told[status.stage]
        over = status.phase in ("adapting", "done", "rolled_back")
        done = status.episodes if over else status.episode - 1
        self._bars.update(self._ids[key], completed=done, told=f"{sum(successes)} of {len(successes)} successful")
