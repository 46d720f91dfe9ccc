"""A tiny state policy, the push family with a short horizon, and a hand that walks a session through its phases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from gmps_robot.control.session import AdaptationSession, SessionConfig
from gmps_robot.families.push import PushFamily
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow
from gmps_robot.types import AppliedCommand, FloatArray, Observation

FAMILY = replace(PushFamily(), horizon=4)
TASK = FAMILY.sample("test", 8, 0)[7]
SMALL = SessionConfig(episodes=4, updates=1, evaluation_episodes=2)


def make_policy(kind: str = "state", seed: int = 0) -> MetaPolicy:
    """A fresh policy with small layers."""
    generator = torch.Generator().manual_seed(seed)
    spec = PolicySpec(kind, hidden=(16, 16), channels=4)  # type: ignore[arg-type]
    fast = init_fast(spec, generator, -1.6)
    steps = {name: torch.full_like(value, 0.01) for name, value in fast.items()}
    return MetaPolicy(spec, init_slow(spec, generator), fast, {**steps, "latent": torch.ones(spec.latent_size)})


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def observation(step: int = 0, **changes: object) -> Observation:
    tip = np.array([0.4 + 0.01 * step, 0.0, 0.025])
    seen = Observation(1_000_000 * step, tip, object_position=np.array([0.5, 0.0, 0.02]))
    return replace(seen, **changes)  # type: ignore[arg-type]


def make_session(
    config: SessionConfig = SMALL, policy: MetaPolicy | None = None, **options: object
) -> AdaptationSession:
    return AdaptationSession(policy or make_policy(), FAMILY, config, clock=Clock(), **options)  # type: ignore[arg-type]


def run_episode(
    session: AdaptationSession, value: float | FloatArray = 0.0, success: bool | None = None
) -> list[FloatArray]:
    """From awaiting_reset through one whole episode to its label; returns its arm actions."""
    session.reset_done()
    actions = []
    for step in range(FAMILY.horizon):
        action = session.act(observation(step))
        assert action is not None
        actions.append(action)
        applied = AppliedCommand(0, step, 0.5 * action[:3] * 0.2, action[3], np.zeros(3))
        session.record_applied(applied, observation(step).stamp_ns)
    assert session.act(observation(FAMILY.horizon)) is None
    session.label(value, session.status.episode, success)
    return actions


def bring_to(phase: str) -> AdaptationSession:
    """A session that stands in `phase`."""
    session = make_session()
    if phase == "idle":
        return session
    session.start(TASK)
    if phase == "awaiting_reset":
        return session
    if phase == "resetting":
        session.begin_reset()
        return session
    if phase in ("evaluating", "awaiting_label"):
        session.reset_done()
        for step in range(FAMILY.horizon + 1 if phase == "awaiting_label" else 2):
            session.act(observation(step))
        return session
    if phase == "stopped":
        session.stop("test")
        return session
    for _ in range(SMALL.evaluation_episodes):
        run_episode(session, 1.0 if phase == "rolled_back" else 0.0)
    if phase == "collecting":
        session.reset_done()
        session.act(observation())
        return session
    for k in range(SMALL.episodes):
        run_episode(session, float(k % 2))
    if phase == "adapting":
        return session
    session.advance()
    for _ in range(SMALL.evaluation_episodes):
        run_episode(session, 0.0 if phase == "rolled_back" else 1.0)
    return session
