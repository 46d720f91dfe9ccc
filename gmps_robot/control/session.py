"""AdaptationSession: from a task to an adapted policy, one episode at a time.

    idle -> (awaiting_reset -> resetting -> collecting k/K -> awaiting_label)* -> adapting -> evaluating
         -> done | rolled_back

The same episodes run first without adaptation (stage `before`), then with exploration (stage `adapt`), then with the
adapted policy (stage `after`); in `before` and `after` the acting phase is called `evaluating`. A session has no clock
of its own, no threads and no ROS: whoever holds it feeds observations and labels, and carries its actions to the arm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gmps_robot.control.episode import EpisodeBuffer, choose
from gmps_robot.control.session_config import SessionConfig as SessionConfig
from gmps_robot.control.session_status import (
    ACTING,
    ENDED,
    Decision,
    Phase,
    Stage,
    judge,
    require,
    rewards_from_label,
    with_episodes,
)
from gmps_robot.control.session_status import SessionStatus as SessionStatus
from gmps_robot.errors import CheckpointError, ObservationError, SessionError
from gmps_robot.families.family import Family
from gmps_robot.learning.inner import adapt_policy, at_update, draw_for_episode
from gmps_robot.policy import MetaPolicy
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, Float32Array, FloatArray, Observation, Trajectory

SaveAdapted = Callable[[MetaPolicy, int], None]


class AdaptationSession:
    """One adaptation at a time. See the module for the phases and `ALLOWED` for what each phase takes."""

    def __init__(
        self, policy: MetaPolicy, family: Family, config: SessionConfig, *, clock: Callable[[], float],
        save: SaveAdapted | None = None,
    ) -> None:
        """Hold `policy` (theta), ready to start.

        Args:
            policy: the meta-trained policy; never changed.
            family: scales actions and gives the horizon.
            config: counts and settings.
            clock: seconds; durations alone are taken from it.
            save: called with the adapted policy and the update's number after each update.

        Raises:
            CheckpointError: the policy was made for another family.
        """
        if policy.spec.family != family.name:
            raise CheckpointError(f"the policy was trained for the family {policy.spec.family!r}, not {family.name!r}")
        self._theta, self._policy, self._phi = policy, policy, policy
        self._family, self._config, self._clock, self._save = family, config, clock, save
        self._status = SessionStatus(episodes=config.episodes, updates=config.updates, horizon=family.horizon)
        self._task: Task | None = None
        self._trajectories: dict[Stage, list[Trajectory]] = {"before": [], "adapt": [], "after": []}
        self._rng = np.random.default_rng(config.seed)
        self._latents: Float32Array = np.zeros((0, policy.spec.latent_size), dtype=np.float32)
        self._buffer = self._new_buffer()
        self._began, self._changed = 0.0, False
        self._news = ""  # what has happened, told until the next episode begins

    @property
    def status(self) -> SessionStatus:
        """Where the session stands."""
        return self._status

    @property
    def policy(self) -> MetaPolicy:
        """The policy in force: theta, then phi from its first update on; theta again once rolled back or stopped."""
        return self._policy

    @property
    def task(self) -> Task | None:
        """The task of the present or last session."""
        return self._task

    def trajectories(self, stage: Stage) -> tuple[Trajectory, ...]:
        """The finished episodes of `stage`."""
        return tuple(self._trajectories[stage])

    def start(self, task: Task) -> None:
        """Begin with `task`, from theta.

        Raises:
            SessionError: a session is running, or the task is of another family.
        """
        require(self._status, "start")
        if task.family != self._family.name:
            raise SessionError(f"task {task.task_id} is of the family {task.family!r}; this is {self._family.name!r}")
        self._task, self._policy, self._phi, self._changed = task, self._theta, self._theta, False
        self._trajectories = {"before": [], "adapt": [], "after": []}
        self._rng = np.random.default_rng(self._config.seed)
        self._status = SessionStatus(task_id=task.task_id, updates=self._config.updates, horizon=self._family.horizon)
        self._enter_stage("before" if self._config.evaluation_episodes else "adapt")

    def begin_reset(self) -> None:
        """Hands are clear: everything is put back by itself; raises SessionError where nobody waits for that."""
        require(self._status, "begin_reset")
        self._announce("resetting", "it begins when arm and object are at their start, keep clear")

    def reset_failed(self, reason: str) -> None:
        """Not everything got to its start, and it is asked for anew; raises SessionError while nothing is put back."""
        require(self._status, "reset_failed")
        self._ask_for_reset(reason)

    def reset_done(self) -> None:
        """Everything is at its start: the next episode begins; raises SessionError where no reset was asked for."""
        require(self._status, "reset_done")
        self._buffer, self._began = self._new_buffer(), self._clock()
        phase: Phase = "collecting" if self._status.stage == "adapt" else "evaluating"
        self._go(phase, f"{self._status.where()} is running", step=0)

    def act(self, observation: Observation) -> FloatArray | None:
        """Return the arm action (4,) in [-1, 1] for `observation`, or None: hold.

        The call after the last step of an episode ends it: the outcome of that step is then there to be judged.

        Raises:
            ObservationError: missing, of the wrong shape or not finite. The arm must hold; the step does not count.
        """
        status = self._status
        if status.phase not in ACTING or status.paused:
            return None
        if len(self._buffer) >= status.horizon:
            self._go("awaiting_label", f"{self._status.where()} is over: how did it go?")
            return None
        try:
            rng = self._rng if status.stage == "adapt" else None
            step = choose(self._policy, observation, self._buffer.latent, rng, keep_image=self._config.keep_images)
        except ObservationError as error:
            self._say(f"{self._status.where()} holds: {error}")
            raise
        if not np.isfinite(step.action).all():
            self._status = replace(status, paused=True)
            self._say(f"the policy's action is {step.action.tolist()}: paused, the arm holds. Load another policy")
            return None
        self._buffer.add(step)
        self._status = replace(self._status, step=len(self._buffer), message=f"{self._status.where()} is running")
        return self._family.arm_action(step.action.astype(np.float64))

    def record_applied(self, applied: AppliedCommand, stamp_ns: int) -> None:
        """Keep what the guard let through of the action on the observation of `stamp_ns`; not outside an episode."""
        if self._status.phase in ACTING:
            share = applied.velocity / self._family.envelope.policy.speed
            self._buffer.set_applied(self._family.policy_action(np.append(share, applied.gripper)), stamp_ns)

    def label(self, value: float | FloatArray, episode: int, success: bool | None = None, author: str = "") -> None:
        """Take the reward of the finished episode from `author` (empty: nobody by name, or no person).

        Args:
            value: one number for the whole episode, or one per step (H,). A person gives 1 or 0, or stars in [0, 1].
            episode: which one, as in `status`; protects against a label that comes too late.
            success: whether the task was solved; by default whether the sum of `value` exceeds 0.5.

        Raises:
            SessionError: no label is due, it is for another episode, or it is not finite.
        """
        require(self._status, "label")
        status = self._status
        rewards = rewards_from_label(status, value, episode)
        solved = bool(rewards.sum() > 0.5) if success is None else bool(success)
        info = {"seconds": self._clock() - self._began}
        self._trajectories[status.stage].append(self._buffer.finish(status.task_id, rewards, solved, info))
        self._status = with_episodes(replace(status, judged_by=author), self._trajectories)
        self._after_label()

    def discard_episode(self, reason: str) -> None:
        """Throw the present episode away and ask for it again; raises SessionError where none runs or is judged."""
        require(self._status, "discard_episode")
        self._ask_for_reset(f"{self._status.where()} was discarded: {reason}")

    def pause(self) -> None:
        """Hold the arm until `resume`; allowed at any time, also before an episode begins."""
        if self._status.phase not in ENDED:
            self._status = replace(self._status, paused=True)
            self._say(f"{self._status.where()} is paused: the arm holds")

    def resume(self) -> None:
        """Go on where `pause` left off."""
        if self._status.paused:
            self._status = replace(self._status, paused=False, message=f"{self._status.where()} goes on")
            if self._status.phase == "awaiting_reset":
                self._ask_for_reset(self._news)

    def stop(self, reason: str) -> None:
        """End the session at once: the arm holds, theta is in force again, finished episodes stay. From anywhere."""
        if self._status.phase not in ENDED:
            self._policy = self._theta
            self._go("stopped", f"stopped in {self._status.where()}: {reason}", paused=False)

    def accept(self) -> None:
        """A person keeps the adapted policy, whatever the evaluation said.

        Raises:
            SessionError: the session is not over, or nothing was adapted.
        """
        require(self._status, "accept")
        if not self._changed:
            raise SessionError("accept: every update of this session was skipped, there is no adapted policy")
        self._decide_for("accepted", "a person accepted the adapted policy")

    def roll_back(self) -> None:
        """A person goes back to the policy from before adaptation; raises SessionError before the session is over."""
        require(self._status, "roll_back")
        self._decide_for("rolled_back", "a person rolled back to the policy from before adaptation")

    def advance(self) -> bool:
        """Do pending work, the update, and return whether there was any. Takes milliseconds: features are cached."""
        status = self._status
        if status.phase != "adapting" or status.paused:
            return False
        began, update, recent = self._clock(), status.update + 1, self._trajectories["adapt"][-self._config.episodes :]
        result = adapt_policy(self._policy, recent, at_update(self._config.adapt, update))
        self._status = replace(status, update=update)
        if result.skipped:
            message = f"update {update} of {status.updates} was skipped: {result.reason}"
        else:
            self._policy, self._phi, self._changed = result.policy, result.policy, True
            message = f"update {update} of {status.updates} took {1e3 * (self._clock() - began):.0f} ms"
            message += self._save_adapted(update)
        if update < status.updates:
            self._enter_stage("adapt", message)
        elif not self._changed:
            self._decide_for("rolled_back", f"{message}. No update was made: the policy is as before")
        elif self._config.evaluation_episodes:
            self._enter_stage("after", message)
        else:
            self._decide_for("accepted", f"{message}; accepted without evaluation")
        return True

    def _new_buffer(self) -> EpisodeBuffer:
        """A buffer with the latent of the coming episode; zero where nothing is explored."""
        status = self._status
        if status.stage == "adapt" and status.episode:
            so_far = self._trajectories["adapt"][status.update * status.episodes :]
            drawn, seed = self._latents[status.episode - 1].copy(), int(self._rng.integers(2**31))
            return EpisodeBuffer(draw_for_episode(self._policy, so_far, drawn, self._config.adapt, seed))
        return EpisodeBuffer(np.zeros(self._policy.spec.latent_size, dtype=np.float32))

    def _enter_stage(self, stage: Stage, message: str = "") -> None:
        count = self._config.episodes if stage == "adapt" else self._config.evaluation_episodes
        if stage == "adapt":
            # Drawn for the whole update, because mirrored pairs halve the noise of the update.
            self._latents = self._policy.draw_latents(self._rng, count)
        self._status = replace(self._status, stage=stage, episode=1, episodes=count)
        self._ask_for_reset(message)

    def _ask_for_reset(self, news: str = "") -> None:
        self._news = news
        self._announce("awaiting_reset", "put everything back at its start, then confirm")

    def _announce(self, phase: Phase, what: str) -> None:
        said = f"{self._status.where()} is next: {what}"
        self._go(phase, f"{self._news}. {said}" if self._news else said, step=0)

    def _after_label(self) -> None:
        """What follows a labelled episode."""
        status = self._status
        if status.episode < status.episodes:
            self._status = replace(status, episode=status.episode + 1)
            self._ask_for_reset()
        elif status.stage == "before":
            self._enter_stage("adapt")
        elif status.stage == "adapt":
            self._go("adapting", f"{status.episodes} episodes are labelled: the policy adapts")
        else:
            self._decide_for(*judge(status))

    def _decide_for(self, decision: Decision, message: str) -> None:
        accepted = decision == "accepted"
        self._policy = self._phi if accepted else self._theta
        self._go("done" if accepted else "rolled_back", message, decision=decision)

    def _save_adapted(self, update: int) -> str:
        """Save phi; a full disk costs the file, not the session."""
        if self._save is None:
            return ""
        try:
            self._save(self._policy, update)
        except OSError as error:
            return f"; it could NOT be saved ({error}): free some space, then accept or adapt again"
        return ""

    def _say(self, message: str) -> None:
        self._status = replace(self._status, message=message)

    def _go(self, phase: Phase, message: str, **changes: object) -> None:
        self._status = replace(self._status, phase=phase, message=message, **changes)  # type: ignore[arg-type]
