"""Push a block to a hidden place on the table (the paper's push task, 20 x 10 cm of goals)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmps_robot.errors import TaskError, nearest
from gmps_robot.families.envelope import load_envelope
from gmps_robot.families.family import REWARD_KINDS, RewardKind
from gmps_robot.families.push_expert import push_expert
from gmps_robot.tasks import Split, Task
from gmps_robot.types import FloatArray, SafetyEnvelope, SceneState

GOAL_LOW = np.array([0.68, -0.10])  # [m]
GOAL_HIGH = np.array([0.78, 0.10])
OOD_MARGIN = 0.05  # how far outside the goal box an ood goal may lie [m]
CELL = 0.005  # side of the goal cells that keep the splits apart [m]
CELLS = np.array([20, 40])  # cells along x and y
SPLIT_SHARES: dict[str, float] = {"train": 0.4, "val": 0.2, "test": 0.4}
BLOCK = 100  # goals are drawn in blocks, so that task 7 of 8 is task 7 of 100
TRAIN_STRATA = (4, 5)  # training goals come from a jittered grid: uniform draws of 20 leave gaps
START_TIP = (0.40, 0.0, 0.025)  # [m]
GRIPPER = -0.5  # half open: the two pads make a pusher 4.5 cm wide


def _envelope() -> SafetyEnvelope:
    return load_envelope(Path(__file__).with_name("push.yaml"), {"home": START_TIP})


@dataclass(frozen=True)
class PushFamily:
    """The push family. Context: goal x, y [m]. Observation: tip xyz and block xyz [m]."""

    name: str = "push"
    horizon: int = 50
    control_hz: float = 20.0
    action_size: int = 3
    context_size: int = 2
    observation_center: tuple[float, ...] = (0.55, 0.0, 0.03, 0.6, 0.0, 0.02)
    observation_scale: tuple[float, ...] = (0.1, 0.1, 0.02, 0.1, 0.1, 0.02)
    success_radius: float = 0.05
    start_tip: tuple[float, float, float] = START_TIP
    start_object: tuple[float, float, float] = (0.50, 0.0, 0.02)
    envelope: SafetyEnvelope = field(default_factory=_envelope)

    def sample(self, split: Split, n: int, seed: int) -> tuple[Task, ...]:
        """Draw `n` goals, the first of them the same however many are drawn.

        The 5 mm cells of the goal box belong to one split each, so splits never meet.
        """
        size, stream = math.prod(TRAIN_STRATA) if split == "train" else BLOCK, [seed, sum(split.encode())]
        blocks = []
        for k in range(max(1, -(-n // size))):
            rng = np.random.default_rng(np.random.SeedSequence(stream if k == 0 else [*stream, k]))
            blocks.append(_ood_goals(rng, size) if split == "ood" else _box_goals(rng, size, split))
        goals = np.concatenate(blocks)[:n]
        return tuple(
            Task(self.name, split, i, (round(float(x), 6), round(float(y), 6)), seed) for i, (x, y) in enumerate(goals)
        )

    def arm_action(self, action: FloatArray) -> FloatArray:
        """Clip to [-1, 1] and add the fixed half-open gripper: (..., 3) -> (..., 4)."""
        clipped = np.clip(action, -1.0, 1.0)
        return np.concatenate([clipped, np.full((*clipped.shape[:-1], 1), GRIPPER)], axis=-1)

    def policy_action(self, arm_action: FloatArray) -> FloatArray:
        """(..., 4) -> (..., 3): the gripper is masked."""
        return arm_action[..., :3]

    def observation(self, scene: SceneState) -> FloatArray:
        """Tip xyz and block xyz (..., 6) [m]."""
        return np.concatenate([scene.tip, scene.object_pose[..., :3]], axis=-1)

    def distance(self, scene: SceneState, context: FloatArray) -> FloatArray:
        """Horizontal distance from block to goal (...,) [m]."""
        return np.asarray(np.linalg.norm(scene.object_pose[..., :2] - context, axis=-1))

    def success(self, scene: SceneState, context: FloatArray) -> NDArray[np.bool_]:
        """Block within 5 cm of the goal."""
        return np.asarray(self.distance(scene, context) < self.success_radius)

    def reward(self, scene: SceneState, context: FloatArray, kind: RewardKind) -> FloatArray:
        """Rewards (..., H).

        dense: -reach + 100 max(0, d0 - d), as the authors' push environment; sparse: -d inside the disc, else -d0;
        binary, distance and stars (0 to 4, as a person may give) come once, at the last step.

        Raises:
            TaskError: unknown `kind`.
        """
        goal = np.asarray(context)[..., None, :]
        d = self.distance(scene, goal)
        d0 = np.linalg.norm(np.array(self.start_object[:2]) - goal, axis=-1)
        if kind == "dense":
            reach = np.linalg.norm(scene.tip - scene.object_pose[..., :3], axis=-1)
            return np.asarray(-reach + 100.0 * np.maximum(0.0, d0 - d))
        if kind == "sparse":
            return np.where(d < self.success_radius, -d, -d0)
        final = np.zeros_like(d)
        if kind == "binary":
            final[..., -1] = d[..., -1] < self.success_radius
        elif kind == "distance":
            final[..., -1] = -d[..., -1]
        elif kind == "stars":
            final[..., -1] = np.round(4.0 * np.clip(1.0 - d[..., -1] / 0.15, 0.0, 1.0)) / 4.0
        else:
            raise TaskError(f"unknown reward {kind!r}{nearest(kind, REWARD_KINDS)}")
        return final

    def achieved(self, scene: SceneState) -> FloatArray:
        """Where the block lies (..., 2) [m]."""
        return scene.object_pose[..., :2]

    def expert(self, scene: SceneState, context: FloatArray) -> FloatArray:
        """Scripted expert: policy action (..., 3)."""
        step = self.envelope.policy.speed / self.control_hz
        return push_expert(scene.tip, scene.object_pose[..., :3], np.asarray(context), step)


def _split_cells(split: str) -> NDArray[np.int64]:
    """Cell indices (n, 2) that belong to `split`; fixed for all time, whatever the seed."""
    order = np.random.default_rng(20190906).permutation(int(CELLS.prod()))
    start = 0
    for name, share in SPLIT_SHARES.items():
        stop = start + round(share * len(order))
        if name == split:
            mine = order[start:stop]
            return np.stack([mine // CELLS[1], mine % CELLS[1]], axis=1)
        start = stop
    raise TaskError(f"unknown split {split!r}{nearest(split, [*SPLIT_SHARES, 'ood'])}")


def _box_goals(rng: np.random.Generator, n: int, split: Split) -> FloatArray:
    """Goals (n, 2) [m] in the cells of `split`; training goals stratified so that any 20 cover the box."""
    cells = _split_cells(split)
    if split == "train":
        strata = (cells * np.array(TRAIN_STRATA)) // CELLS
        labels = strata[:, 0] * TRAIN_STRATA[1] + strata[:, 1]
        count = int(np.prod(TRAIN_STRATA))
        wanted = np.concatenate([rng.permutation(count) for _ in range(-(-n // count))])[:n]
        picked = np.array([_central(rng, cells[labels == k]) for k in wanted])
    else:
        picked = cells[rng.integers(len(cells), size=n)]
    return np.asarray(GOAL_LOW + (picked + rng.uniform(size=(n, 2))) * CELL)


def _central(rng: np.random.Generator, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """One of the half of `cells` that lies nearest to their centre, so that strata keep apart."""
    offset = np.abs(cells - cells.mean(axis=0)) / CELLS
    near = cells[np.argsort(offset.max(axis=1), kind="stable")[: max(1, len(cells) // 2)]]
    return np.asarray(near[rng.integers(len(near))])


def _ood_goals(rng: np.random.Generator, n: int) -> FloatArray:
    """Goals (n, 2) [m] up to `OOD_MARGIN` outside the box (3 cm on the far side, the arm's reach)."""
    low, high = GOAL_LOW - OOD_MARGIN, GOAL_HIGH + np.array([0.03, OOD_MARGIN])
    goals: list[FloatArray] = []
    while len(goals) < n:
        goal = rng.uniform(low, high)
        if np.any(goal < GOAL_LOW) or np.any(goal > GOAL_HIGH):
            goals.append(goal)
    return np.array(goals).reshape(n, 2)
