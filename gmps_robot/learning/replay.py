"""Whole episodes of many tasks, sampled as transitions whose task may be exchanged in hindsight.

The context of a task is known and the reward is a pure function of what happened and of the context, so a transition
teaches about every task, not only the one it was collected for (Andrychowicz et al. 2017, arXiv 1707.01495). Half of
each batch may come from demonstrations (Ball et al. 2023, arXiv 2302.02948).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from gmps_robot.errors import ConfigError
from gmps_robot.learning.sac import Transitions
from gmps_robot.types import Float32Array

Indices = NDArray[np.int64]


class Problem(Protocol):
    """What the learner must know of a task family: N transitions, S state numbers, C context numbers."""

    @property
    def state_size(self) -> int:
        """S."""
        ...

    @property
    def context_size(self) -> int:
        """C."""
        ...

    @property
    def feature_size(self) -> int:
        """F."""
        ...

    @property
    def action_size(self) -> int:
        """A."""
        ...

    @property
    def horizon(self) -> int:
        """H, steps per episode."""
        ...

    def features(self, states: Float32Array, contexts: Float32Array) -> Float32Array:
        """Network input (N, F) of states (N, S) under contexts (N, C)."""
        ...

    def rewards(self, next_states: Float32Array, contexts: Float32Array) -> Float32Array:
        """Rewards (N,) for reaching `next_states` (N, S) under contexts (N, C)."""
        ...

    def achieved(self, states: Float32Array) -> Float32Array:
        """The contexts (N, C) that `states` (N, S) would solve."""
        ...


@dataclass(frozen=True)
class Episodes:
    """E episodes of H steps."""

    states: Float32Array  # (E, H + 1, S), the last one after the last action
    actions: Float32Array  # (E, H, A)
    contexts: Float32Array  # (E, C)


class Replay:
    """A growing store of episodes. Demonstrations are kept for good and sampled on their own."""

    ARRAYS = ("states", "actions", "contexts")  # what a checkpoint keeps, up to `size`

    def __init__(self, problem: Problem, capacity: int) -> None:
        """Room for `capacity` episodes; after that the oldest collected ones are overwritten."""
        horizon = problem.horizon
        self.problem = problem
        self.states = np.zeros((capacity, horizon + 1, problem.state_size), np.float32)
        self.actions = np.zeros((capacity, horizon, problem.action_size), np.float32)
        self.contexts = np.zeros((capacity, problem.context_size), np.float32)
        self.demos = 0  # episodes [0, demos) are demonstrations
        self.added = 0  # collected episodes so far, overwritten ones included

    @property
    def size(self) -> int:
        """Episodes in the store, demonstrations included."""
        return self.demos + min(self.added, len(self.contexts) - self.demos)

    @property
    def samples(self) -> int:
        """Control steps ever added, demonstrations included: the number that curves are drawn against."""
        return (self.demos + self.added) * self.problem.horizon

    def add_demonstrations(self, episodes: Episodes) -> None:
        """Store demonstrations; only before any collected episode.

        Raises:
            ConfigError: episodes were collected already, or no room is left for them.
        """
        count = len(episodes.contexts)
        if self.added:
            raise ConfigError("demonstrations must be added before any collected episode")
        if self.demos + count >= len(self.contexts):
            raise ConfigError(f"{count} demonstrations leave no room in a store of {len(self.contexts)} episodes")
        self._write(np.arange(self.demos, self.demos + count), episodes)
        self.demos += count

    def add(self, episodes: Episodes) -> None:
        """Store collected episodes, over the oldest ones when full."""
        room = len(self.contexts) - self.demos
        places = self.demos + (self.added + np.arange(len(episodes.contexts))) % room
        self._write(places, episodes)
        self.added += len(episodes.contexts)

    def sample(self, n: int, rng: np.random.Generator, *, demo_share: float, hindsight: float) -> Transitions:
        """Draw `n` transitions in random order.

        A share `demo_share` comes from demonstrations, the rest from collected episodes. A share `hindsight` of all
        is judged for a task that a later state of the same episode solves, instead of the episode's own.

        Raises:
            ConfigError: nothing was added yet.
        """
        if self.size == 0:
            raise ConfigError("the replay is empty: add demonstrations or collected episodes before sampling")
        from_demos = rng.uniform(size=n) < (demo_share if self.added else 1.0)
        low = np.where(from_demos & (self.demos > 0), 0, self.demos)
        high = np.where(from_demos & (self.demos > 0), self.demos, self.size)
        episode: Indices = rng.integers(low, high)
        step: Indices = rng.integers(self.problem.horizon, size=n)
        contexts = self.contexts[episode]
        swapped = np.flatnonzero(rng.uniform(size=n) < hindsight)
        later = rng.integers(step[swapped] + 1, self.problem.horizon + 1)
        contexts[swapped] = self.problem.achieved(self.states[episode[swapped], later])
        before, after = self.states[episode, step], self.states[episode, step + 1]
        return Transitions(
            torch.from_numpy(self.problem.features(before, contexts)),
            torch.from_numpy(self.actions[episode, step]),
            torch.from_numpy(self.problem.rewards(after, contexts)),
            torch.from_numpy(self.problem.features(after, contexts)),
        )

    def _write(self, places: Indices, episodes: Episodes) -> None:
        self.states[places] = episodes.states
        self.actions[places] = episodes.actions
        self.contexts[places] = episodes.contexts
