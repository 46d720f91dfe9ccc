"""How late a rig is, in the twin: commands arrive later, and what is measured and seen is older than it seems.

Physics goes in steps of 5 ms. States and images lie between two of them, where they belong, and a command that comes
between two counts for its share of the step.
"""

from __future__ import annotations

from collections import deque

import mujoco as mj
import numpy as np

from gmps_robot.rig import Latencies
from gmps_robot.types import FloatArray


class Delays:
    """Remembers one world's commands and states, step by step, for as long as the longest delay."""

    def __init__(self, model: mj.MjModel, latency: Latencies) -> None:
        """`model` is the world's; `latency` says how late commands, states and images are."""
        self.latency = latency
        self._model, self._scratch = model, mj.MjData(model)
        self._dt = float(model.opt.timestep)
        self._lag = latency.command / self._dt  # steps until a command counts
        self._pending: deque[tuple[float, FloatArray]] = deque()
        self._in_force = np.zeros(model.nu)
        kept = round(max(latency.image, latency.state) / self._dt) + 2
        self._states: deque[FloatArray] = deque(maxlen=kept)  # qpos, qvel, wrench
        self._steps = 0

    def reset(self, state: FloatArray, ctrl: FloatArray) -> None:
        """The world was put to `state` (qpos, qvel, wrench) under command `ctrl` (u,) and has been there for ever."""
        self._in_force = ctrl.copy()
        self._pending.clear()
        self._states.clear()
        self._states.append(state)
        self._steps = 0

    def command(self, ctrl: FloatArray) -> None:
        """Note a command (u,) that was given now."""
        self._pending.append((self._steps + self._lag, ctrl.copy()))

    def arrived(self) -> FloatArray:
        """Return what the servos get in the next step: one that comes in its middle counts for its share."""
        while self._pending and self._pending[0][0] <= self._steps:
            self._in_force = self._pending.popleft()[1]
        if self._pending and self._pending[0][0] < self._steps + 1:
            due, coming = self._pending[0]
            share = due - self._steps
            return share * self._in_force + (1.0 - share) * coming
        return self._in_force

    def note(self, state: FloatArray) -> None:
        """A physics step led to `state` (qpos, qvel, wrench)."""
        self._states.append(state)
        self._steps += 1

    def state(self, age: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return qpos, qvel and wrench (6,) of `age` [s] ago, between the two steps around it."""
        back = min(age / self._dt, len(self._states) - 1)
        newer = int(back)
        share = back - newer
        state = self._states[-1 - newer]
        if share > 0.0:
            state = (1.0 - share) * state + share * self._states[-2 - newer]
        qpos = state[: self._model.nq].copy()
        mj.mj_normalizeQuat(self._model, qpos)
        return qpos, state[self._model.nq : -6], state[-6:]

    def shapes(self, age: float) -> tuple[FloatArray, FloatArray]:
        """Return where the shapes were `age` [s] ago: positions (1, g, 3) [m] and rotations (1, g, 9)."""
        self._scratch.qpos[:] = self.state(age)[0]
        mj.mj_kinematics(self._model, self._scratch)
        return self._scratch.geom_xpos[None], self._scratch.geom_xmat[None]
