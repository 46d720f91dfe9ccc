"""A program that teaches as a person does: it sees late, decides slowly, its hand shakes, and it stops at the goal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import FloatArray, SceneState

STILL = 1e-3  # a command shorter than this is none


@dataclass(frozen=True)
class Hand:
    """How a scripted operator differs from the expert it imitates. Periods are of control."""

    reaction: int = 2  # periods between the scene and the decision
    decision: int = 2  # periods for which a decision holds
    shake: float = 0.15  # standard deviation of its bias, redrawn with each decision, in action units
    rest: int = 10  # periods it waits at the goal before it is done
    patience: int = 120  # periods after which it gives up


class ScriptedOperator:
    """One operator at one episode of `task`."""

    def __init__(self, family: Family, task: Task, rng: np.random.Generator, hand: Hand | None = None) -> None:
        """`rng` draws how the hand shakes."""
        self.family, self.hand = family, hand or Hand()
        self._context = np.array(task.context)
        self._rng = rng
        self._seen: deque[SceneState] = deque(maxlen=self.hand.reaction + 1)
        self._period, self._still = 0, 0
        self._action = np.zeros(family.action_size)

    def act(self, scene: SceneState) -> FloatArray:
        """The stick now, as an arm action (4,) in [-1, 1], tip velocity within the unit ball; once per period."""
        self._seen.append(scene)
        if self._period % self.hand.decision == 0:
            self._action = self._decide(self._seen[0])
        self._period += 1
        self._still = self._still + 1 if np.abs(self._action).max() < STILL else 0
        return self.family.arm_action(self._action)

    @property
    def done(self) -> bool:
        """Whether it has rested at the goal for long enough, or has given up."""
        return self._still >= self.hand.rest or self.gave_up

    @property
    def gave_up(self) -> bool:
        """Whether it has lost patience."""
        return self._period >= self.hand.patience

    def _decide(self, scene: SceneState) -> FloatArray:
        wish = self.family.expert(scene, self._context)
        if np.abs(wish[:2]).max() < STILL:  # what is left is height: a person lets go
            return np.zeros_like(wish)
        wish[:2] += self.hand.shake * self._rng.normal(size=2)  # the height is left to the stick's middle
        return np.asarray(wish / max(1.0, float(np.linalg.norm(wish))))
