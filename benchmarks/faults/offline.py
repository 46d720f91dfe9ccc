"""Rows of the fault table without a running stack: joints at their limits, a frozen camera, bad rewards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from gmps_robot_nodes.frozen import FrozenPicture

from benchmarks.faults.stop import Figures, MissedError
from gmps_robot.control.fake_arm import FakeArm
from gmps_robot.control.kinematics import joint_limits
from gmps_robot.families.push import PushFamily
from gmps_robot.learning.inner import Adapted, AdaptSettings, adapt_policy
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow
from gmps_robot.types import ArmCommand, SourceLimits, Trajectory
from sim.twin import Twin

ARM_TIME = 100.0  # of random twists per repetition [s]
WIDE = SourceLimits(0.2, (-0.35, -0.7, 0.02), (1.1, 0.7, 1.2))
EPISODES, STEPS = 20, 50


def joint_limit(seed: int) -> Figures:
    """Random twists in a box far wider than the reach; the joints keep their margin, and the arm always gets away."""
    envelope = PushFamily().envelope
    envelope = replace(envelope, box_low=WIDE.box_low, box_high=WIDE.box_high, teleop=WIDE, reset=WIDE, policy=WIDE)
    time = [0.0]
    arm = FakeArm(replace(PushFamily(), envelope=envelope), lambda: time[0], lambda _: None)
    rng, (low, high), past, moved = np.random.default_rng(seed), joint_limits(), 0.0, 0.0
    velocity = np.zeros(3)
    for k in range(round(ARM_TIME / arm.period)):
        if k % 20 == 0:
            velocity = rng.uniform(-0.2, 0.2, 3)
        arm.apply(ArmCommand(round(time[0] * 1e9), k + 1, "teleop", velocity, 0.0), time[0])
        time[0] += arm.period
        joints = arm.guard_state.joints
        moved += float(np.linalg.norm(arm.guard_state.velocity)) * arm.period
        past = max(past, envelope.joint_margin - float(np.minimum(joints - low, high - joints).min()))
    if moved < 0.05 * ARM_TIME:
        raise MissedError(f"the arm was stuck: {moved:.0f} m in {ARM_TIME:.0f} s, {arm.guard_state.fault_reason}")
    return {"past the margin": max(0.0, past)}


def frozen_camera(seed: int) -> Figures:
    """The same picture with new stamps while the tip moves at policy speed; how long until it is noticed."""
    family = PushFamily()
    twin, watch = Twin(family, seed=seed), FrozenPicture()
    twin.reset_scene(None, seed)
    still, problem, steps = None, "", 0
    for k in range(1, 60):
        velocity = np.array([0.0, 0.2 if (k // 12) % 2 == 0 else -0.2, 0.0])
        now = k * twin.period
        twin.apply(ArmCommand(round(now * 1e9), k, "policy", velocity, -0.5), now)
        image = twin.image()
        if still is None and k > 8 + seed % 12:
            still = image
        problem = watch.check(image if still is None else still, twin.scene().tip)
        if problem and still is None:
            raise MissedError(f"a good camera was called frozen: {problem}")
        if problem:
            return {"seen": steps * twin.period}
        steps += still is not None
    raise MissedError("the frozen camera was not noticed")


def divergence(seed: int) -> Figures:
    """Rewards that are no numbers are not learned from, nor is taken a step that is far too long: each with a reason.

    A huge reward is a good one among bad ones: advantages are normalised, and the policy changes as by any label.
    """
    spec = PolicySpec("state")
    generator = torch.Generator().manual_seed(seed)
    fast = init_fast(spec, generator, -1.0)
    steps = {name: torch.full_like(value, 0.01) for name, value in fast.items()}
    policy = MetaPolicy(spec, init_slow(spec, generator), fast, steps, 1.0, {})
    changed = 0.0
    for bad in (np.nan, np.inf, 1e38):
        adapted = adapt_policy(policy, _episodes(spec, seed, bad), AdaptSettings())
        if not np.isfinite(bad) and not (adapted.skipped and adapted.reason):
            raise MissedError(f"a reward of {bad} was learned from")
        if not all(bool(torch.isfinite(value).all()) for value in adapted.policy.fast.values()):
            raise MissedError(f"a reward of {bad} broke the policy")
        changed += _changed(policy, adapted)
    far = adapt_policy(policy, _episodes(spec, seed, 1.0), AdaptSettings(step_scale=1e4))
    if not (far.skipped and "diverges" in far.reason):
        raise MissedError(f"a step ten thousand times too long was taken: {far.info}")
    return {"changed": changed + _changed(policy, far)}


def _changed(policy: MetaPolicy, adapted: Adapted) -> float:
    """By how much an update that was refused has changed the parameters all the same."""
    if not adapted.skipped:
        return 0.0
    return sum(float((adapted.policy.fast[n] - v).abs().max()) for n, v in policy.fast.items())


def _episodes(spec: PolicySpec, seed: int, bad: float) -> list[Trajectory]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    episodes = []
    for k in range(EPISODES):
        rewards = np.zeros(STEPS, dtype=np.float32)
        rewards[-1] = bad if k == 3 else float(k % 2)
        means = draw(STEPS, spec.action_size)
        episodes.append(Trajectory(
            "t", draw(STEPS, 3), draw(STEPS, spec.feature_size), means + draw(STEPS, spec.action_size),
            means, means, np.zeros((STEPS, spec.action_size), dtype=np.float32), draw(spec.latent_size), rewards,
            np.arange(STEPS), bool(k % 2),
        ))  # fmt: skip
    return episodes
