"""The loop around a session without ROS: observe, act, guard, record, again. Everything it touches is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from gmps_robot.control.arm import ArmDriver
from gmps_robot.control.session import AdaptationSession
from gmps_robot.control.session_status import ACTING, RUNNING, SessionStatus
from gmps_robot.control.timing import CycleTimer
from gmps_robot.errors import ObservationError
from gmps_robot.types import AppliedCommand, ArmCommand, FloatArray, Observation

HOLDS_TO_STOP = 40  # control periods without a usable observation before the session gives up: 2 s at 20 Hz


@dataclass(frozen=True)
class Label:
    """What an episode was worth: one number or one per step (H,), and whether the task was solved."""

    value: float | FloatArray
    success: bool | None = None


class World(Protocol):
    """What the loop needs beside the arm: eyes, a way back to the start, and a judge."""

    def observe(self) -> Observation:
        """Return what the policy sees now."""
        ...

    def reset(self, status: SessionStatus) -> None:
        """Put scene and arm back to the start of an episode; returns when that is done."""
        ...

    def label(self, status: SessionStatus) -> Label:
        """Judge the episode that has just ended."""
        ...


class Subscriber(Protocol):
    """Records or shows; the loop knows nothing of it."""

    def step(self, status: SessionStatus, observation: Observation, applied: AppliedCommand, /) -> None:
        """Called after each step of an episode, with the observation the action was taken on."""
        ...

    def phase(self, status: SessionStatus) -> None:
        """Called whenever the session's phase or episode has changed."""
        ...


@dataclass
class CommandSequence:
    """Numbers the commands of one source, which the guard wants increasing."""

    speed: float  # of the source [m/s]
    seq: int = 0
    gripper: float = field(default=0.0)

    def move(self, action: FloatArray, now: float) -> ArmCommand:
        """An arm action (4,) in [-1, 1] as the next command, stamped `now` [s]."""
        self.gripper = float(action[3])
        return self._next(np.asarray(action[:3], dtype=np.float64) * self.speed, now)

    def hold(self, now: float) -> ArmCommand:
        """Stop at once, instead of waiting for the last command to lapse."""
        return self._next(np.zeros(3), now)

    def _next(self, velocity: FloatArray, now: float) -> ArmCommand:
        self.seq += 1
        return ArmCommand(round(now * 1e9), self.seq, "policy", velocity, self.gripper)


def run_session(
    session: AdaptationSession,
    driver: ArmDriver,
    world: World,
    *,
    clock: Callable[[], float],
    wait: Callable[[], object],
    timer: CycleTimer | None = None,
    subscribers: tuple[Subscriber, ...] = (),
) -> SessionStatus:
    """Run a started session to its end and return its last status.

    Args:
        session: after `start`.
        driver: the arm; every command goes through its guard.
        world: eyes, reset and judge.
        clock: the driver's clock [s].
        wait: called once per control period; returns at the next beat (`Pacer.wait`), or at once in lock-step.
        timer: measures sections `observe`, `policy` and `arm` of each cycle.
        subscribers: told of every step and every change of phase.

    An observation that the policy cannot use holds the arm; `HOLDS_TO_STOP` in a row stop the session. Whatever ends
    the loop, also an error, leaves the arm held.
    """
    timer = timer or CycleTimer(1.0, clock)
    commands = CommandSequence(driver.limits.policy.speed)
    told: tuple[object, ...] = ()
    holds = 0
    try:
        while session.status.phase in RUNNING:
            status = session.status
            if (status.phase, status.stage, status.episode, status.paused) != told:
                told = (status.phase, status.stage, status.episode, status.paused)
                for subscriber in subscribers:
                    subscriber.phase(status)
            if status.paused:
                driver.apply(commands.hold(clock()), clock())
                wait()
            elif status.phase in ACTING:
                with timer.cycle():
                    held = not _cycle(session, driver, world, commands, clock, timer, subscribers)
                holds = holds + 1 if held and session.status.phase in ACTING else 0
                if holds >= HOLDS_TO_STOP:
                    session.stop(f"no usable observation for {holds} control periods; {session.status.message}")
                wait()
            else:
                timer.restart()
                _between_episodes(session, world)
    finally:
        driver.apply(commands.hold(clock()), clock())
    for subscriber in subscribers:
        subscriber.phase(session.status)
    return session.status


def _cycle(
    session: AdaptationSession,
    driver: ArmDriver,
    world: World,
    commands: CommandSequence,
    clock: Callable[[], float],
    timer: CycleTimer,
    subscribers: tuple[Subscriber, ...],
) -> bool:
    """One control period: whether the arm was given an action."""
    with timer.section("observe"):
        observation = world.observe()
    with timer.section("policy"):
        try:
            action = session.act(observation)
        except ObservationError:
            action = None
    if action is None:
        if session.status.phase in ACTING:
            driver.apply(commands.hold(clock()), clock())
        return False
    with timer.section("arm"):
        now = clock()
        applied = driver.apply(commands.move(action, now), now)
    session.record_applied(applied, observation.stamp_ns)
    for subscriber in subscribers:
        subscriber.step(session.status, observation, applied)
    return True


def _between_episodes(session: AdaptationSession, world: World) -> None:
    """Do what the session waits for."""
    status = session.status
    if status.phase == "awaiting_reset":
        world.reset(status)
        session.reset_done()
    elif status.phase == "awaiting_label":
        label = world.label(status)
        session.label(label.value, status.episode, label.success)
    else:
        session.advance()
