"""What a policy does on the twin it does behind the arm's wire: the same actions take the block along the same path."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gmps_robot.families.push import PushFamily
from gmps_robot.types import ArmCommand, FloatArray
from sim.twin import Twin
from tests.sim.emulated_wire import driven_robot

PUSH = PushFamily()
STEPS, SAME = 50, 0.010  # [m]


def expert_actions(number: int) -> FloatArray:
    """What the scripted expert does on the twin for a test goal."""
    task = PUSH.sample("test", number + 1, 0)[number]
    twin, actions = Twin(PUSH), []
    for k in range(STEPS):
        actions.append(PUSH.expert(twin.scene(), np.array(task.context)))
        twin.apply(request(actions[-1], k, k * twin.period), k * twin.period)
    return np.array(actions)


def noisy_actions(seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal([0.7, 0.0, 0.0], 0.25, (STEPS, 3))


def request(action: FloatArray, k: int, now: float) -> ArmCommand:
    arm = PUSH.arm_action(action)
    return ArmCommand(round(now * 1e9), k + 1, "policy", arm[:3] * PUSH.envelope.policy.speed, float(arm[3]))


def on_the_twin(actions: FloatArray) -> FloatArray:
    twin, path = Twin(PUSH), []
    for k, action in enumerate(actions):
        twin.apply(request(action, k, k * twin.period), k * twin.period)
        path.append(twin.scene().object_pose[:3])
    return np.array(path)


def behind_the_wire(actions: FloatArray, noise: float) -> FloatArray:
    arm, link = driven_robot(noise)
    per_action, path = round(1.0 / PUSH.control_hz / arm.period), []
    for k, action in enumerate(actions):
        for tick in range(per_action):
            arm.apply(request(action, k, link.now) if tick == 0 else None, link.now)
            link.sleep(arm.period)
        path.append(link.robot.body.qpos[-7:-4])
    assert arm.guard_state.mode == "MOVING", arm.guard_state.fault_reason
    return np.array(path)


def gap(path: FloatArray, other: FloatArray) -> float:
    """How far points of `path` lie from the line of `other`, at most [m]."""
    dense = np.concatenate([np.linspace(a, b, 20) for a, b in pairwise(other)])
    return float(max(np.linalg.norm(dense - point, axis=1).min() for point in path))


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("actions", [expert_actions(0), expert_actions(7), noisy_actions(0), noisy_actions(1)],
                         ids=["goal 0", "goal 7", "random 0", "random 1"])  # fmt: skip
def test_the_same_actions_take_the_block_along_the_same_path(actions: FloatArray, noise: float) -> None:
    wanted, found = on_the_twin(actions), behind_the_wire(actions, noise)
    assert np.linalg.norm(wanted[-1] - wanted[0]) > 0.15  # the block really was pushed
    assert gap(found, wanted) < SAME
    assert np.linalg.norm(found - wanted, axis=1).max() < 2.0 * SAME  # and nearly at the same time
