"""A scripted operator at the page: it sees the scene as the page's own API tells it, and moves the on-screen stick."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

Vector = NDArray[np.float64]
SCENE = """
fetch('/api/scene').then(r => r.json())
  .then(scene => ({...scene, latched: document.getElementById('armed').textContent === 'Latched'}))
"""
AXES = """
Promise.all([import('/static/motion.js'), fetch('/api/camera').then(r => r.json())])
  .then(([motion, camera]) => motion.pictureAxes(camera.projection))
"""
PERIOD = 0.05  # a hand looks and corrects itself this often [s]


@dataclass(frozen=True)
class Scene:
    """Where tip and block are [m], and whether the page waits for the hand to let go."""

    tip: Vector
    block: Vector
    latched: bool = False


class Operator:
    """A hand on the stick. The page must hold the arm."""

    def __init__(self, page: Page) -> None:
        self.page = page
        axes = page.evaluate(AXES)
        self._right, self._up = np.array(axes["right"]), np.array(axes["up"])
        box = page.locator("#stick").bounding_box()
        if box is None:
            raise RuntimeError("the page shows no stick: is it in the view Drive & teach?")
        self._middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
        self._radius = box["width"] / 2

    def scene(self) -> Scene:
        """Look."""
        seen = self.page.evaluate(SCENE)
        return Scene(np.array(seen["tip"]), np.array(seen["object"]), seen["latched"])

    def grip(self) -> None:
        """Put the finger on the middle of the stick."""
        self.page.mouse.move(*self._middle.tolist())
        self.page.mouse.down()

    def push(self, velocity: Vector) -> None:
        """Move the finger so that the tip goes along `velocity` (2,) on the table; 1 is the edge of the stick."""
        length = float(np.linalg.norm(velocity))
        wish = velocity / max(1.0, length)
        at = self._middle + self._radius * np.array([wish @ self._right, -wish @ self._up])
        self.page.mouse.move(*at.tolist())

    def let_go(self) -> None:
        """Lift the finger."""
        self.page.mouse.up()

    def follow(self, act: Callable[[Scene], Vector | None], patience: float) -> Scene:
        """Hold the stick and let `act` choose the way until it returns None; return what is seen then.

        Raises:
            TimeoutError: it was not done within `patience` [s].
        """
        self.grip()
        due = time.monotonic()
        end = due + patience
        try:
            while (wish := act(scene := self.scene())) is not None:
                if time.monotonic() > end:
                    raise TimeoutError(f"not there after {patience:.0f} s: tip {scene.tip}, block {scene.block}")
                if scene.latched:  # a busy machine was late: let go and begin anew, as a person would
                    self.let_go()
                    self.page.wait_for_timeout(150)
                    self.grip()
                self.push(wish)
                due = max(due + PERIOD, time.monotonic())
                self.page.wait_for_timeout(max(1.0, 1000 * (due - time.monotonic())))
        finally:
            self.let_go()
        return scene

    def push_block(self, far: float = 0.08, patience: float = 20.0) -> float:
        """Push the block straight on by `far` [m]; return how far it went."""
        begin = self.scene().block

        def on(scene: Scene) -> Vector | None:
            return None if np.linalg.norm(scene.block - begin) >= far else np.array([1.0, 0.0])

        return float(np.linalg.norm(self.follow(on, patience).block - begin))
