"""Teach through the page: a scripted operator at the on-screen stick records demonstrations, as a person would.

    python -m benchmarks.teach [--tasks 20] [--per-task 2] [--data data] [--pictures DIR] [--json FILE]

Twin, recorder and panel are the processes of the real stack; the browser is headless. The operator sees where tip and
block are by the page's own API, late and with a shaking hand, and everything it does goes through the page: choose a
task, take the arm, record, hold the stick, keep or take again. What is kept lies in the catalogue of `--data`;
`gmps meta-train ... --demos catalog:push` trains from it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from benchmarks.browser import LAPTOP, browser, log_in, take_the_arm
from benchmarks.operator import Operator, Scene
from benchmarks.panel_stack import PanelStack
from gmps_robot import families
from gmps_robot.families.family import Family
from gmps_robot.tasks import Task
from gmps_robot.types import SceneState
from sim.scripted_operator import ScriptedOperator

ATTEMPTS = 3  # at one demonstration
PATIENCE = 12.0  # of one attempt [s]
PICTURED = 0.12  # from the goal [m]
SETTLE = 0.3  # after a reset [s]


@dataclass(frozen=True)
class Taught:
    """One kept or given-up demonstration."""

    task: int
    attempts: int
    kept: bool
    seconds: float
    distance: float  # block to goal at the end [m]


def teach(page: Page, family: Family, rng: np.random.Generator, pictures: Path | None) -> Taught:
    """Teach the task that is chosen on the page; `pictures` is where a picture of it goes."""
    task = chosen(page)
    operator, goal, begin = Operator(page), np.array(task.context), time.monotonic()
    distance, pictured = float("inf"), []
    for attempt in range(1, ATTEMPTS + 1):
        before = status(page)["recorder"]["episode"]
        page.click("#record:enabled" if attempt == 1 else "#again:enabled")
        wait_for_episode(page, before)
        page.wait_for_timeout(1000 * SETTLE)
        hand = ScriptedOperator(family, task, rng)

        def act(scene: Scene, hand: ScriptedOperator = hand) -> Any:
            pose, now = np.append(scene.block, 0.0), np.array(time.monotonic())
            wish = hand.act(SceneState(tip=scene.tip, object_pose=pose, time=now))
            if pictures is not None and not pictured and np.linalg.norm(scene.block[:2] - goal) < PICTURED:
                page.screenshot(path=pictures / f"teach-{task.index}.png")
                pictured.append(True)
            return None if hand.done else wish[:2]

        try:
            seen = operator.follow(act, PATIENCE)
        except TimeoutError:
            seen = operator.scene()
        distance = float(np.linalg.norm(seen.block[:2] - goal))
        if distance < family.success_radius:
            keep(page)
            return Taught(task.index, attempt, True, time.monotonic() - begin, distance)
    page.click("#discard:enabled")
    return Taught(task.index, ATTEMPTS, False, time.monotonic() - begin, distance)


def keep(page: Page) -> None:
    """Keep the take, and wait until the page has chosen what comes next."""
    before = page.locator("#quota-words").inner_text()
    page.click("#keep:enabled")
    page.wait_for_function("said => document.getElementById('quota-words').textContent !== said", arg=before)
    page.wait_for_selector("#record:enabled, #quota-bar[aria-valuenow='100']")


def status(page: Page) -> dict[str, Any]:
    """What the panel says."""
    said: dict[str, Any] = page.evaluate("fetch('/api/status').then(r => r.json())")
    return said


def wait_for_episode(page: Page, before: str) -> None:
    """Wait until another episode than `before` is being recorded.

    Raises:
        TimeoutError: there is none.
    """
    end = time.monotonic() + PATIENCE
    while (now := status(page)["recorder"])["state"] != "recording" or now["episode"] == before:
        if time.monotonic() > end:
            raise TimeoutError(f"the recorder does not begin: {now}")
        page.wait_for_timeout(50)


def chosen(page: Page) -> Task:
    """The task the page teaches."""
    page.wait_for_selector("#record:enabled")
    said = status(page)["teach"]
    return Task("push", said["split"], said["index"], tuple(said["context"]), 0)


def run(tasks: int, per_task: int, data: Path, pictures: Path | None) -> dict[str, Any]:
    """Teach; return plain numbers."""
    family, rng, taught = families.family("push"), np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as logs, PanelStack(Path(logs), data) as stack, browser() as chromium:
        context = chromium.new_context(viewport={"width": LAPTOP[0], "height": LAPTOP[1]})
        url, secret = stack.link()
        page = log_in(context, url, secret)
        plan = {"split": "train", "tasks": tasks, "per_task": per_task}
        answer = page.request.post(f"{url}/api/plan", data=plan, headers={"x-gmps": "1"})
        if not answer.ok:
            raise RuntimeError(f"the plan is refused: {answer.text()}")
        page.reload()
        take_the_arm(page)
        page.locator("#speed").fill("100")
        page.click("#teach-next:enabled")
        begin = time.monotonic()
        while page.locator("#quota-bar").get_attribute("aria-valuenow") != "100" and len(taught) < 2 * tasks * per_task:
            taught.append(teach(page, family, rng, pictures))
            print(f"task {taught[-1].task}: {'kept' if taught[-1].kept else 'given up'} after {taught[-1].attempts}, "
                  f"{taught[-1].seconds:.0f} s, {100 * taught[-1].distance:.1f} cm", flush=True)  # fmt: skip
        seconds = time.monotonic() - begin
    kept = [one for one in taught if one.kept]
    return {
        "demonstrations": len(kept), "tasks": len({one.task for one in kept}),
        "attempts": sum(one.attempts for one in taught), "seconds": seconds,
        "distance_cm": float(100 * np.mean([one.distance for one in kept])) if kept else None,
        "load_average": os.getloadavg()[0],
    }


def main() -> int:
    """Teach, print, write; the exit code says whether every task has a demonstration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--per-task", type=int, default=2)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = run(options.tasks, options.per_task, options.data, options.pictures)
    print(f"{report['demonstrations']} demonstrations in {report['seconds']:.0f} s, {report['attempts']} attempts")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0 if report["tasks"] == options.tasks else 1


if __name__ == "__main__":
    sys.exit(main())
