"""Somebody who tries to talk the guard past its limits: bad numbers, wrong stamps, jumping clocks, false states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from gmps_robot.control.guard_state import GuardState, arm, reset_fault, stop
from gmps_robot.errors import ArmError
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, ArmStatus
from tests.unit.guard_world import ENVELOPE, arm_state, guard, request

BAD_VELOCITIES: tuple[object, ...] = (
    None, "left", (), (0.1,), (0.1,) * 4, ((0.1,) * 3,), (np.nan, 0.0, 0.0), (0.0, np.inf, 0.0), (1e308, 0.0, 0.0)
)  # fmt: skip
CORNERS = np.array([[0.84, 0.23, 0.02], [0.86, -0.24, 0.3], [0.34, 0.24, 0.3], [0.36, 0.0, 0.0], [0.7, 0.0, -0.2]])


@dataclass
class Adversary:
    """Draws what happens in each period. Mostly a long push towards some corner, so that limits are reached."""

    rng: np.random.Generator
    period: float
    resets: bool = True
    now: float = 50.0
    seq: int = 0
    goal: np.ndarray = field(default_factory=lambda: np.array([0.6, 0.0, 0.1]))
    speed: float = 0.2
    source: str = "policy"
    seen: set[str] = field(default_factory=set)  # short names of the reasons given so far

    def command(self, state: GuardState) -> ArmCommand | None:
        """The next request, or silence."""
        draw = self.rng.uniform()
        if draw < 0.02:
            self.goal = CORNERS[self.rng.integers(len(CORNERS))] + self.rng.normal(size=3) * 0.1
            self.speed = float(self.rng.choice([0.05, 0.2, 0.2, 1.0, 50.0]))
            self.source = str(self.rng.choice(["policy", "teleop", "teleop", "reset"]))
        if draw > 0.985:
            return None
        self.seq += 1 if draw < 0.97 else int(self.rng.integers(-3, 3))
        ahead = self.goal - state.tip_target
        velocity: object = ahead / max(float(np.linalg.norm(ahead)), 1e-6) * self.speed + self.rng.normal(size=3) * 0.02
        if 0.95 < draw < 0.953:
            velocity = BAD_VELOCITIES[self.rng.integers(len(BAD_VELOCITIES))]
        age = float(self.rng.choice([0.0, 0.1, 0.2, -1.0])) if 0.93 < draw < 0.95 else 0.0
        source = "ghost" if 0.953 < draw < 0.955 else self.source
        made = request(velocity, self.seq, self.now - age, source, gripper=float(self.rng.uniform(-2, 2)))
        return replace(made, image_stamp_ns=round((self.now - 0.3) * 1e9)) if 0.92 < draw < 0.93 else made

    def measured(self, state: GuardState) -> ArmState:
        """What the arm reports, as a rule the truth."""
        draw = self.rng.uniform()
        joints = state.joints
        seen = arm_state(joints, self.now - (float(self.rng.choice([0.06, -2.0])) if draw < 0.005 else 0.0))
        if 0.005 < draw < 0.007:
            seen = replace(seen, joints=np.full(7, np.nan))
        elif 0.007 < draw < 0.009:
            wrench = self.rng.normal(size=6) * 12.0
            seen = replace(seen, wrench=wrench, residual_torque=np.resize(3.0 * wrench, 7))
        elif 0.5 < draw < 0.505:
            seen = replace(seen, residual_torque=np.zeros(0))
        elif 0.009 < draw < 0.010:
            seen = replace(seen, status=ArmStatus(collision=True))
        elif 0.010 < draw < 0.011:
            seen = replace(seen, status=ArmStatus(stopped=True))
        return replace(seen, tip_velocity=state.velocity.copy())

    def people(self, state: GuardState) -> GuardState:
        """Stops now and then; a person resets and arms again."""
        if self.rng.uniform() < 0.002:
            state = stop(state, "test")
        if self.resets and state.mode in ("FAULT", "ESTOP") and self.rng.uniform() < 0.2:
            state = reset_fault(state)
        if not state.armed and state.mode not in ("FAULT", "ESTOP"):
            try:
                state = arm(state, arm_state(state.joints, self.now))
            except ArmError:
                return state
        return state

    def advance(self) -> None:
        """Let the time pass, as a rule one period."""
        if self.rng.uniform() < 0.003:
            self.now += float(self.rng.choice([0.0, 0.3, 2.4, 30.0, -100.0])) * self.period
        else:
            self.now += self.period * float(self.rng.uniform(0.95, 1.05))


def play(
    adversary: Adversary, state: GuardState, steps: int
) -> Iterator[tuple[GuardState, GuardState, AppliedCommand]]:
    """Yield (state before, state after, applied) of each tick of an arm that follows its command at once."""
    for _ in range(steps):
        state = before = adversary.people(state)
        command, seen = adversary.command(state), adversary.measured(state)
        state, applied = guard(ENVELOPE, state, seen, command, adversary.now)
        adversary.seen.update(reason.split(":")[0] for reason in applied.reasons)
        yield before, state, applied
        adversary.advance()
