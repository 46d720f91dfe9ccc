"""One goal of the adapt node: keeps an AdaptationSession supplied with observations, resets and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from gmps_robot.control.report import PathRecorder
from gmps_robot.control.session import AdaptationSession
from gmps_robot.control.session_status import ACTING, ENDED, STAGES, SessionStatus, Stage
from gmps_robot.errors import ObservationError, SessionError
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import AppliedCommand, FloatArray, Observation, SceneState
from gmps_robot_nodes.frozen import FrozenPicture
from gmps_robot_nodes.outcomes import Outcomes
from gmps_robot_nodes.pairing import Moment, Pairing

RewardSource = Literal["twin", "human", "marker"]
RIG_LAG = 1  # observations: camera, policy and servos of a rig take about one period
HELD = ("overrun", "action", "image", "state", "clock")  # reasons of the guard that take the motion away
HELD_SHARE = 0.1  # of an episode's steps; with more of it the episode says little about the policy
LATE_SCENE = 1.0  # a tracker may look at a picture for this long [s]
RESET_PATIENCE = 5.0  # a reset that is not confirmed by then is asked for again [s]


class Hands(Protocol):
    """What a run may ask of its node."""

    def send(self, action: FloatArray | None, answers_ns: int) -> None:
        """Send an arm action (4,), or None to hold, as the answer to the observation of `answers_ns`."""
        ...

    film: list[bytes]  # pictures of the episode that is being filmed, as they come

    def ask_reset(self, task: Task, seed: int, film: bool) -> bool:
        """Ask for arm and object to be put back; `reset_confirmed`, `reset_failed` or `reset_refused` answers.

        Returns whether there was anybody to ask.
        """
        ...

    def end_reset(self) -> None:
        """Nobody wants any more what was asked for: an arm that goes home holds where it is."""
        ...

    @property
    def resetting(self) -> bool:
        """Whether what was asked for is still under way, as an arm that goes home."""
        ...


class AdaptRun:
    """`progress` does all that can be done at present; call it after every event."""

    def __init__(
        self, session: AdaptationSession, family: Family, task: Task, reward: RewardSource, seed: int, pairing: Pairing,
        hands: Hands, clock: Callable[[], float], film: bool, lag: int, by_hand: bool,
    ) -> None:
        """Start `session` on `task`.

        The outcome of an action is seen `lag` observations later than on the twin. `by_hand`: a person puts the object
        back, and says so before the arm moves.

        Raises:
            SessionError: the session cannot start.
        """
        self.session, self.task, self.reward = session, task, reward
        self._family, self._seed, self._pairing, self._hands, self._clock = family, seed, pairing, hands, clock
        self._film, self._lag, self._by_hand = film, lag, by_hand
        self._counted = (0, 0, 0)  # finished episodes per stage whose paths are kept
        self._outcomes = Outcomes()
        self._unseen_since: float | None = None  # since when the last scene is waited for [s]
        self._awaited = 0  # the observation that the last action answered [ns]; zero: none
        self._asked: float | None = None  # when a reset was asked for
        self._resets = 0
        self._begun = False  # whether the path of the present episode has begun
        self._held = 0  # steps of the present episode in which the guard held the arm
        self._frozen = FrozenPicture()
        self.paths = PathRecorder()
        self.films: dict[Stage, list[bytes]] = {}  # JPEG pictures of the first episode of each stage
        session.start(task)

    def progress(self) -> None:
        """Do everything that can be done now."""
        while self._advance():
            pass

    def confirm(self) -> None:
        """A person says that hands are clear and the object may be, or is, at its start.

        It is said for one way home, the next one: whatever ends that, the person is asked again.

        Raises:
            SessionError: nobody asked, or the session is paused and hands may come back before it goes on.
        """
        status = self.session.status
        if status.phase != "awaiting_reset":
            raise SessionError(f"reset_done: nobody waits for it, the session is {status.phase!r} ({status.where()})")
        if status.paused:
            raise SessionError("reset_done: the session is paused; resume it, then confirm")
        self.session.begin_reset()

    def reset_confirmed(self, stamp_ns: int) -> None:
        """Everything is back at its start, from the observation of `stamp_ns` on."""
        if self.session.status.phase in ACTING:  # an answer so late that it was asked for again
            self._pairing.forget_before(stamp_ns)
            self.interrupt("everything was put back in the middle of it", pause=False)
            return
        if self._asked is None or self.session.status.phase != "resetting":  # for another run, or no longer wanted
            return
        self._asked = None
        self._pairing.forget_before(stamp_ns)
        self._awaited, self._outcomes, self._begun, self._frozen = 0, Outcomes(), False, FrozenPicture()
        self._held, self._unseen_since = 0, None
        self._hands.film.clear()
        self.session.reset_done()

    def reset_failed(self, reason: str) -> None:
        """The arm is not at its start: a person must confirm again; where nobody is near, `watch` sends it again."""
        if self._by_hand and self.session.status.phase == "resetting":
            self._asked = None
            self.session.reset_failed(reason)

    def reset_refused(self, reason: str) -> None:
        """The scene could not be put back; nothing can go on."""
        self._asked = None
        self.session.stop(f"scene/reset was refused: {reason}")

    def interrupt(self, reason: str, pause: bool) -> None:
        """Throw the running episode away; with `pause`, a person decides when to go on."""
        if self.session.status.phase in ACTING:
            self.session.discard_episode(reason)
        if pause:
            self.session.pause()

    def watch(self, limit: float) -> None:
        """Notice silence: no observation for `limit` [s] ends the episode; it is run again when they come back."""
        status = self.session.status
        silent = self._pairing.silent(limit)
        if silent and status.phase in ACTING and not status.paused:
            who = " and ".join(silent)
            self.interrupt(f"{who} silent for {limit:g} s; the arm holds, check the node and the cable", pause=False)
        if self._asked is not None and self._clock() - self._asked > RESET_PATIENCE and not self._hands.resetting:
            self._asked = None  # a late answer counts until it is asked for again
            if self._by_hand:
                self._hands.end_reset()
                self.reset_failed("not everything was at its start in time")

    def _advance(self) -> bool:
        """Do one thing; return whether there may be more to do."""
        status = self.session.status
        if status.paused or status.phase in ENDED:
            self._end_reset()
        if status.phase in ENDED:
            return False
        self._keep_finished(status)
        if self.session.advance():
            return True
        if self._asked is not None:
            return False
        if status.phase == "awaiting_reset" and not status.paused and not self._by_hand:
            self.session.begin_reset()
            return True
        if status.phase == "resetting" and not status.paused:
            self._ask_reset()
            return False
        if status.phase == "awaiting_label" and self.reward != "human":
            return self._judge(status)
        moment = self._pairing.newest()
        if moment is not None:
            self._act(moment)
        return moment is not None

    def _ask_reset(self) -> None:
        """Have everything put back, if there is somebody to ask."""
        if self._hands.ask_reset(self.task, self._seed + self._resets, self._wants_film()):
            self._resets += 1
            self._asked = self._clock()
        else:
            self.reset_failed("nobody offers to put anything back: is the arm's driver running?")

    def _end_reset(self) -> None:
        """The session is paused or over: what moves for it holds, and hands may come in."""
        if self._asked is not None:
            self._asked = None
            self._hands.end_reset()
        self.reset_failed("paused before everything was at its start, the arm holds")

    def _act(self, moment: Moment) -> None:
        """Feed the session one observation and send what it wants."""
        for stamp_ns, applied in self._pairing.take_applied().items():
            self.session.record_applied(applied, stamp_ns)
            self._count_held(applied)
        if self._awaited:
            self._outcomes.add(moment.stamp_ns, self._pairing.scene_near)
            if moment.scene is not None:
                self.paths.add(moment.scene)
        elif moment.scene is not None and not self._begun:
            self.paths.begin(moment.scene)
            self._begun = True
        self._awaited = 0
        if moment.image is not None and moment.tip is not None:
            frozen = self._frozen.check(moment.image, moment.tip)
            if frozen and self.session.status.phase in ACTING:
                self.interrupt(f"{frozen}; restart the camera, then resume", pause=True)
        place = None if moment.scene is None else moment.scene.object_pose[:3]
        tip = np.full(3, np.nan) if moment.tip is None else moment.tip
        try:
            action = self.session.act(Observation(moment.stamp_ns, tip, moment.image, place))
        except ObservationError:
            action = None  # the session's message says why
        if action is not None:
            self._awaited = moment.stamp_ns
        self._hands.send(action, moment.stamp_ns)

    def _count_held(self, applied: AppliedCommand) -> None:
        """An episode in which the arm was held again and again says little about the policy: it is void."""
        causes = [reason for reason in applied.reasons if reason.split(":")[0] in HELD]
        self._held += bool(causes)
        if causes and self._held >= HELD_SHARE * self._family.horizon and self.session.status.phase in ACTING:
            self.interrupt(f"the arm was held in {self._held} steps, the last time by {causes[-1]}", pause=False)

    def _keep_finished(self, status: SessionStatus) -> None:
        """When an episode has just got its label, keep its path and film."""
        counts = (len(status.before_returns), len(status.returns), len(status.after_returns))
        for stage, before, now in zip(STAGES, self._counted, counts, strict=True):
            if now > before:
                self.paths.end(stage)
                if before == 0 and self._hands.film:
                    self.films[stage] = list(self._hands.film)
        self._counted = counts

    def _wants_film(self) -> bool:
        """The first episode before and the first after adaptation are filmed."""
        status = self.session.status
        return self._film and status.stage != "adapt" and status.episode == 1

    def _judge(self, status: SessionStatus) -> bool:
        """Label the finished episode once the outcome of its last action is seen; return whether anything was done."""
        if len(self._outcomes) < status.horizon + self._lag:
            moment = self._pairing.newest()
            if moment is None:
                return False
            self._outcomes.add(moment.stamp_ns, self._pairing.scene_near)
            if moment.scene is not None:
                self.paths.add(moment.scene)
            self._hands.send(None, moment.stamp_ns)
            return True
        self._outcomes.look(self._pairing.scene_near)
        if self._outcomes.final is None:
            return self._miss()
        self._label(self._outcomes.known(self._lag))
        return True

    def _miss(self) -> bool:
        """The last scene is not known: wait for it a little; an end that nobody saw cannot be judged."""
        now = self._clock()
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        if now - self._unseen_since < LATE_SCENE:
            return False
        self.session.discard_episode("the marker was not seen at its end, so nobody can judge it: is it covered?")
        return True

    def _label(self, scene: SceneState) -> None:
        """Judge the finished episode as a person would: one binary label at its end."""
        context = np.array(self.task.context)
        rewards = self._family.reward(scene, context, "binary")
        final = SceneState(scene.tip[-1], scene.object_pose[-1], scene.time[-1])
        self.session.label(float(rewards[-1]), self.session.status.episode, bool(self._family.success(final, context)))
