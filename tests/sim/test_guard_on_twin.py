"""No limit is exceeded by what the twin measures, whatever is asked; ordinary pushes never meet a limit of force."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.body import body, body_points
from gmps_robot.control.guard_state import GuardState
from gmps_robot.control.kinematics import forward, joint_limits
from gmps_robot.families import family
from gmps_robot.types import AppliedCommand, ArmCommand, ArmState, SafetyEnvelope
from sim.twin import Twin
from tests.unit.adversary import Adversary
from tests.unit.guard_limits import RATED, broken_limits

FAMILY = family("push")
FAST = replace(FAMILY, control_hz=100.0)
STEPS = int(os.environ.get("GUARD_STEPS", "3000")) // 6
SAG = 0.004  # what servos and gravity add to a commanded place [m]


class HarriedTwin(Twin):
    """A twin whose commands and measurements an adversary makes."""

    def harry(self, adversary: Adversary, command: ArmCommand | None) -> AppliedCommand:
        self._adversary = adversary
        return self.apply(command, adversary.now)

    def _measured(self, now: float) -> ArmState:
        truth = super()._measured(now)
        adversary = getattr(self, "_adversary", None)
        if adversary is None:
            return truth
        spoilt = adversary.measured(self.guard_state)
        if not np.isfinite(spoilt.joints).all():
            return replace(truth, joints=spoilt.joints)
        return replace(truth, stamp_ns=spoilt.stamp_ns, status=spoilt.status)

    def people(self, adversary: Adversary) -> None:
        self._guard = adversary.people(self._guard)
        self.status = replace(self.status, stopped=False, enabled=True)


def measured_wrong(envelope: SafetyEnvelope, state: ArmState) -> list[str]:
    """Names of the limits that the measured arm breaks."""
    low, high = joint_limits()
    pose = forward(state.joints[None])
    heights = body_points(pose)[:, 2] - body().radius - envelope.table_height
    tip, tolerance = state.tip_position, envelope.outside_tolerance
    checks = {
        "box": (tip >= np.array(envelope.box_low) - tolerance).all()
        and (tip <= np.array(envelope.box_high) + tolerance).all(),
        "hard speed": np.linalg.norm(state.tip_velocity) <= envelope.speed_hard,
        "angular speed": np.linalg.norm(pose.jacobian[0, 3:] @ state.joint_velocities) <= envelope.angular_speed,
        "joint speed": (np.abs(state.joint_velocities) <= envelope.joint_speed_share * RATED * 1.05).all(),
        "joint margin": (np.minimum(state.joints - low, high - state.joints) >= envelope.joint_margin - 0.005).all(),
        "fingers": heights[body().finger].min() >= envelope.finger_clearance - SAG,
        "links": heights[~body().finger].min() >= envelope.link_clearance - SAG,
        "condition": np.linalg.cond(pose.jacobian[0]) <= envelope.condition_limit + 1.0,
    }  # fmt: skip
    return [name for name, kept in checks.items() if not kept]


@pytest.mark.parametrize("rig", [FAMILY, FAST], ids=["20 Hz", "100 Hz"])
def test_no_measured_limit_is_broken_by_any_input(rig: object) -> None:
    twin = HarriedTwin(rig)  # type: ignore[arg-type]
    adversary, modes = Adversary(np.random.default_rng(3), twin.period), []
    for count in range(STEPS):
        twin.people(adversary)
        before: GuardState = twin.guard_state
        applied = twin.harry(adversary, adversary.command(before))
        adversary.seen.update(reason.split(":")[0] for reason in applied.reasons)
        after, truth = twin.guard_state, Twin._measured(twin, adversary.now)
        # What comes after a contact or a stop starts where the arm is, which its servos and the block decide.
        ideal = [] if after.stopping or before.stopping else broken_limits(twin.limits, before, after, applied)
        assert ideal + measured_wrong(twin.limits, truth) == [], (count, after.mode, after.source, applied.reasons)
        modes.append(after.mode)
        adversary.advance()
    assert modes.count("MOVING") > STEPS / 5
    assert {"HOLD", "FAULT"} <= set(modes)


def test_ordinary_pushes_meet_no_limit_of_force_or_joints_and_no_fault() -> None:
    twin, seq, levels = Twin(FAMILY), 0, []
    for episode, task in enumerate(FAMILY.sample("test", 8, seed=3)):
        rng = np.random.default_rng(episode)
        twin.reset_scene(task, seed=episode)
        for _ in range(FAMILY.horizon):
            action = FAMILY.expert(twin.scene(), np.array(task.context)) + rng.normal(size=3) * 0.2
            seq, now = seq + 1, twin.observe().stamp_ns * 1e-9
            velocity = np.clip(action, -1.0, 1.0) * FAMILY.envelope.policy.speed
            applied = twin.apply(ArmCommand(round(now * 1e9), seq, "policy", velocity, -0.5), now)
            names = {reason.split(":")[0] for reason in applied.reasons}
            assert names <= {"speed", "acceleration", "box", "force"}, names
            levels.append(twin.guard_state.force.level)
    assert twin.guard_state.mode == "MOVING"
    assert 1.0 < max(levels) < FAMILY.envelope.force_stop
