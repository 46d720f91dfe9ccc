"""The loop without ROS: a whole adaptation on the fake arm, and what it does when its world fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.control.rollout import HOLDS_TO_STOP, Label, run_session
from gmps_robot.control.session import AdaptationSession
from gmps_robot.control.session_status import SessionStatus
from gmps_robot.control.timing import CycleTimer
from gmps_robot.types import AppliedCommand, Observation
from tests.unit.session_world import FAMILY, SMALL, TASK, Clock, make_policy, make_session

BLOCK = np.array([0.5, 0.0, 0.02])


@dataclass
class FakeWorld:
    """The arm's own tip, a block that never moves, and alternating labels."""

    arm: FakeArm
    resets: int = 0
    labels: int = 0
    blind_from: int | None = None  # observation from which the camera has failed
    seen: int = 0
    tips_at_start: list[np.ndarray] = field(default_factory=list)

    def observe(self) -> Observation:
        self.seen += 1
        state = self.arm.observe()
        blind = self.blind_from is not None and self.seen >= self.blind_from
        return Observation(state.stamp_ns, state.tip_position, object_position=None if blind else BLOCK)

    def reset(self, status: SessionStatus) -> None:
        self.resets += 1
        self.arm.home()
        self.tips_at_start.append(self.arm.observe().tip_position)

    def label(self, status: SessionStatus) -> Label:
        self.labels += 1
        return Label(float(self.labels % 2))


@dataclass
class Diary:
    """A subscriber that writes down everything."""

    steps: list[tuple[SessionStatus, Observation, AppliedCommand]] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)

    def step(self, status: SessionStatus, observation: Observation, applied: AppliedCommand) -> None:
        self.steps.append((status, observation, applied))

    def phase(self, status: SessionStatus) -> None:
        self.phases.append(status.phase)


def rig() -> tuple[Clock, FakeArm, FakeWorld, AdaptationSession]:
    clock = Clock()
    arm = FakeArm(FAMILY, clock, clock.sleep)
    session = make_session(SMALL)
    session.start(TASK)
    return clock, arm, FakeWorld(arm), session


def test_a_whole_adaptation_runs_on_the_fake_arm() -> None:
    clock, arm, world, session = rig()
    diary, timer = Diary(), CycleTimer(0.05, clock)
    status = run_session(
        session, arm, world, clock=clock, wait=lambda: clock.sleep(0.05), timer=timer, subscribers=(diary,)
    )
    assert status.phase in ("done", "rolled_back")
    assert (world.resets, world.labels) == (8, 8)
    assert len(status.returns) == 4
    assert np.allclose(world.tips_at_start, FAMILY.start_tip, atol=0.003)
    assert len(diary.steps) == 8 * FAMILY.horizon
    assert diary.phases[0] == "awaiting_reset"
    assert diary.phases[-1] == status.phase
    assert timer.cycles >= 8 * FAMILY.horizon
    assert arm.guard_state.command is None or not arm.guard_state.command.velocity.any()


def test_recorded_actions_are_the_applied_ones() -> None:
    clock, arm, world, session = rig()
    diary = Diary()
    run_session(session, arm, world, clock=clock, wait=lambda: clock.sleep(0.05), subscribers=(diary,))
    first = session.trajectories("before")[0]
    applied = [a.velocity / 0.2 for _, _, a in diary.steps[: FAMILY.horizon]]
    assert np.allclose(first.applied, applied, atol=1e-6)


def test_a_blind_camera_holds_the_arm_and_ends_the_session_with_a_reason() -> None:
    clock, arm, world, session = rig()
    world.blind_from = FAMILY.horizon + 3
    status = run_session(session, arm, world, clock=clock, wait=lambda: clock.sleep(0.05))
    assert status.phase == "stopped"
    assert "object's position" in status.message
    assert arm.guard_state.at_rest
    assert world.seen == world.blind_from + HOLDS_TO_STOP - 1
    assert len(session.trajectories("before")) == 1


def test_a_crash_of_the_world_leaves_the_arm_held() -> None:
    clock, arm, world, session = rig()

    def crash(status: SessionStatus) -> Label:
        raise RuntimeError("judge fell over")

    world.label = crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="judge fell over"):
        run_session(session, arm, world, clock=clock, wait=lambda: clock.sleep(0.05))
    for _ in range(4):
        clock.sleep(0.05)
        arm.apply(None, clock())
    assert arm.guard_state.at_rest


def test_a_broken_policy_pauses_with_the_arm_held_until_someone_stops() -> None:
    clock = Clock()
    arm = FakeArm(FAMILY, clock, clock.sleep)
    policy = make_policy()
    nan = torch.full((3,), float("nan"))
    session = make_session(SMALL, replace(policy, fast={**policy.fast, "fc2.bias": nan}))
    session.start(TASK)
    waits = 0

    def wait() -> None:
        nonlocal waits
        waits += 1
        clock.sleep(0.05)
        if waits == 20:
            session.stop("the operator gave up")

    status = run_session(session, arm, FakeWorld(arm), clock=clock, wait=wait)
    assert status.phase == "stopped"
    assert arm.guard_state.at_rest
    assert arm.observe().tip_position == pytest.approx(FAMILY.start_tip, abs=0.003)
